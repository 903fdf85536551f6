// Small models with frames in a registry, and rows for them.
import { buildBundle } from '../../src/bundle/bundle.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { cosines } from '../helpers/onnx-models.ts';
import { metaOf } from '../serve/serving.ts';
import { digits } from '../train/digits.ts';

export const rowSize = 196;
const dataset = digits({ train: 400, test: 20, small: true });

/** Twenty digits of 14 × 14 that no model was fitted on. */
export async function testRows(): Promise<Float32Array> {
  const rows = new Float32Array(20 * rowSize);
  await dataset.split('test').readRange(0, 20, rows);
  return rows;
}

/** `bundled: false` leaves the version without codec tables. */
export async function publishCoded(registry: Registry, name: string, code: number, bundled = true): Promise<void> {
  const model = cosines(14, code);
  const shapes = { inputShape: [rowSize], codeShape: [code] };
  const bundle = bundled
    ? await buildBundle({ ...shapes, encoder: model['encoder.onnx'], decoder: model['decoder.onnx'], name, dataset })
    : undefined;
  await registry.publish(name, {
    files: { ...model, ...bundle?.files },
    meta: { ...metaOf(`${name}-${code}`, shapes), ...(bundle && { codec: bundle.codec }) },
  });
}
