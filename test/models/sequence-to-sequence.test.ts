// Models of pairs: gradients, batches without steps for the ends of short rows, the same bits, beam search, and what is refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type NdArray, type NdArrays, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { estimateMemory } from '../../src/jobspec/memory.ts';
import type { PairFacts } from '../../src/jobspec/pair-facts.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import type { Phase } from '../../src/models/objective.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import type { Slots } from '../../src/models/sequence-to-sequence.ts';
import { editDistance } from '../../src/report/edit-distance.ts';
import { evaluateTranslations } from '../../src/report/translation.ts';
import { targetsOf } from '../../src/serve/translate.ts';
import { trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { pairOrder } from '../../src/train/pair-order.ts';
import { scalarsFeed, trainingProgram } from '../../src/train/step.ts';
import { spellings } from '../train/spellings.ts';
import { expectServed } from './serving.ts';

const dataset = spellings();
const facts = dataset.info.pairs as PairFacts;
const model = { type: 'sequence-to-sequence', units: 16, dropout: 0, beams: 3 } as const;

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
      ...{ name: 'spellings', dataset: 'spellings', model: { ...model, ...given } },
      training: { epochs: 2, batchSize: 20, optimizer: { type: 'adam', learningRate: 0.02 }, ...training },
    },
    { dataset: dataset.info },
  ).spec;

describe('a step', () => {
  const batch = 4;
  const spec = jobOf({ smoothing: 0.1 });
  const plain = { type: 'sgd', learningRate: 0.05, momentum: 0, initialMomentumEpochs: 0, weightDecay: 0 } as const;

  /** The longest first. */
  async function feedsOf() {
    const rows = 60;
    const x = new Float32Array(rows * dataset.split('train').rowSize);
    await dataset.split('train').readRange(0, rows, x);
    const each = Array.from({ length: rows }, (_, i) => x.slice(i * 13, (i + 1) * 13));
    const length = (row: Float32Array): number => row.filter((number) => number > 0).length;
    const chosen = each.sort((a, b) => length(b) - length(a)).filter((_, i) => i % 16 === 3);
    const lengths = (from: number, to: number, more: number) =>
      chosen.map((row) => row.subarray(from, to).filter((number) => number > 0).length + more);
    const rising = (of: number[]) => of.map((_, i) => Math.max(...of.slice(i)));
    const slots: Slots = { source: rising(lengths(0, 6, 0)), target: rising(lengths(6, 13, 1)) };
    return { x: float32([1, batch, 13], Float32Array.from(chosen.flatMap((row) => [...row]))), slots };
  }

  async function step(engine: Engine, slots: Slots | undefined, x: NdArray) {
    const plan = planJob({ spec, data: dataset.info, slots });
    const phase = plan.phases[0] as Phase;
    const rule = optimizer({ ...plain, schedule: { type: 'constant' } }, specsOf(phase.trainable));
    const executable = await engine.compile(trainingProgram(phase, { batch, row: [13] }, rule));
    const weights = initialise(plan.parameters, 1);
    const moments = Object.fromEntries(Object.entries(rule.state).map(([key, s]) => [key, zeros(s.dtype, s.shape)]));
    await executable.setState({ ...weights, ...moments });
    const scalars = rule.scalars({ step: 0, stepsPerEpoch: 10, epochs: 1 });
    const vector = Float32Array.from(rule.scalarNames, (key) => scalars[key] ?? 0);
    const { loss } = await executable.run({ x, [scalarsFeed]: float32([1, vector.length], vector) });
    const state = await executable.getState();
    await executable.dispose();
    return { weights, state, loss: Number(loss?.data[0]) };
  }
  const expectAlike = (found: NdArrays, expected: NdArrays) => {
    for (const [key, { data }] of Object.entries(expected)) {
      for (const [i, value] of data.entries()) expect(found[key]?.data[i], key).toBeCloseTo(Number(value), 4);
    }
  };

  it('is the same on the onnx engine as on the tfjs cpu backend, and every weight takes part', async () => {
    const { x, slots } = await feedsOf();
    const [expected, found] = [await step(cpu, slots, x), await step(onnx, slots, x)];
    for (const [key, { data }] of Object.entries(expected.state)) {
      expect(data, key).not.toEqual(expected.weights[key]?.data);
    }
    expectAlike(found.state, expected.state);
  });

  it('without the steps behind the ends of short rows is the same as with them', async () => {
    const { x, slots } = await feedsOf();
    expect(slots.source.at(-1)).toBeLessThan(slots.source[0] as number);
    const [short, complete] = [await step(onnx, slots, x), await step(onnx, undefined, x)];
    expect(short.loss).toBeCloseTo(complete.loss, 4);
    expectAlike(short.state, complete.state);
  });
});

describe('batches', () => {
  it('have rows that fit their places, and each row of a band before any comes again', async () => {
    const range = { start: 0, end: 280 };
    const { slots, order } = await pairOrder(dataset, facts, range, 20);
    const rows = order(new RandomStream(1, 'order'));
    expect(rows).toHaveLength(280);
    expect(new Set(rows).size).toBeGreaterThan(270);
    const values = new Float32Array(13);
    for (const [i, row] of rows.entries()) {
      await dataset.split('train').readRange(row, row + 1, values);
      const source = values.subarray(0, 6).filter((number) => number > 0).length;
      const target = values.subarray(6).filter((number) => number > 0).length + 1;
      expect(source).toBeLessThanOrEqual(slots.source[i % 20] as number);
      expect(target).toBeLessThanOrEqual(slots.target[i % 20] as number);
    }
    for (const lengths of [slots.source, slots.target]) expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
    expect([...order(new RandomStream(1, 'order'))]).toEqual([...rows]);
    expect([...order(new RandomStream(2, 'order'))]).not.toEqual([...rows]);
  });
});

