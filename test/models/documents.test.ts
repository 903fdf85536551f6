// Models of documents: both engines take the same steps, the same seed gives the same bits, and what is published finds topics and
// nearest documents.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type NdArray, type NdArrays, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { packBits, TextIndex } from '../../src/base/text-index.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { estimateMemory } from '../../src/jobspec/memory.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { planJob } from '../../src/models/catalog.ts';
import type { Phase } from '../../src/models/objective.ts';
import { initialise, specsOf } from '../../src/models/parameters.ts';
import { coherences, diversity } from '../../src/report/coherence.ts';
import { evaluateDocuments } from '../../src/report/documents.ts';
import { fitPlane, project } from '../../src/report/lsa.ts';
import { trainJob } from '../../src/train/job.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { decoderOf, encoderOf } from '../../src/train/publish.ts';
import { heldOutProgram, scalarsFeed, trainingProgram } from '../../src/train/step.ts';
import { textsOfTopics, words } from '../train/texts.ts';
import { expectServed } from './serving.ts';

const dataset = textsOfTopics();
const models: Readonly<Record<string, object>> = {
  topics: { type: 'topics', code: 4, hidden: [10], dropout: 0.1 },
  'semantic-hashing': { type: 'semantic-hashing', code: 32, hidden: [12], noise: 1 },
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
      ...{ name: 'texts', dataset: 'texts', model },
      training: { batchSize: 20, epochs: 60, optimizer: { type: 'adam', learningRate: 0.02 }, ...training },
    },
    { dataset: dataset.info },
  ).spec;

function feedsOf(phase: Phase): NdArrays {
  const batch = 4;
  const feeds: Record<string, NdArray> = {};
  for (const [name, feed] of Object.entries(phase.objective.feeds)) {
    const shape = feed.from === 'noise' ? feed.shape : [words.length];
    const values = new RandomStream(1, name).uniform(new Float32Array(batch * (shape[0] ?? 0)));
    feeds[name] = float32(
      [1, batch, ...shape],
      values.map((value) =>
        feed.from === 'rows' ? Math.floor(value * 4) : name.startsWith('keep') ? Math.round(value) : value - 0.5,
      ),
    );
  }
  return feeds;
}

