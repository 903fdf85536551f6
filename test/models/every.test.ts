// What holds for every architecture: both engines take the same steps, the loss falls on real digits, the same seed gives the
// same bits, and what is served is what was trained.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NdArray, type NdArrays, zeros } from '../../src/base/ndarray.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import type { Phase } from '../../src/models/objective.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import { pick } from '../../src/train/evaluation.ts';
import { Feeder } from '../../src/train/feeder.ts';
import { trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { classifierOf, decoderOf, encoderOf } from '../../src/train/publish.ts';
import { feedSpecs, scalarsFeed, trainingProgram } from '../../src/train/step.ts';
import { digits } from '../train/digits.ts';
import { expectServed } from './serving.ts';

const dataset = digits({ train: 640, test: 64, small: true });
const small = { hidden: [20, 12], code: 6 };

/** Every type with small layers, and the combinations that reach other code. */
const models: Readonly<Record<string, object>> = {
  linear: { type: 'linear', code: 6 },
  dense: { type: 'dense', ...small },
  'dense, tanh, sse': { type: 'dense', ...small, activation: 'tanh', loss: 'sse', outputActivation: 'linear' },
  'dense, compressed': { type: 'dense', ...small, compression: { lambda: 0.05 } },
  tied: { type: 'tied', ...small },
  deep: { type: 'deep', ...small },
  'deep, tied': { type: 'deep', ...small, tied: true, activation: 'sigmoid' },
  sparse: { type: 'sparse', code: 24 },
  'sparse with memory': { type: 'sparse', code: 24, sparsity: { memory: 0.9 } },
  'k-sparse': { type: 'k-sparse', code: 40, active: 5, halvings: 0 },
  'k-sparse, with more units in its codes': { type: 'k-sparse', code: 40, active: 5, alpha: 2, halvings: 0 },
  'k-sparse, coming down to k': { type: 'k-sparse', code: 40, active: 5, halvings: 2 },
  'denoising, gaussian': { type: 'denoising', ...small },
  'denoising, masking': { type: 'denoising', ...small, corruption: { type: 'masking' } },
  'denoising, salt and pepper': { type: 'denoising', ...small, corruption: { type: 'salt-and-pepper' } },
  'stacked-denoising with a head': { type: 'stacked-denoising', ...small, head: { hidden: [8], epochs: 2 } },
  contractive: { type: 'contractive', code: 24 },
  'contractive, exact': {
    type: 'contractive',
    ...small,
    tied: false,
    activation: 'tanh',
    contraction: { method: 'exact' },
  },
  'contractive, estimate': {
    type: 'contractive',
    ...small,
    tied: false,
    activation: 'tanh',
    contraction: { method: 'estimate' },
  },
  convolutional: { type: 'convolutional', channels: [4], code: 12, head: { freezeEncoder: true } },
  'convolutional, batch norm, random, pretrained': {
    type: 'convolutional',
    channels: [4],
    code: 12,
    batchNorm: true,
    unpooling: 'random',
    pretraining: {},
  },
  'convolutional, switches': {
    type: 'convolutional',
    channels: [3],
    code: 'map',
    unpooling: 'switches',
    codeActivation: 'tanh',
  },
  'convolutional, compressed to so many bytes': {
    type: 'convolutional',
    channels: [4],
    code: 'map',
    pooling: 'stride',
    compression: { bytes: 8 },
  },
  'convolutional, strides, denoising': {
    type: 'convolutional',
    channels: [4],
    code: 'map',
    pooling: 'stride',
    unpooling: 'transposed',
    corruption: { type: 'gaussian' },
  },
  variational: { type: 'variational', ...small },
  'variational, importance weighted': { type: 'variational', ...small, samples: 4, binarize: true },
  'variational, gaussian': { type: 'variational', ...small, likelihood: 'gaussian', beta: 0.5 },
  rbm: { type: 'rbm', code: 20 },
  'rbm, rectified, CD-2, sampled': {
    type: 'rbm',
    code: 20,
    codeUnits: 'rectified',
    contrastive: { steps: 2, sampleVisible: true },
  },
  'deep-belief': { type: 'deep-belief', ...small, pretraining: { epochs: 2 }, head: { loss: 'sse' } },
};

let cpu: Engine;
let onnx: Engine;
beforeAll(async () => {
  cpu = await eagerEngine('cpu');
  onnx = createOnnxEngine();
});
afterAll(async () => {
  await cpu.dispose();
  await onnx.dispose();
});

const jobOf = (model: object, training: object = {}) =>
  resolveJobSpec(
    { name: 'digits', dataset: 'digits', model, training: { batchSize: 32, epochs: 2, ...training } },
    { dataset: dataset.info },
  ).spec;

/** State after three steps of a phase from its initial weights. */
async function threeSteps(engine: Engine, phase: Phase, weights: NdArrays): Promise<NdArrays> {
  const rows = { batch: 16, row: dataset.info.shape };
  const rule = optimizer(phase.optimizer, specsOf(phase.trainable));
  const executable = await engine.compile(trainingProgram(phase, rows, rule));
  const moments = Object.fromEntries(Object.entries(rule.state).map(([name, s]) => [name, zeros(s.dtype, s.shape)]));
  await executable.setConstants(pick(weights, phase.frozen));
  await executable.setState({ ...pick(weights, { ...phase.trainable, ...phase.statistics }), ...moments });
  const split = dataset.split('train');
  const feeder = new Feeder({
    stream: 'three',
    seed: 1,
    feeds: phase.objective.feeds,
    specs: feedSpecs(phase, rows),
    split,
    labels: (await split.labels()) as Uint8Array,
    range: { start: 0, end: 640 },
    batch: rows.batch,
    chunk: 3,
    shuffle: true,
  });
  const scalars = [0, 1, 2].flatMap((step) => {
    const values = rule.scalars({ step, stepsPerEpoch: 40, epochs: 1 });
    return rule.scalarNames.map((name) => values[name] as number);
  });
  const vector: NdArray = { dtype: 'float32', shape: [3, rule.scalarNames.length], data: Float32Array.from(scalars) };
  const outputs = await executable.run({ ...(await feeder.chunk(0, 0)), [scalarsFeed]: vector });
  const state = await executable.getState();
  await executable.dispose();
  return { ...state, 'output loss': outputs.loss as NdArray };
}

/** Largest difference, relative to the largest value. */
function difference(a: NdArray, b: NdArray): number {
  let [worst, largest] = [0, 1e-6];
  for (const [i, value] of a.data.entries()) {
    worst = Math.max(worst, Math.abs(value - Number(b.data[i])));
    largest = Math.max(largest, Math.abs(value));
  }
  return worst / largest;
}

describe.each(Object.entries(models))('%s', (_, model) => {
  it('takes the same steps on the onnx engine as on the tfjs cpu backend, in every phase', async () => {
    const plan = planJob({ spec: jobOf(model), data: dataset.info });
    const weights = initialise(plan.parameters, 1);
    for (const phase of plan.phases) {
      // plain descent: Adam's first steps are the signs of the gradients, whatever their size
      const plain = { ...phase, optimizer: { ...jobOf({ type: 'rbm' }).training.optimizer, learningRate: 0.01 } };
      const [expected, found] = [await threeSteps(cpu, plain, weights), await threeSteps(onnx, plain, weights)];
      for (const [name, array] of Object.entries(expected)) {
        expect(difference(array, found[name] as NdArray), `${phase.name} ${name}`).toBeLessThan(1e-3);
      }
    }
  });

  it('learns digits, the same way each time, and serves what it learned', async () => {
    const spec = jobOf(model);
    const first = await trainJob({ spec, dataset, engine: onnx });
    const { files, weights, epochs } = await trainJob({ spec, dataset, engine: onnx });
    expect(weights).toEqual(first.weights);
    const plan = planJob({ spec, data: dataset.info });
    for (const phase of plan.phases) {
      const losses = epochs.filter((epoch) => epoch.phase === phase.name).map(({ metrics }) => metrics.loss as number);
      if (losses.length > 1) expect(losses.at(-1), phase.name).toBeLessThan(losses[0] as number);
    }
    const x = zeros('float32', [3, ...dataset.info.shape]);
    await dataset.split('test').readRange(0, 3, x.data);
    const { z } = await expectServed(files['encoder.onnx'], encoderOf(plan.autoencoder, weights), { x });
    expect(z?.shape).toEqual([3, ...plan.autoencoder.codeShape]);
    const output = await expectServed(files['decoder.onnx'], decoderOf(plan.autoencoder, weights), { z: z as NdArray });
    expect(output.x?.shape).toEqual([3, 14, 14, 1]);
    if (plan.classifier) {
      await expectServed(files['classifier.onnx'], classifierOf(plan.autoencoder, plan.classifier, weights), { x });
    }
  });
});
