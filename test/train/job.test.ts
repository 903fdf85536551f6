// Training as a whole, on real digits with the reference engine: it learns, repeats itself bit for bit, can be stopped and
// goes on, and says so when it diverges.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type NdArray, zeros } from '../../src/base/ndarray.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { EpochMetrics, JobProgress, JobSpec } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import { type TrainOptions, trainJob } from '../../src/train/job.ts';
import { decoderOf, encoderOf } from '../../src/train/publish.ts';
import { expectServed } from '../models/serving.ts';
import { digits } from './digits.ts';

const dataset = digits({ train: 700, small: true });
let engine: Engine;
let folder: string;

beforeAll(async () => {
  engine = await eagerEngine('cpu');
});
afterAll(() => engine.dispose());
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'job-'));
});
afterEach(() => rm(folder, { recursive: true }));

const specOf = (training: object, model: object = {}): JobSpec =>
  resolveJobSpec(
    {
      name: 'digits',
      dataset: 'digits',
      model: { type: 'denoising', hidden: [24], code: 8, ...model },
      training: { batchSize: 32, optimizer: { learningRate: 0.01 }, validation: { fraction: 0.1 }, ...training },
    },
    { dataset: dataset.info },
  ).spec;

const train = (spec: JobSpec, options: Partial<TrainOptions> = {}) => trainJob({ spec, dataset, engine, ...options });

describe('a training job', () => {
  it('learns real digits, and tells how', async () => {
    const progress: JobProgress[] = [];
    const epochs: EpochMetrics[] = [];
    const { metrics, weights, ...model } = await train(specOf({ epochs: 4 }), {
      onProgress: (p) => progress.push(p),
      onEpoch: (e) => epochs.push(e),
    });
    expect(epochs).toEqual(model.epochs);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    // a picture of nothing but ink-coloured grey has a cross-entropy of about .43 here
    expect(epochs[3]?.metrics.loss).toBeLessThan(0.36);
    expect(epochs[3]?.metrics['heldOut.loss']).toBeLessThan(0.36);
    expect(metrics['heldOut.loss']).toBe(epochs[3]?.metrics['heldOut.loss']);
    expect(progress.at(-1)).toMatchObject({ phase: 'evaluate', percent: 100, epoch: 4, epochs: 4 });
    expect(progress.findLast(({ phase }) => phase === 'train')).toMatchObject({
      phase: 'train',
      epoch: 4,
      epochs: 4,
      step: 76,
      steps: 76,
      percent: 100,
    });
    expect(Object.keys(weights)).toHaveLength(8);
    expect(model.operations).toContain('denoise');
    expect([model.inputShape, model.codeShape]).toEqual([[14, 14, 1], [8]]);
  });

  it('publishes an encoder and a decoder that give what the training engine gives', async () => {
    const spec = specOf({ epochs: 1 });
    const { weights, files } = await train(spec);
    const x = zeros('float32', [3, ...dataset.info.shape]);
    await dataset.split('test').readRange(0, 3, x.data);
    const { autoencoder } = planJob({ spec, data: dataset.info });
    const { z } = await expectServed(files['encoder.onnx'], encoderOf(autoencoder, weights), { x });
    expect(z?.shape).toEqual([3, 8]);
    const output = await expectServed(files['decoder.onnx'], decoderOf(autoencoder, weights), { z: z as NdArray });
    expect(output.x?.shape).toEqual([3, 14, 14, 1]);
  });

  it('same seed, same bits; another seed, other bits', async () => {
    const [one, two, other] = [
      await train(specOf({ epochs: 1, seed: 3 })),
      await train(specOf({ epochs: 1, seed: 3 })),
      await train(specOf({ epochs: 1, seed: 4 })),
    ];
    expect(two.weights).toEqual(one.weights);
    expect(other.weights).not.toEqual(one.weights);
  });

  it('stopped in the middle of an epoch and gone on from its checkpoint, it ends as if never stopped', async () => {
    const spec = specOf({ epochs: 3, earlyStopping: { patience: 1 } });
    const whole = await train(spec);
    const stop = new AbortController();
    const cancelled = train(spec, {
      checkpoints: new FolderCheckpoints(folder),
      signal: stop.signal,
      onProgress: ({ step }) => step > 19 && stop.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expect((await readdir(folder)).length).toBeGreaterThan(0);
    const seen: number[] = [];
    const rest = await train(spec, {
      checkpoints: new FolderCheckpoints(folder),
      onProgress: ({ step }) => seen.push(step),
    });
    expect(seen[0]).toBeGreaterThan(19);
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.epochs).toEqual(whole.epochs);
  });

  it('stops early and keeps the best weights', async () => {
    // a learning rate that makes things worse after a while
    const spec = specOf(
      { epochs: 30, maxSamples: 64, earlyStopping: { patience: 2 }, optimizer: { learningRate: 0.05 } },
      { type: 'dense' },
    );
    const { epochs, weights } = await train(spec);
    const losses = epochs.map(({ metrics }) => metrics['heldOut.loss'] as number);
    const best = losses.indexOf(Math.min(...losses));
    expect(best).toBe(losses.length - 3);
    const again = await train(
      specOf({ ...spec.training, epochs: best + 1, earlyStopping: undefined }, { type: 'dense' }),
    );
    expect(weights).toEqual(again.weights);
  });

  it('a loss that is no longer finite ends it with the reason', async () => {
    const spec = specOf(
      { epochs: 3, optimizer: { type: 'sgd', learningRate: 100 } },
      { loss: 'sse', outputActivation: 'linear' },
    );
    await expect(train(spec)).rejects.toMatchObject({
      code: 'diverged',
      message: /phase "train", epoch \d.*learning rate/,
    });
  });

  it('is cancelled while it is evaluated, too', async () => {
    const stop = new AbortController();
    const cancelled = train(specOf({ epochs: 1 }), {
      signal: stop.signal,
      onProgress: ({ phase }) => phase === 'evaluate' && stop.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('stops when the fence of its checkpoints does not let it write', async () => {
    const lost = () => {
      throw new Error('the lock is lost');
    };
    await expect(train(specOf({}), { checkpoints: new FolderCheckpoints(folder, { check: lost }) })).rejects.toThrow(
      'the lock is lost',
    );
    expect(await readdir(folder)).toEqual([]);
  });
});