describe.each(Object.entries(models))('%s', (name, model) => {
  const plan = planJob({ spec: jobOf(model), data: dataset.info });
  const phase = plan.phases[0] as Phase;

  it('takes the same step on the onnx engine as on the tfjs cpu backend, and every weight takes part', async () => {
    const weights = initialise(plan.parameters, 1);
    const plain = { type: 'sgd', learningRate: 0.05, momentum: 0, initialMomentumEpochs: 0, weightDecay: 0 } as const;
    const rule = optimizer({ ...plain, schedule: { type: 'constant' } }, specsOf(phase.trainable));
    const states = [];
    for (const engine of [cpu, onnx]) {
      const executable = await engine.compile(trainingProgram(phase, { batch: 4, row: [words.length] }, rule));
      const moments = Object.fromEntries(Object.entries(rule.state).map(([key, s]) => [key, zeros(s.dtype, s.shape)]));
      await executable.setState({ ...weights, ...moments });
      const scalars = rule.scalars({ step: 0, stepsPerEpoch: 10, epochs: 1 });
      const vector = Float32Array.from(rule.scalarNames, (key) => scalars[key] ?? 0);
      await executable.run({ ...feedsOf(phase), [scalarsFeed]: float32([1, vector.length], vector) });
      states.push(await executable.getState());
      await executable.dispose();
    }
    const [expected, found] = states as [NdArrays, NdArrays];
    for (const [key, { data }] of Object.entries(expected)) {
      // a bias before a normalisation is taken out again
      const isLost = /\/(mean|log-variance|1)\/bias$/.test(key);
      if (!isLost) expect(data, key).not.toEqual(weights[key]?.data);
      for (const [i, value] of data.entries()) expect(found[key]?.data[i], key).toBeCloseTo(Number(value), 4);
    }
  });

  it('has no surprise in a document without words', async () => {
    const executable = await onnx.compile(heldOutProgram(phase, { batch: 4, row: [words.length] }));
    await executable.setConstants(initialise(plan.parameters, 1));
    const feeds = feedsOf(phase);
    const measure = async (x: NdArray) => (await executable.run({ ...feeds, x })) as Record<string, NdArray<'float32'>>;
    const some = await measure(feeds.x as NdArray);
    const none = await measure(float32([1, 4, words.length], new Float32Array(4 * words.length)));
    const nats = (of: typeof some, i: number) => (of.nats?.data[i] ?? 0) - (of.divergence?.data[i] ?? 0);
    for (let i = 0; i < 4; i++) {
      expect(nats(some, i)).toBeGreaterThan(1);
      expect(nats(none, i)).toBeCloseTo(0, 5);
      expect(none.words?.data[i]).toBe(0);
    }
    await executable.dispose();
  });

  it('gives the same bits from the same seed, serves what it learned, and reports what it found', async () => {
    const spec = jobOf(model, { evaluation: { neighbours: 3 } });
    const trained = await trainJob({ spec, dataset, engine: onnx });
    const { weights, files, metrics, epochs } = trained;
    expect((await trainJob({ spec, dataset, engine: onnx })).weights).toEqual(weights);
    expect(trained).toMatchObject({
      operations: ['encode', 'decode', 'reconstruct', 'analyse'],
      text: name === 'topics' ? 'topics' : 'bits',
    });
    expect(epochs.at(-1)?.metrics['heldOut.loss']).toBeLessThan(epochs[0]?.metrics['heldOut.loss'] as number);
    expect(metrics['test.neighbours.error']).toBeLessThan(0.2);

    const x = zeros('float32', [5, words.length]);
    await dataset.split('test').readRange(0, 5, x.data);
    const { z } = await expectServed(files['encoder.onnx'], encoderOf(plan.autoencoder, weights), { x });
    const { x: p } = await expectServed(files['decoder.onnx'], decoderOf(plan.autoencoder, weights), {
      z: z as NdArray,
    });
    const sums = (array: NdArray | undefined, size: number) =>
      Array.from({ length: 5 }, (_, row) =>
        Array.from(array?.data ?? [])
          .slice(row * size, (row + 1) * size)
          .reduce((a, b) => Number(a) + Number(b), 0),
      );
    for (const sum of sums(p, words.length)) expect(sum).toBeCloseTo(1, 4);
    if (name === 'topics') for (const sum of sums(z, 4)) expect(sum).toBeCloseTo(1, 4);
    else expect(new Set(z?.data)).toEqual(new Set([0, 1]));

    const codeSize = trained.codeShape[0] as number;
    const evaluated = await evaluateDocuments({
      ...{
        spec,
        info: dataset.info,
        documents: dataset.documents as never,
        codes: trained.text as never,
        codeSize,
        epochs,
        metrics,
      },
      ...{ encoder: files['encoder.onnx'] as Uint8Array, decoder: files['decoder.onnx'] as Uint8Array, threads: 1 },
    });
    expect(evaluated.metrics['test.precision10']).toBeGreaterThan(0.85);
    expect(evaluated.metrics['test.tfidf.precision10']).toBeGreaterThan(0.85);
    expect(evaluated.metrics['test.lsa.precision10']).toBeGreaterThan(0.85);
    expect(evaluated.metrics['test.chance.precision10']).toBeCloseTo(0.5, 5);
    const perWord = (metrics['test.document.nats'] as number) / (metrics['test.document.words'] as number);
    expect(evaluated.metrics['test.perplexity']).toBeCloseTo(Math.exp(perWord), 8);
    expect(evaluated.files['documents.bin']).toHaveLength(60 * (name === 'topics' ? 16 : 4));
    expect(JSON.parse(Buffer.from(evaluated.files['vocabulary.json'] ?? '').toString()).words).toEqual(words);
    const page = Buffer.from(evaluated.files['report.html'] as Uint8Array).toString();
    expect(page).toContain('Nearest documents');
    expect(page).not.toContain('NaN');
    expect(page).not.toContain('undefined');
  });
});

it('topics are of words that come together', async () => {
  const spec = jobOf(models.topics as object, { epochs: 120 });
  const { files, text, codeShape, epochs, metrics } = await trainJob({ spec, dataset, engine: onnx });
  const { report } = await evaluateDocuments({
    ...{
      spec,
      info: dataset.info,
      documents: dataset.documents as never,
      codes: text as never,
      codeSize: codeShape[0] ?? 0,
      epochs,
      metrics,
    },
    ...{ encoder: files['encoder.onnx'] as Uint8Array, decoder: files['decoder.onnx'] as Uint8Array, threads: 1 },
  });
  // The last two words are in any document; of the others the first ones are of the sea or of animals, never of both.
  const kinds = report.documents?.topics.map(({ words: own }) => {
    const numbers = own.map((word) => words.indexOf(word as never)).filter((number) => number < 8);
    return numbers.slice(0, 2).map((number) => Math.floor(number / 4));
  });
  for (const kind of kinds ?? []) expect(new Set(kind).size, JSON.stringify(report.documents?.topics)).toBe(1);
  expect(new Set(kinds?.flat())).toEqual(new Set([0, 1]));
});

