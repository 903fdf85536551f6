// Schedules are data: which phases a job has, what each trains and keeps, and how weights pass from one to the next.
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NdArray } from '../../src/base/ndarray.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import { initialise } from '../../src/models/parameters.ts';
import { type TrainedModel, trainJob } from '../../src/train/job.ts';
import { digits } from '../train/digits.ts';
import { expectNear, numbers, startCpu, tensors, values } from './cpu.ts';

const dataset = digits({ train: 400, test: 100, small: true });
let engine: Engine;
beforeAll(async () => {
  await startCpu();
  engine = createOnnxEngine();
});
afterAll(() => engine.dispose());

const jobOf = (model: object, training: object = {}) =>
  resolveJobSpec(
    { name: 'digits', dataset: 'digits', model, training: { epochs: 1, batchSize: 20, ...training } },
    { dataset: dataset.info },
  ).spec;
const planOf = (model: object) => planJob({ spec: jobOf(model), data: dataset.info });
const train = (model: object, training?: object): Promise<TrainedModel> =>
  trainJob({ spec: jobOf(model, training), dataset, engine });

/** A learning rate at which nothing moves, so that what a phase begins with is what it ends with. */
const still = { optimizer: { type: 'sgd', learningRate: 1e-30 } };
const layers = { hidden: [12, 8], code: 4 };

describe('greedy pretraining', () => {
  it('trains one level after another on frozen ones, then all', () => {
    const { phases } = planOf({ type: 'deep', ...layers });
    expect(phases.map(({ name }) => name)).toEqual(['pretrain 1/3', 'pretrain 2/3', 'pretrain 3/3', 'fine-tune']);
    expect(Object.keys(phases[1]!.trainable)).toEqual(['encoder/1/weight', 'encoder/1/bias', 'pretrain/1/bias']);
    expect(Object.keys(phases[2]!.frozen)).toEqual([
      'encoder/0/weight',
      'encoder/0/bias',
      'encoder/1/weight',
      'encoder/1/bias',
    ]);
    expect(Object.keys(phases[3]!.trainable).some((name) => name.startsWith('pretrain/'))).toBe(false);
  });

  for (const type of ['deep', 'stacked-denoising', 'deep-belief'] as const) {
    it(`${type}: the decoder begins as the encoder turned round`, async () => {
      const { weights } = await train({ type, ...layers, pretraining: { epochs: 1 } }, still);
      const last = 2;
      for (let level = 0; level <= last; level++) {
        const encoder = weights[`encoder/${level}/weight`] as NdArray;
        const decoder = weights[`decoder/${last - level}/weight`] as NdArray;
        const [rows = 0, columns = 0] = encoder.shape;
        expect(decoder.shape).toEqual([columns, rows]);
        for (let i = 0; i < rows; i += 5) {
          for (let j = 0; j < columns; j++) expect(decoder.data[j * rows + i]).toBe(encoder.data[i * columns + j]);
        }
        const bias = weights[`decoder/${last - level}/bias`]?.data as Float32Array;
        expect(bias.some((value) => value !== 0)).toBe(true);
      }
    });
  }

  it('starts the fine-tuning from something better than nothing', async () => {
    const pretrained = await train({ type: 'deep', ...layers, pretraining: { epochs: 10 } });
    const direct = await train({ type: 'dense', ...layers });
    expect(pretrained.metrics['test.reconstruction.loss']).toBeLessThan(
      direct.metrics['test.reconstruction.loss'] as number,
    );
  });

  it.each([
    [4, 2],
    [30, 5],
  ])('machines trained for %i epochs raise their momentum after %i', (epochs, early) => {
    const { phases } = planOf({ type: 'deep-belief', ...layers, pretraining: { epochs } });
    expect(phases[0]?.optimizer).toMatchObject({
      momentum: 0.9,
      initialMomentum: 0.5,
      initialMomentumEpochs: early,
    });
  });

  it('denoising levels see corrupted codes and are asked for clean ones', () => {
    const { phases } = planOf({ type: 'stacked-denoising', ...layers });
    expect(phases.map(({ objective }) => objective.feeds.corruption)).toMatchObject([
      { shape: [14, 14, 1], distribution: { probability: 0.75 } },
      { shape: [12] },
      { shape: [8] },
      { shape: [14, 14, 1] },
    ]);
  });
});

describe('a classifier on top', () => {
  const model = { type: 'dense', ...layers, head: { epochs: 15, optimizer: { learningRate: 0.01 } } };

  it('learns the classes and leaves the autoencoder as it was', async () => {
    const [without, withHead] = [await train({ ...model, head: undefined }), await train(model)];
    for (const [name, array] of Object.entries(without.weights)) expect(withHead.weights[name]).toEqual(array);
    expect(withHead.metrics['test.classifier.error']).toBeLessThan(0.4);
    expect(withHead.files['classifier.onnx']?.length).toBeGreaterThan(1000);
  });

  it('leaves out a share of the code in training, and none when serving', () => {
    const { phases, classifier } = planOf({ ...model, head: { dropout: 0.25 } });
    expect(phases.at(-1)?.objective.feeds.keep).toMatchObject({ shape: [4], distribution: { probability: 0.75 } });
    const p = tensors(initialise(classifier!.parameters, 1));
    const x = numbers([2, 14, 14, 1]);
    const logits = (keep: number[]) =>
      classifier!.logits(p, x, { noise: { keep: tf.tensor([keep, keep]) }, statistics: {} });
    const served = values(classifier!.logits(p, x));
    const bias = values(p['classifier/head/0/bias'] as tf.Tensor);
    expectNear(logits([0, 0, 0, 0]), [...bias, ...bias]);
    const scaled = values(logits([1, 1, 1, 1]));
    for (const [i, value] of scaled.entries()) {
      const b = bias[i % 10] as number;
      expect(value - b).toBeCloseTo(((served[i] as number) - b) / 0.75, 4);
    }
  });

  it('is trained with noise on the rows where the head says so, and answers without', () => {
    const { phases, classifier } = planOf({ ...model, head: { corruption: { type: 'masking', probability: 0.25 } } });
    expect(phases.at(-1)?.objective.feeds.corruption).toMatchObject({
      shape: [14, 14, 1],
      distribution: { probability: 0.75 },
    });
    const p = tensors(initialise(classifier!.parameters, 1));
    const [x, mask] = [
      numbers([2, 14, 14, 1]),
      tf.tensor(
        Array.from({ length: 392 }, (_, i) => i % 2),
        [2, 14, 14, 1],
      ),
    ];
    const trained = values(classifier!.logits(p, x, { noise: { corruption: mask }, statistics: {} }));
    expectNear(classifier!.logits(p, tf.mul(x, mask)), [...trained]);
    const served = values(classifier!.logits(p, x));
    expect(Math.max(...served.map((value, i) => Math.abs(value - (trained[i] as number))))).toBeGreaterThan(0.01);
  });

  it('with a frozen encoder has nothing but its own layer', async () => {
    const { phases } = planOf({ ...model, head: { freezeEncoder: true, hidden: [6] } });
    expect(Object.keys(phases.at(-1)!.trainable).filter((name) => name.endsWith('weight'))).toEqual([
      'classifier/head/0/weight',
      'classifier/head/1/weight',
    ]);
  });
});
