// Models of ratings: both engines take the same steps, the loss is of given ratings alone, the same seed gives the same bits,
// and what is served is what the closed forms say.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type NdArray, type NdArrays, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { estimateMemory } from '../../src/jobspec/memory.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import type { Phase } from '../../src/models/objective.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import type { Recommender } from '../../src/models/recommender.ts';
import { evaluateRecommender } from '../../src/report/recommender.ts';
import { trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { heldOutProgram, scalarsFeed, trainingProgram } from '../../src/train/step.ts';
import { films, matrixOf, people, ratingsOfTastes } from '../train/ratings.ts';
import { callOnCpu, expectServed } from './serving.ts';

const dataset = ratingsOfTastes();
const models: Readonly<Record<string, object>> = {
  'autorec by item': { type: 'autorec', code: 5, inputDropout: 0.1 },
  'autorec by user': { type: 'autorec', by: 'user', code: 5, dropout: 0.1, activation: 'tanh' },
  'mult-vae': { type: 'mult-vae', code: 3, hidden: [8], positive: 4 },
  ease: { type: 'ease', positive: 4, regularisation: 2 },
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

const jobOf = (model: object, training: object = {}): JobSpec =>
  resolveJobSpec(
    {
      name: 'films',
      dataset: 'tastes',
      model,
      training: { batchSize: 12, epochs: 60, optimizer: { type: 'adam', learningRate: 0.01 }, ...training },
    },
    { dataset: dataset.info },
  ).spec;

const columnsOf = (model: object): number => ('by' in model || !('inputDropout' in model) ? films : people);

function feedsOf(phase: Phase, columns: number, change?: (x: Float32Array) => void): NdArrays {
  const batch = 4;
  const feeds: Record<string, NdArray> = {};
  for (const [name, feed] of Object.entries(phase.objective.feeds)) {
    const shape = feed.from === 'noise' ? feed.shape : [2 * columns];
    const values = new RandomStream(1, name).uniform(new Float32Array(batch * (shape[0] ?? 0)));
    if (feed.from === 'rows') {
      for (const [i, value] of values.entries()) values[i] = value < 0.5 ? 0 : Math.ceil(value * 5);
      change?.(values);
    } else {
      for (const [i, value] of values.entries()) values[i] = name === 'epsilon' ? value - 0.5 : Math.round(value);
    }
    feeds[name] = float32([1, batch, ...shape], values);
  }
  return feeds;
}

describe.each(Object.entries(models).filter(([name]) => name !== 'ease'))('%s', (_, model) => {
  const plan = planJob({ spec: jobOf(model), data: dataset.info });
  const phase = plan.phases[0] as Phase;
  const columns = columnsOf(model);

  it('takes the same step on the onnx engine as on the tfjs cpu backend', async () => {
    const weights = initialise(plan.parameters, 1);
    const rule = optimizer(
      {
        ...jobOf(models.ease as object).training.optimizer,
        type: 'sgd',
        learningRate: 0.05,
        momentum: 0,
        initialMomentumEpochs: 0,
      } as Phase['optimizer'],
      specsOf(phase.trainable),
    );
    const states = [];
    for (const engine of [cpu, onnx]) {
      const executable = await engine.compile(trainingProgram(phase, { batch: 4, row: [2 * columns] }, rule));
      const moments = Object.fromEntries(
        Object.entries(rule.state).map(([name, s]) => [name, zeros(s.dtype, s.shape)]),
      );
      await executable.setState({ ...weights, ...moments });
      const scalars = rule.scalars({ step: 0, stepsPerEpoch: 10, epochs: 1 });
      const vector = Float32Array.from(rule.scalarNames, (name) => scalars[name] ?? 0);
      await executable.run({ ...feedsOf(phase, columns), [scalarsFeed]: float32([1, vector.length], vector) });
      states.push(await executable.getState());
      await executable.dispose();
    }
    const [expected, found] = states as [NdArrays, NdArrays];
    for (const [name, { data }] of Object.entries(expected)) {
      expect(data, name).not.toEqual(weights[name]?.data);
      for (const [i, value] of data.entries()) expect(found[name]?.data[i], name).toBeCloseTo(Number(value), 5);
    }
  });

  it('has a loss of the ratings that are asked for, and of no others', async () => {
    const executable = await onnx.compile(heldOutProgram(phase, { batch: 4, row: [2 * columns] }));
    await executable.setConstants(initialise(plan.parameters, 1));
    const lossOf = async (change?: (x: Float32Array) => void) =>
      Array.from(((await executable.run(feedsOf(phase, columns, change))).loss as NdArray<'float32'>).data);
    const asked = (x: Float32Array) => {
      for (let row = 0; row < 4; row++) x.fill(0, row * 2 * columns + columns, (row + 1) * 2 * columns);
    };
    const losses = await lossOf();
    for (const loss of losses) expect(loss).toBeGreaterThan(0);
    for (const loss of await lossOf(asked)) expect(Math.abs(loss)).toBe(0);
    await executable.dispose();
  });
});

describe.each(Object.entries(models))('%s', (name, model) => {
  it('gives the same bits from the same seed, and serves what it learned', async () => {
    const spec = jobOf(model, { validation: { fraction: name === 'ease' ? 0 : 0.1 } });
    const { weights, files, epochs, operations } = await trainJob({ spec, dataset, engine: onnx });
    expect((await trainJob({ spec, dataset, engine: onnx })).weights).toEqual(weights);
    const recommends = planJob({ spec, data: dataset.info }).recommends as Recommender;
    if (name !== 'ease') {
      const losses = epochs.map(({ metrics }) => metrics.loss as number);
      expect(losses.at(-1)).toBeLessThan(losses[0] as number);
      expect(epochs.at(-1)?.metrics['heldOut.loss']).toBeGreaterThan(0);
    }
    const x = zeros('float32', [5, films]);
    await dataset.split('train').readRange(0, 4, x.data);
    const { scores } = await expectServed(files['recommender.onnx'], recommends.recommender(weights), { x });
    expect(scores?.shape).toEqual([5, films]);
    expect(operations).toEqual(name === 'ease' ? ['recommend'] : ['encode', 'recommend']);
    if (recommends.encoder) {
      const { z } = await expectServed(files['encoder.onnx'], recommends.encoder(weights), { x });
      expect(z?.shape).toEqual([5, recommends.codeSize]);
    }
  });

  it('knows the taste of people, better than popularity does', async () => {
    const spec = jobOf(model);
    const trained = await trainJob({ spec, dataset, engine: onnx });
    const { report, metrics, files } = await evaluateRecommender({
      ...{ spec, info: dataset.info, ratings: dataset.ratings as never, threads: 1 },
      facts: { scores: trained.scores ?? 'ratings', range: [1, 5], items: await (dataset.ratings?.items() as never) },
      recommender: trained.files['recommender.onnx'] as Uint8Array,
      ...{ codeShape: trained.codeShape, epochs: trained.epochs, parameters: 1 },
    });
    const held = matrixOf(true);
    expect(report.recommendation?.ratings).toBe(held.values.length);
    if (trained.scores === 'ratings') {
      expect(metrics['test.rmse']).toBeLessThan(0.8);
      expect(metrics['test.biases.rmse']).toBeGreaterThan(1.2);
    } else {
      expect(metrics['test.ndcg100']).toBeGreaterThan((metrics['test.popularity.ndcg100'] as number) + 0.1);
    }
    const page = Buffer.from(files['report.html'] as Uint8Array).toString();
    expect(page).toContain('What some people are recommended');
    expect(page).not.toContain('NaN');
  });
});

describe('a new person of autorec by item', () => {
  it('is solved for as exactly as by elimination', async () => {
    const spec = jobOf(models['autorec by item'] as object);
    const { weights } = await trainJob({ spec, dataset, engine: onnx });
    const recommends = planJob({ spec, data: dataset.info }).recommends as Recommender;
    const ratings = [5, 0, 1, 0, 4, 2, 0, 0, 0, 5, 0, 1];
    const { z } = await callOnCpu(recommends.encoder?.(weights) as never, {
      x: float32([1, films], Float32Array.from(ratings)),
    });
    const factors = weights['recommender/factors'] as NdArray<'float32'>;
    const means = weights['recommender/mean'] as NdArray<'float32'>;
    const width = factors.shape[1] as number;
    const of = (item: number, unit: number) => factors.data[item * width + unit] as number;
    const solution = [...(z?.data ?? [])].map(Number);
    const rated = ratings.flatMap((rating, item) => (rating > 0 ? [item] : []));
    // Fᵀ(y − m − Fδ) = σ²δ on what was rated
    for (let unit = 0; unit < width; unit++) {
      let left = 0;
      for (const item of rated) {
        const fitted = solution.reduce((sum, value, k) => sum + value * of(item, k), 0);
        left += of(item, unit) * (((ratings[item] as number) - 3) / 2 - (means.data[item] as number) - fitted);
      }
      expect(left).toBeCloseTo((0.5 / 4) * (solution[unit] as number), 4);
    }
  });
});

describe('jobs', () => {
  const rows = { shape: [films], range: [0, 5] as const, rows: { train: people } };
  const refused = (model: object, training: object = {}, facts: object = dataset.info) => {
    try {
      resolveJobSpec({ name: 'x', dataset: 'y', model, training }, { dataset: facts as never });
      return 'accepted';
    } catch (error) {
      return (error as { facts: { field: string } }).facts.field;
    }
  };

  it('that cannot work are refused', () => {
    for (const model of Object.values(models)) expect(refused(model, {}, rows)).toBe('/dataset');
    expect(refused({ type: 'dense' })).toBe('/model/type');
    expect(refused({ type: 'ease', positive: 6 })).toBe('/model/positive');
    expect(refused({ type: 'ease' }, {}, { ...dataset.info, shape: [10_000] })).toBe('/model/type');
    expect(refused({ type: 'autorec' }, { maxSamples: 5 })).toBe('/training/maxSamples');
    expect(refused({ type: 'mult-vae' }, { evaluation: { neighbours: 3 } })).toBe('/training/evaluation/neighbours');
    expect(refused({ type: 'autorec' }, { earlyStopping: {} })).toBe('/training/validation/fraction');
  });

  it('are estimated with what grows with the data', () => {
    const total = (model: object, facts: object) => {
      const { spec } = resolveJobSpec({ name: 'x', dataset: 'y', model }, { dataset: { ...dataset.info, ...facts } });
      return estimateMemory(spec, { ...dataset.info, ...facts }).total;
    };
    expect(total({ type: 'ease' }, { shape: [4000] })).toBeGreaterThan(4000 ** 2 * 16);
    expect(total({ type: 'autorec' }, { rows: { train: 100_000, test: 0 } })).toBeGreaterThan(100_000 * 500 * 2 * 4);
  });
});
