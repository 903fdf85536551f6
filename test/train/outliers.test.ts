// A model of digits finds noise, flat grey and inverted digits more unusual than other digits.
import { expect, it } from 'vitest';
import { float32, type NdArray } from '../../src/base/ndarray.ts';
import { type OutlierCalibration, pValue } from '../../src/base/outliers.ts';
import { RandomStream } from '../../src/base/random.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { Session } from '../../src/runtime/session.ts';
import { trainJob } from '../../src/train/job.ts';
import { digits } from './digits.ts';

it('digits are usual to a model of digits, other pictures are not', async () => {
  const dataset = digits({ train: 1500, test: 200, small: true });
  const engine = createOnnxEngine();
  const { spec } = resolveJobSpec(
    {
      name: 'digits',
      dataset: 'digits',
      model: { type: 'dense', hidden: [64], code: 16 },
      training: { epochs: 10, batchSize: 32, validation: { fraction: 0.2 } },
    },
    { dataset: dataset.info },
  );
  const { files } = await trainJob({ spec, dataset, engine });
  await engine.dispose();
  const session = Session.create(files['outliers.onnx'] as Uint8Array);
  const calibration = JSON.parse(Buffer.from(files['outliers.json'] as Uint8Array).toString()) as OutlierCalibration;
  expect(calibration.rows).toBe(300);
  const median = (pixels: Float32Array): number => {
    const { score } = session.runSync({ x: float32([200, 14, 14, 1], pixels) });
    const values = Array.from((score as NdArray<'float32'>).data, (s) => pValue(calibration, s)).sort((a, b) => a - b);
    return values[100] as number;
  };
  const pixels = new Float32Array(200 * 196);
  await dataset.split('test').readRange(0, 200, pixels);
  expect(median(pixels)).toBeGreaterThan(0.3);
  expect(median(pixels.map((value) => 1 - value))).toBeLessThan(0.02);
  expect(median(new RandomStream(1, 'noise').uniform(new Float32Array(pixels.length)))).toBeLessThan(0.02);
  session.dispose();
});
