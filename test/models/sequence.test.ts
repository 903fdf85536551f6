// Models of series: gradients, gaps, the same bits from the same seed and after a stop, forecasts, anomalies, and what is refused.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type NdArray, type NdArrays, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { type SeriesModelFacts, scoreAt, seriesScore, shareAbove } from '../../src/base/series.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { estimateMemory } from '../../src/jobspec/memory.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { SequenceModel } from '../../src/jobspec/sequence-model.ts';
import { planJob } from '../../src/models/catalog.ts';
import type { Phase } from '../../src/models/objective.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import { evaluateSeries } from '../../src/report/series.ts';
import { FolderCheckpoints } from '../../src/store/folder/jobs.ts';
import { ordinaryRows, trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { decoderOf, encoderOf } from '../../src/train/publish.ts';
import { scalarsFeed, trainingProgram } from '../../src/train/step.ts';
import { longest, period, waves } from '../train/waves.ts';
import { callOnCpu, expectServed } from './serving.ts';

const dataset = waves();
const model = { type: 'sequence', code: 4, units: 12, patch: 5, normal: ['wave'] } as const;

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

const jobOf = (given: object = {}, training: object = {}): JobSpec =>
  resolveJobSpec(
    {
      ...{ name: 'waves', dataset: 'waves', model: { ...model, ...given } },
      training: { epochs: 2, batchSize: 12, optimizer: { type: 'adam', learningRate: 0.02 }, ...training },
    },
    { dataset: dataset.info },
  ).spec;

const batch = 4;
/** Series of different lengths, one with a gap; two with an end that the encoder does not see. */
function feedsOf(): Record<string, NdArray<'float32'>> {
  const x = new RandomStream(1, 'x').normal(new Float32Array(batch * longest), 10, 2);
  x.fill(Number.NaN, longest - 6, longest);
  x.fill(Number.NaN, 2 * longest + 5, 2 * longest + 12);
  return {
    x: float32([1, batch, longest, 1], x),
    hides: float32([1, batch, 1], Float32Array.of(0, 1, 0, 1)),
    share: float32([1, batch, 1], Float32Array.of(0.1, 0.4, 0.5, 0.9)),
  };
}

describe('a step', () => {
  const spec = jobOf();
  const plan = planJob({ spec, data: dataset.info });
  const phase = plan.phases[0] as Phase;
  const plain = { type: 'sgd', learningRate: 0.01, momentum: 0, initialMomentumEpochs: 0, weightDecay: 0 } as const;
  const rule = optimizer({ ...plain, schedule: { type: 'constant' } }, specsOf(phase.trainable));

  async function step(engine: Engine, weights: NdArrays, many = 1) {
    const executable = await engine.compile(trainingProgram(phase, { batch, row: [longest, 1] }, rule));
    const losses: number[] = [];
    const run = async (from: NdArrays): Promise<NdArrays> => {
      const moments = Object.fromEntries(Object.entries(rule.state).map(([key, s]) => [key, zeros(s.dtype, s.shape)]));
      await executable.setState({ ...from, ...moments });
      const scalars = rule.scalars({ step: 0, stepsPerEpoch: 10, epochs: 1 });
      const vector = Float32Array.from(rule.scalarNames, (key) => scalars[key] ?? 0);
      const { loss } = await executable.run({ ...feedsOf(), [scalarsFeed]: float32([1, vector.length], vector) });
      losses.push(Number(loss?.data[0]));
      return executable.getState();
    };
    const state = await run(weights);
    return { state, losses, run, dispose: () => executable.dispose(), many };
  }

  it('is the same on the onnx engine as on the tfjs cpu backend, and every weight takes part', async () => {
    const weights = initialise(plan.parameters, 1);
    const [expected, found] = [await step(cpu, weights), await step(onnx, weights)];
    for (const [key, { data }] of Object.entries(expected.state)) {
      expect(data, key).not.toEqual(weights[key]?.data);
      for (const [i, value] of data.entries()) expect(found.state[key]?.data[i], key).toBeCloseTo(Number(value), 4);
    }
    await Promise.all([expected.dispose(), found.dispose()]);
  });

  it('goes against the slope of the loss, through all times', async () => {
    const weights = initialise(plan.parameters, 1);
    const taken = await step(onnx, weights);
    const delta = 1e-2;
    for (const [key, at] of [
      ['encoder/units/state/weight', 7],
      ['encoder/units/input/weight', 30],
      ['decoder/units/state/weight', 100],
      ['decoder/places', 3],
      ['encoder/code/weight', 5],
    ] as const) {
      const moved = async (by: number): Promise<number> => {
        const data = Float32Array.from(weights[key]?.data as Float32Array);
        data[at] = (data[at] as number) + by;
        await taken.run({ ...weights, [key]: { ...weights[key], data } as NdArray });
        return taken.losses.at(-1) as number;
      };
      const slope = ((await moved(delta)) - (await moved(-delta))) / (2 * delta);
      const gradient = (Number(weights[key]?.data[at]) - Number(taken.state[key]?.data[at])) / plain.learningRate;
      expect(Math.abs(gradient - slope), `${key}: ${gradient} and ${slope}`).toBeLessThan(
        2e-3 + 0.02 * Math.abs(slope),
      );
    }
    await taken.dispose();
  });
});

describe('what is not there', () => {
  it('leaves the code as it is: an end that never was, and steps that a longer row would have', async () => {
    const specOf = (steps: number) => ({ ...dataset.info, shape: [steps, 1] });
    const plan = planJob({ spec: jobOf(), data: specOf(longest) });
    const shorter = planJob({ spec: jobOf(), data: specOf(15) });
    const weights = initialise(plan.parameters, 3);
    const x = new RandomStream(2, 'x').normal(new Float32Array(15), 10, 2);
    x[4] = Number.NaN;
    const long = new Float32Array(longest).fill(Number.NaN);
    long.set(x);
    const { z } = await callOnCpu(encoderOf(plan.autoencoder, weights), { x: float32([1, longest, 1], long) });
    const { z: same } = await callOnCpu(encoderOf(shorter.autoencoder, weights), { x: float32([1, 15, 1], x) });
    expect([...(z?.data ?? [])]).toEqual([...(same?.data ?? [])]);
    const full = x.slice();
    full[4] = 10;
    const { z: other } = await callOnCpu(encoderOf(shorter.autoencoder, weights), { x: float32([1, 15, 1], full) });
    expect([...(other?.data ?? [])]).not.toEqual([...(same?.data ?? [])]);
  });
});

describe('a trained model', () => {
  it('has the same bits from the same seed, stopped and gone on with or not', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hourglass-sequence-'));
    try {
      const spec = jobOf();
      const { weights } = await trainJob({ spec, dataset, engine: onnx });
      const stop = new AbortController();
      const checkpoints = new FolderCheckpoints(folder);
      const stopped = trainJob({
        ...{ spec, dataset, engine: onnx, checkpoints, checkpointSeconds: 0, signal: stop.signal },
        onEpoch: () => stop.abort(new Error('stopped')),
      });
      await expect(stopped).rejects.toThrow();
      const again = await trainJob({ spec, dataset, engine: onnx, checkpoints: new FolderCheckpoints(folder) });
      expect(again.weights).toEqual(weights);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('goes on with series better than simple forecasts, fills gaps, and tells anomalies it has never seen', async () => {
    const spec = jobOf({}, { epochs: 150, validation: { fraction: 0.2 } });
    const trained = await trainJob({ spec, dataset, engine: onnx });
    const { weights, files, metrics, epochs } = trained;
    expect(trained).toMatchObject({
      operations: ['encode', 'decode', 'reconstruct', 'series'],
      inputShape: [longest, 1],
    });
    expect(metrics).toMatchObject({
      'test.series.loss': expect.any(Number),
      'test.series.forecast': expect.any(Number),
    });
    expect(epochs.at(-1)?.metrics['heldOut.loss']).toBeLessThan(0.2 * (epochs[0]?.metrics['heldOut.loss'] as number));

    const plan = planJob({ spec, data: dataset.info });
    const x = new Float32Array(5 * longest);
    await dataset.split('test').readRange(0, 5, x);
    const rows = float32([5, longest, 1], x);
    const { z } = await expectServed(files['encoder.onnx'], encoderOf(plan.autoencoder, weights), { x: rows });
    await expectServed(files['decoder.onnx'], decoderOf(plan.autoencoder, weights), { z: z as NdArray });

    const evaluated = await evaluateSeries({
      ...{ spec, model: spec.model as SequenceModel, dataset, ordinary: await ordinaryRows(spec, dataset), epochs },
      ...{ encoder: files['encoder.onnx'] as Uint8Array, decoder: files['decoder.onnx'] as Uint8Array },
      ...{ parameters: metrics.parameters ?? 0, threads: 1 },
    });
    const { series } = evaluated.report;
    expect(series?.forecast?.season).toBe(period);
    const { model: ours = 9, mean = 0, lastValue = 0 } = series?.forecast ?? {};
    expect(ours).toBeLessThan(0.5 * Math.min(mean, lastValue));
    expect(series?.rmse.model).toBeLessThan(0.5 * (series?.rmse.mean ?? 0));
    expect(series?.anomalies).toMatchObject({ ordinary: 18, anomalous: 6, model: { recall: 1 } });
    expect(evaluated.metrics['test.f1']).toBeGreaterThan(0.8);
    expect(evaluated.metrics['test.auroc']).toBe(1);
    const facts = JSON.parse(Buffer.from(evaluated.files['series.json'] ?? '').toString()) as SeriesModelFacts;
    expect(facts).toMatchObject({ steps: longest, channels: 1, forecasts: true, calibration: { rows: 12 } });
    const page = Buffer.from(evaluated.files['report.html'] as Uint8Array).toString();
    expect(page).toContain('Anomalies');
    expect(page).toContain('the value 8 steps before');
    expect(page).not.toContain('NaN');
    expect(page).not.toContain('undefined');
  });
});

describe('scores', () => {
  it('are errors in deviations, of what was observed alone', () => {
    expect(seriesScore([1, Number.NaN, 3, 8], [1, 5, 5, 4], [2, 4])).toBeCloseTo((0 + 1 + 1) / 3, 10);
    expect(seriesScore([Number.NaN], [1], [1])).toBe(0);
  });

  it('have a place among those of ordinary series', () => {
    const calibration = { rows: 99, quantiles: Array.from({ length: 11 }, (_, i) => i) };
    expect(shareAbove(calibration, -1)).toBeCloseTo(1, 10);
    expect(shareAbove(calibration, 5)).toBeCloseTo((0.5 * 99 + 1) / 100, 10);
    expect(shareAbove(calibration, 7.5)).toBeCloseTo((0.25 * 99 + 1) / 100, 10);
    expect(shareAbove(calibration, 11)).toBeCloseTo(0.01, 10);
    expect(scoreAt(calibration, 0.25)).toBeCloseTo(7.5, 10);
  });
});

describe('jobs', () => {
  const refused = (given: object, facts: object = dataset.info) => {
    try {
      resolveJobSpec({ name: 'x', dataset: 'y', model: given }, { dataset: facts as never });
      return 'accepted';
    } catch (error) {
      return (error as { facts: { field: string } }).facts.field;
    }
  };

  it('that cannot work are refused', () => {
    const rows = { shape: [10], range: [0, 5], rows: { train: 40 } };
    const ratings = { ...rows, ratings: { range: [1, 5], train: 9, test: 1 } };
    expect(refused({ type: 'sequence' }, rows)).toBe('/dataset');
    expect(refused({ type: 'sequence' }, ratings)).toBe('/dataset');
    for (const type of ['dense', 'linear', 'variational']) expect(refused({ type })).toBe('/model/type');
    for (const type of ['topics', 'ease']) expect(refused({ type })).toBe('/dataset');
    expect(refused({ type: 'sequence', normal: ['flat'] })).toBe('/model/normal');
    expect(refused({ type: 'sequence', normal: [] })).toBe('/model/normal');
    expect(refused({ type: 'sequence', patch: 1 }, { ...dataset.info, shape: [200, 1] })).toBe('/model/patch');
    expect(refused({ type: 'sequence', patch: 0 })).toBe('/model/patch');
    expect(refused({ type: 'sequence', head: {} })).toBe('/model/head');
    expect(refused({ type: 'sequence' }, { ...dataset.info, shape: [100_000, 3] })).toBe('accepted');
    expect(refused({ type: 'sequence' })).toBe('accepted');
  });

  it('are estimated with what grows with the steps and the units', () => {
    const total = (given: object, facts: object = {}) => {
      const all = { ...dataset.info, ...facts };
      const { spec } = resolveJobSpec(
        { name: 'x', dataset: 'y', model: { type: 'sequence', ...given } },
        { dataset: all },
      );
      return estimateMemory(spec, all).total;
    };
    expect(total({ units: 1024 })).toBeGreaterThan(2 * 3 * 1024 * 1024 * 4 * 6);
    const long = { shape: [4000, 1] };
    expect(total({ patch: 40, units: 256 }, long)).toBeGreaterThan(2 * total({ patch: 400, units: 256 }, long));
  });
});
