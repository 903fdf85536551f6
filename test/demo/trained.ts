// Models trained for a moment and published with their bundles: real encoders for tests of devices.
import { buildBundle } from '../../src/bundle/bundle.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { trainJob } from '../../src/train/job.ts';
import { metaOf } from '../serve/serving.ts';
import { digits } from '../train/digits.ts';

const dataset = digits({ train: 3000, test: 1000 });

export const dense = { type: 'denoising', hidden: [128], code: 32 };
export const convolutional = { type: 'convolutional', channels: [8, 8], code: 24 };

export async function publishTrained(registry: Registry, name: string, model: object, epochs = 3): Promise<void> {
  const request = { name, dataset: 'digits', model, training: { epochs, batchSize: 64, seed: 1 } };
  const { spec } = resolveJobSpec(request, { dataset: dataset.info });
  const engine = await createOnnxEngine({ threads: 1 });
  try {
    const { files, inputShape, codeShape, operations } = await trainJob({ spec, dataset, engine });
    const [encoder, decoder] = [files['encoder.onnx'], files['decoder.onnx']];
    if (!encoder || !decoder) throw new Error('a trained model has an encoder and a decoder');
    const bundle = await buildBundle({ name, dataset, inputShape, codeShape, encoder, decoder });
    await registry.publish(name, {
      files: { ...files, ...bundle.files },
      meta: {
        ...metaOf(`${name}-trained`, { inputShape: [...inputShape], codeShape: [...codeShape] }),
        operations: [...operations],
        codec: bundle.codec,
      },
    });
  } finally {
    await engine.dispose();
  }
}

/** `count` test digits in [0, 1], of 784 values. */
export async function testDigits(count: number): Promise<Float32Array> {
  const rows = new Float32Array(count * 784);
  await dataset.split('test').readRange(0, count, rows);
  return rows;
}
