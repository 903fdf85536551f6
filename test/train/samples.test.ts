// Samples of a training: the same rows epoch after epoch, of every kind of model, and they change nothing of the training.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { EpochSample, SampleRows } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { trainJob } from '../../src/train/job.ts';
import { isShown, thinned } from '../../src/train/samples.ts';
import { digits } from './digits.ts';

const dataset = digits({ train: 400, test: 40 });
let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

async function train(model: object, sampled = true) {
  const request = { name: 'x', dataset: 'digits', model, training: { epochs: 2, batchSize: 50, seed: 3 } };
  const { spec } = resolveJobSpec(request, { dataset: dataset.info });
  const told: { rows: SampleRows; sample: EpochSample }[] = [];
  const onSample = (rows: SampleRows, sample: EpochSample): void => void told.push({ rows, sample });
  const { weights } = await trainJob({ spec, dataset, engine, ...(sampled && { onSample }) });
  const hash = createHash('sha256');
  for (const { data } of Object.values(weights))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { told, hash: hash.digest('hex') };
}

const size = (base64 = ''): number => Buffer.from(base64, 'base64').length;

describe('samples', () => {
  it('show the same held-out rows after every epoch, and the weights are those without samples', async () => {
    const model = { type: 'dense', hidden: [32], code: 2 };
    const { told, hash } = await train(model);
    expect(told.map(({ sample }) => sample.epoch)).toEqual([1, 2]);
    const [first, second] = told;
    expect(first?.rows).toMatchObject({ rows: 8, shape: [28, 28, 1] });
    expect(second?.rows).toEqual(first?.rows);
    expect([size(first?.rows.inputs), size(first?.sample.outputs)]).toEqual([8 * 784, 8 * 784]);
    expect(first?.sample.outputs).not.toBe(second?.sample.outputs);
    // a code of 2 has a map, with the classes of its rows
    expect(first?.sample.codes?.length).toBe(first?.rows.labels?.length);
    expect((await train(model, false)).hash).toBe(hash);
  });

  it.each([
    ['convolutional', { type: 'convolutional', channels: [4], code: 8 }, false],
    ['variational', { type: 'variational', hidden: [32], code: 4 }, true],
    ['stacked-denoising', { type: 'stacked-denoising', hidden: [32], code: 8 }, false],
  ])('are there for a model of type %s', async (_, model, generates) => {
    const { told } = await train(model);
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const { sample } of told) {
      expect(size(sample.outputs)).toBe(8 * 784);
      expect(size(sample.generated)).toBe(generates ? 8 * 784 : 0);
      expect(sample.codes).toBeUndefined();
    }
  });
});

describe('what is shown', () => {
  it('is the beginning, the end, and some epochs between them', () => {
    const shown = Array.from({ length: 300 }, (_, i) => i + 1).filter((epoch) => isShown(epoch, 300));
    expect(shown.slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect(shown.at(-1)).toBe(300);
    expect(shown.length).toBeLessThan(20);
  });

  it('is every nth pixel of a large picture, with all of its colours', () => {
    const small = thinned([4, 4, 3], 12);
    expect(small).toMatchObject({ shape: [2, 2, 3], size: 12, source: 48 });
    expect(small.picked).toEqual([0, 1, 2, 6, 7, 8, 24, 25, 26, 30, 31, 32]);
    expect(thinned([5], 3).picked).toEqual([0, 2, 4]);
  });
});