describe('the index of documents', () => {
  it('finds the codes with the most equal bits, the first of equals first', () => {
    const codes = Float32Array.from([
      ...[1, 1, 1, 1, 0, 0, 0, 0],
      ...[1, 1, 0, 0, 0, 0, 0, 0],
      ...[1, 1, 1, 1, 0, 0, 0, 0],
    ]);
    const index = new TextIndex({ codes: 'bits', size: 8 }, TextIndex.bytesOf('bits', codes, 8));
    expect([...packBits([1, 0, 1, 0, 0, 0, 0, 1, 1])]).toEqual([0b10000101, 1]);
    expect(index.nearest([1, 1, 1, 0, 0, 0, 0, 0], 3)).toEqual([
      { row: 0, similarity: 0.875 },
      { row: 1, similarity: 0.875 },
      { row: 2, similarity: 0.875 },
    ]);
    expect(index.nearest([1, 1, 0, 0, 0, 0, 0, 0], 1)).toEqual([{ row: 1, similarity: 1 }]);
    expect(() => new TextIndex({ codes: 'bits', size: 16 }, new Uint8Array(3))).toThrow(RangeError);
  });

  it('finds the most alike mixtures', () => {
    const codes = Float32Array.of(0.5, 0.5, 1, 0, 0.1, 0.9);
    const index = new TextIndex({ codes: 'topics', size: 2 }, TextIndex.bytesOf('topics', codes, 2));
    const [first, second] = index.nearest([0, 1], 2);
    expect([first?.row, second?.row]).toEqual([2, 0]);
    expect(first?.similarity).toBeCloseTo(Math.sqrt(0.9), 6);
  });
});

describe('what topics and codes are held against', () => {
  it('NPMI is 1 for words that are always together, -1 for words that never are, 0 for words by chance', async () => {
    const rows = [[0, 1], [0, 1], [2, 3], [2], [3], []];
    const matrix = {
      ...{ rows: 6, columns: 4, starts: Uint32Array.of(0, 2, 4, 6, 7, 8, 8) },
      ...{ indices: Uint32Array.from(rows.flat()), values: new Float32Array(8).fill(1) },
    };
    const [together, never, some] = coherences(
      [
        [0, 1],
        [0, 2],
        [2, 3],
      ],
      matrix,
    );
    expect(together).toBeCloseTo(1, 10);
    expect(never).toBe(-1);
    expect(some).toBeCloseTo(Math.log((1 * 6) / (2 * 2)) / -Math.log(1 / 6), 10);
    expect(
      diversity([
        [0, 1],
        [1, 2],
      ]),
    ).toBe(0.75);
  });

  it('LSA finds the plane that holds the rows', async () => {
    const matrix = await (dataset.documents as NonNullable<typeof dataset.documents>).train.matrix();
    const basis = fitPlane(matrix, words.length, () => {});
    const flat = project(matrix, basis, words.length);
    let [left, all] = [0, 0];
    for (const value of flat) left += value ** 2;
    for (const value of matrix.values) all += value ** 2;
    expect(left).toBeCloseTo(all, 1);
  });
});

describe('jobs', () => {
  const refused = (model: object, facts: object = dataset.info) => {
    try {
      resolveJobSpec({ name: 'x', dataset: 'y', model }, { dataset: facts as never });
      return 'accepted';
    } catch (error) {
      return (error as { facts: { field: string } }).facts.field;
    }
  };

  it('that cannot work are refused', () => {
    const rows = { shape: [10], range: [0, 5], rows: { train: 40 } };
    const ratings = { ...rows, ratings: { range: [1, 5], train: 9, test: 1 } };
    for (const model of Object.values(models)) {
      expect(refused(model, rows)).toBe('/dataset');
      expect(refused(model, ratings)).toBe('/dataset');
    }
    expect(refused({ type: 'dense' })).toBe('/model/type');
    expect(refused({ type: 'ease' })).toBe('/dataset');
    expect(refused({ type: 'semantic-hashing', code: 36 })).toBe('/model/code');
    expect(refused({ type: 'semantic-hashing', code: 129 })).toBe('/model/code');
    expect(refused({ type: 'topics', code: 1 })).toBe('/model/code');
    expect(refused({ type: 'topics' })).toBe('accepted');
  });

  it('are estimated with what grows with the vocabulary and the documents', () => {
    const total = (model: object, facts: object) => {
      const all = { ...dataset.info, ...facts };
      return estimateMemory(resolveJobSpec({ name: 'x', dataset: 'y', model }, { dataset: all }).spec, all).total;
    };
    expect(total({ type: 'topics' }, { shape: [50_000] })).toBeGreaterThan(50_000 * 150 * 4 * 6);
    expect(total({ type: 'semantic-hashing' }, { shape: [50_000] })).toBeGreaterThan(50_000 * 1000 * 4 * 6);
    const many = { documents: { train: { words: 1e9, entries: 1e8 }, test: { words: 0, entries: 0 } } };
    expect(total({ type: 'topics' }, many)).toBeGreaterThan(8e8);
  });
});
