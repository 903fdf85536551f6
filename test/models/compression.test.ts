// Training for compression: the rate term is what the coder really writes, noise gives way to rounding outside of training, and
// steps and λ arrive where tables are fitted.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCoder } from '../../src/bundle/coder.ts';
import { fitLadder } from '../../src/bundle/ladder.ts';
import { encodeFrame } from '../../src/codec/frame.ts';
import { fitTable } from '../../src/codec/frequency-table.ts';
import { quantise, type Unit } from '../../src/codec/profile.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { rateModel } from '../../src/models/compression.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import { type TrainedModel, trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { digits } from '../train/digits.ts';
import { startCpu, tensors, values } from './cpu.ts';

const dataset = digits({ train: 4000, test: 640, small: true });
const size = 196;
const job = (compression: object, model: object = {}, training: object = {}) =>
  resolveJobSpec(
    {
      name: 'digits',
      dataset: 'digits',
      model: { type: 'dense', hidden: [64], code: 12, loss: 'sse', compression, ...model },
      training: {
        epochs: 20,
        batchSize: 50,
        optimizer: { learningRate: 0.003, schedule: { type: 'cosine' } },
        ...training,
      },
    },
    { dataset: dataset.info },
  ).spec;

async function rowsOf(split: 'train' | 'test', start: number, end: number): Promise<Float32Array> {
  const rows = new Float32Array((end - start) * size);
  await dataset.split(split).readRange(start, end, rows);
  return rows;
}

let engine: Engine;
let trained: TrainedModel;
let plain: TrainedModel;
beforeAll(async () => {
  engine = createOnnxEngine();
  trained = await trainJob({ spec: job({ lambda: 0.05 }), dataset, engine });
  plain = await trainJob({
    spec: resolveJobSpec(
      {
        ...job({ lambda: 0.05 }),
        model: { type: 'dense', hidden: [64], code: 12, loss: 'sse', outputActivation: 'sigmoid' },
      },
      { dataset: dataset.info },
    ).spec,
    dataset,
    engine,
  });
});
afterAll(() => engine.dispose());

const coderOf = ({ files, inputShape, codeShape }: TrainedModel) =>
  openCoder({
    encoder: files['encoder.onnx'] ?? new Uint8Array(),
    decoder: files['decoder.onnx'] ?? new Uint8Array(),
    inputShape,
    codeShape,
  });

async function ladderOf(model: TrainedModel) {
  const coder = coderOf(model);
  const { codeShape, quantiser } = model;
  try {
    const fitRows = await rowsOf('train', 2800, 3800);
    const measureRows = await rowsOf('test', 0, 640);
    return await fitLadder({ coder, fitRows, measureRows, rowSize: size, codeShape, span: 1, quantiser });
  } finally {
    coder.dispose();
  }
}

describe('training for compression', () => {
  it('leaves steps and prior to the loss: weight decay, which takes matrices, moves none of them', () => {
    const rate = rateModel({
      compression: { lambda: 0.1 },
      codeShape: [3],
      inputShape: [8],
      loss: 'sse',
      range: [0, 1],
    });
    const rule = optimizer(
      {
        type: 'sgd',
        learningRate: 0.5,
        momentum: 0,
        initialMomentumEpochs: 0,
        weightDecay: 0.5,
        schedule: { type: 'constant' },
      },
      specsOf(rate.parameters),
    );
    const before = tensors(initialise(rate.parameters, 1));
    const scalars = Object.fromEntries(
      Object.entries(rule.scalars({ step: 0, stepsPerEpoch: 1, epochs: 1 })).map(([name, x]) => [name, tf.scalar(x)]),
    );
    const still = Object.fromEntries(Object.entries(before).map(([name, w]) => [name, tf.zerosLike(w)]));
    const { parameters } = rule.update(before, still, {}, scalars);
    for (const [name, w] of Object.entries(before)) expect(values(parameters[name] as tf.Tensor)).toEqual(values(w));
  });

  it('has a rate term that equals the bytes of real frames within 2 %', async () => {
    const steps = trained.quantiser?.steps ?? new Float32Array();
    const units = steps.length;
    const coder = coderOf(trained);
    const seen = await coder.encode(await rowsOf('train', 0, 3800));
    const codes = await coder.encode(await rowsOf('test', 0, 640));
    coder.dispose();
    // plain rounding with tables counted on the rows of training: nothing differs but the prior's own fit
    const quality = {
      bytesPerRow: 0,
      psnr: 0,
      units: Array.from(steps, (step, j): Unit => {
        const values = seen.filter((_, i) => i % units === j);
        const offset = values.reduce((a, b) => a + b, 0) / values.length;
        const symbols = values.map((z) => Math.round((z - offset) / step));
        const min = Math.min(...symbols);
        const counts = new Array<number>(Math.max(...symbols) - min + 1).fill(0);
        for (const symbol of symbols) counts[symbol - min] = (counts[symbol - min] as number) + 1;
        return { step, offset, table: fitTable(min, counts, 0.5), bitWeight: 0 };
      }),
    };
    const order = Uint16Array.from({ length: units }, (_, j) => j);
    const profile = { hash: new Uint8Array(32), codeShape: [units], order, qualities: [quality] };
    const frame = encodeFrame(profile, quantise(quality, codes), { kind: 'batch', quality: 0 });
    const rate = trained.metrics['test.reconstruction.bytes'] as number;
    expect(rate).toBeGreaterThan(3);
    expect(Math.abs(frame.length / 640 / rate - 1)).toBeLessThan(0.02);
  });

  it('measures what the published files do, and the same each time', async () => {
    const again = await trainJob({ spec: job({ lambda: 0.05 }), dataset, engine });
    expect(again.metrics['test.reconstruction.reconstruction']).toBe(
      trained.metrics['test.reconstruction.reconstruction'],
    );
    const ladder = await ladderOf(trained);
    const atTrained = ladder.body.qualities[ladder.lambdas.indexOf(0.05)];
    const sse = size * 10 ** (-(atTrained?.psnr ?? 0) / 10);
    // the fitted quantiser gives up some error for bits at about the price of training
    const cost = sse + 0.05 * 8 * (atTrained?.bytesPerRow ?? 0);
    expect(Math.abs(cost / (trained.metrics['test.reconstruction.loss'] as number) - 1)).toBeLessThan(0.03);
  });

  it('pays: as good a picture in fewer bytes than a model that was quantised afterwards', async () => {
    const compressed = (await ladderOf(trained)).body.qualities;
    const afterwards = (await ladderOf(plain)).body.qualities;
    const middle = compressed[Math.floor(compressed.length / 2)];
    const needed = afterwards.find(({ psnr }) => psnr >= (middle?.psnr ?? 0))?.bytesPerRow ?? Number.POSITIVE_INFINITY;
    expect(middle?.bytesPerRow).toBeLessThan(0.85 * needed);
  });

  it('keeps a monotone dial around the λ of training, from the same codes the same tables', async () => {
    const ladder = await ladderOf(trained);
    const { qualities } = ladder.body;
    expect(qualities.length).toBeGreaterThanOrEqual(5);
    expect(ladder.lambdas).toContain(0.05);
    for (const [i, { psnr, bytesPerRow }] of qualities.entries()) {
      const coarser = qualities[i - 1];
      if (coarser) expect(psnr > coarser.psnr && bytesPerRow > coarser.bytesPerRow).toBe(true);
    }
    expect((await ladderOf(trained)).body).toEqual(ladder.body);
  });

  it('comes to the bytes asked for', async () => {
    const { metrics, quantiser } = await trainJob({ spec: job({ bytes: 5 }), dataset, engine });
    expect(Math.abs((metrics['test.reconstruction.bytes'] as number) - 5)).toBeLessThan(0.5);
    expect(quantiser?.lambda).toBeGreaterThan(0);
  });

  it('goes on bit for bit after a stop', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'compression-'));
    try {
      const spec = job({ bytes: 5 }, {}, { epochs: 2 });
      const whole = await trainJob({ spec, dataset, engine });
      const stop = new AbortController();
      const options = { spec, dataset, engine, checkpoints: new FolderCheckpoints(folder), checkpointSeconds: 0 };
      let checkpoints = 0;
      const onCheckpoint = () => {
        if (++checkpoints === 3) stop.abort();
      };
      await expect(trainJob({ ...options, signal: stop.signal, onCheckpoint })).rejects.toThrow(/cancelled/);
      const resumed = await trainJob(options);
      expect(resumed.files['decoder.onnx']).toEqual(whole.files['decoder.onnx']);
      expect(resumed.quantiser).toEqual(whole.quantiser);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a code', () => {
  const rate = rateModel({
    compression: { lambda: 1 },
    codeShape: [3],
    inputShape: [8],
    loss: 'sse',
    range: [0, 1],
  });
  const z = [0.3, -1.2, 4.1, 0.9, 2.7, -3.3];
  const u = [0.1, 0.6, 0.9, 0.2, 0.5, 0.99];

  /** Δ = ½ at the beginning */
  const apartInSteps = (code: number[]): number[] => [0, 1, 2].map((j) => ((code[j + 3] ?? 0) - (code[j] ?? 0)) / 0.5);

  it('lies on steps when it is measured, and anywhere around them in training', async () => {
    await startCpu();
    const [rounded, noisy] = tf.tidy(() => {
      const p = tensors(initialise(rate.parameters, 1));
      const feeds = { 'compression/noise': tf.tensor(u, [2, 3]) };
      const code = tf.tensor(z, [2, 3]);
      return [rate.rounded(p, code), rate.noisy(p, code, feeds)].map((coding) => values(coding.code));
    }) as unknown as [number[], number[]];
    for (const apart of apartInSteps(rounded)) expect(Math.abs(apart - Math.round(apart))).toBeLessThan(1e-5);
    for (const [i, value] of rounded.entries()) expect(Math.abs(value - (z[i] ?? 0))).toBeLessThanOrEqual(0.25 + 1e-6);
    for (const [i, value] of noisy.entries()) expect(value - (z[i] ?? 0)).toBeCloseTo(0.5 * ((u[i] ?? 0) - 0.5), 5);
  });
});

describe('a job for compression', () => {
  it('is about squared errors unless it says otherwise', () => {
    const { model } = resolveJobSpec({
      name: 'a',
      dataset: 'a',
      model: { type: 'deep', compression: { lambda: 0.1 } },
    }).spec;
    expect(model).toMatchObject({ loss: 'mse', outputActivation: 'sigmoid' });
  });

  it.each([
    [{ type: 'dense', compression: {} }, /neither "lambda" nor "bytes"/],
    [{ type: 'dense', compression: { lambda: 1, bytes: 1 } }, /both/],
    [{ type: 'k-sparse', compression: { lambda: 1 } }, /"model.active"/],
    [{ type: 'contractive', compression: { lambda: 1 } }, /"model.contraction"/],
    [{ type: 'convolutional', code: 'map', unpooling: 'switches', compression: { lambda: 1 } }, /switches/],
    [{ type: 'variational', compression: { lambda: 1 } }, /no field "compression"/],
    [{ type: 'dense', compression: { lambda: 0 } }, /above 0/],
  ])('%j is refused', (model, message) => {
    expect(() => resolveJobSpec({ name: 'a', dataset: 'a', model })).toThrow(message);
  });
});