it('learns to speak words that it has never seen, with the same bits from the same seed', async () => {
  const spec = jobOf({}, { epochs: 60, validation: { fraction: 0.1 } });
  const short = jobOf({ dropout: 0.1 });
  expect((await trainJob({ spec: short, dataset, engine: onnx })).weights).toEqual(
    (await trainJob({ spec: short, dataset, engine: onnx })).weights,
  );
  const trained = await trainJob({ spec, dataset, engine: onnx });
  const { weights, files, metrics, epochs } = trained;
  expect(trained).toMatchObject({ operations: ['encode', 'translate'], inputShape: [6], codeShape: [16] });
  expect(metrics).toMatchObject({ 'test.pairs.loss': expect.any(Number), 'test.pairs.wrong': expect.any(Number) });

  const plan = planJob({ spec, data: dataset.info });
  const x = new Float32Array(3 * 6);
  for (const i of [0, 1, 2]) {
    const row = new Float32Array(13);
    await dataset.split('test').readRange(i, i + 1, row);
    x.set(row.subarray(0, 6), i * 6);
  }
  const rows = float32([3, 6], x);
  const translator = plan.translates;
  if (!translator) throw new Error('no translator');
  await expectServed(files['encoder.onnx'], translator.encoder(weights), { x: rows });
  const { y } = await expectServed(files['translator.onnx'], translator.translator(weights), { x: rows });
  expect(y?.shape).toEqual([3, 3, 8]);
  const tables = await dataset.pairs?.symbols();
  for (let i = 0; i < 3; i++) {
    const own = (y as NdArray<'float32'>).data.subarray(i * 24, (i + 1) * 24);
    const found = targetsOf(own, 8, tables?.target as never).map(({ probability }) => probability);
    expect(found).toEqual(found.toSorted((a, b) => b - a));
    expect(found.reduce((sum, probability) => sum + probability, 0)).toBeLessThanOrEqual(1.0001);
  }

  const evaluated = await evaluateTranslations({
    ...{ spec, info: dataset.info, facts, pairs: dataset.pairs as never, test: dataset.split('test'), epochs },
    ...{ translator: files['translator.onnx'] as Uint8Array, codeSize: 16, parameters: 1, threads: 1 },
  });
  expect(evaluated.metrics['test.wer']).toBeLessThan(0.15);
  expect(evaluated.metrics['test.best.wer']).toBeLessThanOrEqual(evaluated.metrics['test.wer'] as number);
  // Beam search finds at least what taking the most probable symbol at each step finds.
  expect(evaluated.metrics['test.wer']).toBeLessThanOrEqual((metrics['test.pairs.wrong'] as number) + 0.03);
  const page = Buffer.from(evaluated.files['report.html'] as Uint8Array).toString();
  expect(page).toContain('By the length of the source');
  expect(page).not.toContain('NaN');
  expect(page).not.toContain('undefined');
});

it('an edit is an insertion, a deletion or a replacement', () => {
  expect(editDistance([...'kitten'], [...'sitting'])).toBe(3);
  expect(editDistance([], [...'abc'])).toBe(3);
  expect(editDistance([...'abc'], [...'abc'])).toBe(0);
});

describe('jobs', () => {
  const refused = (given: object, of: object = dataset.info, training: object = {}) => {
    try {
      resolveJobSpec({ name: 'x', dataset: 'y', model: given, training }, { dataset: of as never });
      return 'accepted';
    } catch (error) {
      return (error as { facts: { field: string } }).facts.field;
    }
  };

  it('that cannot work are refused', () => {
    const rows = { shape: [10], range: [0, 5], rows: { train: 40 } };
    const type = 'sequence-to-sequence';
    expect(refused({ type }, rows)).toBe('/dataset');
    for (const other of ['dense', 'variational']) expect(refused({ type: other })).toBe('/model/type');
    for (const other of ['topics', 'ease', 'sequence']) expect(refused({ type: other })).toBe('/dataset');
    expect(refused({ type, beams: 0 })).toBe('/model/beams');
    expect(refused({ type, dropout: 1 })).toBe('/model/dropout');
    expect(refused({ type }, dataset.info, { evaluation: { linearProbe: true } })).toBe('/training/evaluation');
    expect(refused({ type })).toBe('accepted');
  });

  it('are estimated with what grows with the units and the symbols', () => {
    const total = (given: object, more: object = {}) => {
      const all = { ...dataset.info, pairs: { ...facts, ...more } };
      const job = { name: 'x', dataset: 'y', model: { ...model, ...given } };
      return estimateMemory(resolveJobSpec(job, { dataset: all }).spec, all).total;
    };
    expect(total({ units: 1024 })).toBeGreaterThan(15 * 1024 * 1024 * 4 * 6);
    expect(total({}, { sourceLength: 60 })).toBeGreaterThan(2 * total({}));
  });
});
