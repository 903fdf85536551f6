// Every type of model goes the whole way on real parts: a job over HTTP, trained and published by `hourglass up`, answers
// over HTTP that are those of the published files.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type NdArray } from '../../src/base/ndarray.ts';
import type { SplitName } from '../../src/data/dataset.ts';
import type { JobView } from '../../src/jobspec/job.ts';
import { ModelSpec, type ModelType } from '../../src/jobspec/model.ts';
import type { RecommenderModel } from '../../src/jobspec/recommender.ts';
import type { TextModel } from '../../src/jobspec/text-model.ts';
import type { Manifest, Operation } from '../../src/registry/manifest.ts';
import { Session } from '../../src/runtime/session.ts';
import { HourglassClient } from '../../src/sdk/client.ts';
import { freePorts } from '../helpers/ports.ts';
import { digits } from '../train/digits.ts';
import { films } from '../train/ratings.ts';
import { spellingLines, spoken } from '../train/spellings.ts';
import { words } from '../train/texts.ts';
import { longest } from '../train/waves.ts';
import { add, pairsForm, ratingsForm, rowsForm, seriesForm, textsForm } from './served-forms.ts';
import { expectSeriesFrames } from './served-frames.ts';

const root = path.resolve(import.meta.dirname, '../..');
const dataDir = mkdtempSync(path.join(tmpdir(), 'hourglass-models-'));
const dataset = digits({ train: 240, test: 40, small: true });
const shape = [14, 14, 1] as const;
const small = { hidden: [20, 12], code: 6 };
const head = { epochs: 1 };

type RowModel = Exclude<
  ModelType,
  'picture' | 'restoration' | 'sequence' | 'sequence-to-sequence' | RecommenderModel['type'] | TextModel['type']
>;

/** One job for each type whose inputs are rows, some with a classifier on top. For pictures of any size: test/pictures. */
const models: Readonly<Record<RowModel, object>> = {
  linear: { code: 6 },
  dense: { ...small, head },
  tied: small,
  deep: small,
  sparse: { code: 24 },
  'k-sparse': { code: 40, active: 5 },
  denoising: small,
  'stacked-denoising': { ...small, head },
  contractive: { code: 24 },
  convolutional: { channels: [4], code: 'map', head },
  variational: small,
  rbm: { code: 20 },
  'deep-belief': small,
};

/** The same of ratings. */
const ratingModels: Readonly<Record<RecommenderModel['type'], object>> = {
  ease: { regularisation: 5, positive: 4 },
  autorec: { code: 4 },
  'mult-vae': { code: 3, hidden: [8], positive: 4 },
};

/** The same of documents. */
const textModels: Readonly<Record<TextModel['type'], object>> = {
  topics: { code: 4, hidden: [10], dropout: 0.1 },
  'semantic-hashing': { code: 32, hidden: [12] },
};

let up: ChildProcess;
let url = '';
let output = '';
const jobs = new Map<string, JobView>();

beforeAll(async () => {
  const [http, grpc, metrics] = await freePorts(3);
  url = `http://127.0.0.1:${http}`;
  up = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOURGLASS_DATA_DIR: dataDir,
      HOURGLASS_HTTP_PORT: String(http),
      HOURGLASS_GRPC_PORT: String(grpc),
      HOURGLASS_METRICS_PORT: String(metrics),
      HOURGLASS_STARTER: 'off',
      HOURGLASS_WORKER_CONCURRENCY: '2',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk) => (output += chunk));
  await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200);
  await add(url, await rowsForm(dataset));
  for (const [type, model] of Object.entries(models)) {
    const job = { name: type, dataset: 'tiny', model: { type, ...model }, training: { epochs: 1, batchSize: 20 } };
    jobs.set(type, await call<JobView>(202, '/v1/jobs', job));
  }
  await add(url, ratingsForm());
  for (const [type, model] of Object.entries(ratingModels)) {
    const training = { epochs: 40, batchSize: 12, optimizer: { type: 'adam', learningRate: 0.02 } };
    const job = { name: type, dataset: 'tastes', model: { type, ...model }, training };
    jobs.set(type, await call<JobView>(202, '/v1/jobs', job));
  }
  await add(url, textsForm());
  for (const [type, model] of Object.entries(textModels)) {
    const training = { epochs: 40, batchSize: 20, optimizer: { type: 'adam', learningRate: 0.02 } };
    const job = { name: type, dataset: 'texts', model: { type, ...model }, training };
    jobs.set(type, await call<JobView>(202, '/v1/jobs', job));
  }
  await add(url, seriesForm());
  const training = { epochs: 60, batchSize: 12, optimizer: { type: 'adam', learningRate: 0.02 } };
  const model = { type: 'sequence', code: 4, units: 12, patch: 4, normal: ['wave'], falseAlarms: 0.2 };
  jobs.set('sequence', await call<JobView>(202, '/v1/jobs', { name: 'sequence', dataset: 'waves', model, training }));
  await add(url, pairsForm());
  const translator = {
    ...{ name: 'translator', dataset: 'spellings', model: { type: 'sequence-to-sequence', units: 16, beams: 3 } },
    training: { epochs: 50, batchSize: 20, optimizer: { type: 'adam', learningRate: 0.02 } },
  };
  jobs.set('translator', await call<JobView>(202, '/v1/jobs', translator));
}, 60_000);

afterAll(async () => {
  const exited = new Promise((resolve) => up.once('exit', resolve));
  up.kill('SIGTERM');
  await exited;
  rmSync(dataDir, { recursive: true, force: true });
});

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) {
    if (up.exitCode !== null) throw new Error(`hourglass stopped with ${up.exitCode}:\n${output}`);
    await sleep(100);
  }
}

async function call<T>(status: number, to: string, body?: unknown): Promise<T> {
  const response = await fetch(url + to, {
    ...(body !== undefined && {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  const answer = await response.text();
  expect(response.status, answer).toBe(status);
  return JSON.parse(answer) as T;
}

async function rowsOf(split: SplitName, count: number): Promise<Float32Array> {
  const rows = new Float32Array(count * dataset.split(split).rowSize);
  await dataset.split(split).readRange(0, count, rows);
  return rows;
}

/** What a published file gives for rows, [batch, …row]. */
async function answerOf(type: string, file: string, rows: NdArray<'float32'>): Promise<Float32Array> {
  const response = await fetch(`${url}/v1/models/${type}/versions/1/files/${file}`);
  expect(response.status, file).toBe(200);
  const session = Session.create(new Uint8Array(await response.arrayBuffer()));
  try {
    const [answer] = Object.values(session.runSync({ [session.inputs[0]?.name ?? '']: rows }));
    return Float32Array.from((answer as NdArray<'float32'>).data);
  } finally {
    session.dispose();
  }
}

function expectClose(found: readonly number[], wanted: ArrayLike<number>): void {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(wanted[i] as number, 4);
}

const count = 3;

/** The job of a model, once it has succeeded and published its version 1. */
async function published(type: string): Promise<JobView> {
  await until(async () => {
    jobs.set(type, await call<JobView>(200, `/v1/jobs/${jobs.get(type)?.id}`));
    return !['queued', 'running'].includes(jobs.get(type)?.state ?? '');
  });
  const job = jobs.get(type) as JobView;
  expect(job).toMatchObject({ state: 'succeeded', model: type, version: 1 });
  return job;
}

describe.each(Object.keys(models))('%s', (type) => {
  it('is trained by a job over HTTP, published, and answers with what was published', {
    timeout: 240_000,
  }, async () => {
    await published(type);
    const manifest = await call<Manifest>(200, `/v1/models/${type}/versions/1`);

    const rows = await rowsOf('test', count);
    const inputs = Array.from({ length: count }, (_, i) => [...rows.subarray(i * 196, (i + 1) * 196)]);
    const { codes } = await call<{ codes: number[][] }>(200, `/v1/models/${type}/encode`, { inputs });
    const z = (codes as unknown[]).flat(4) as number[];
    expectClose(z, await answerOf(type, 'encoder.onnx', float32([count, ...shape], rows)));

    const { outputs } = await call<{ outputs: number[][] }>(200, `/v1/models/${type}/decode`, { codes });
    const decoded = await answerOf(type, 'decoder.onnx', float32([count, ...manifest.codeShape], Float32Array.from(z)));
    expectClose(outputs.flat(), decoded);
    const again = await call<{ outputs: number[][] }>(200, `/v1/models/${type}/reconstruct`, { inputs });
    expectClose(again.outputs.flat(), decoded);
    const spread = Math.max(...decoded) - Math.min(...decoded);
    expect(spread, 'all pixels alike').toBeGreaterThan(0.01);

    const { model } = manifest.lineage.spec as { model: { head?: object; corruption?: object } };
    const special = { denoise: model.corruption, classify: model.head, generate: type === 'variational' || undefined };
    for (const [operation, reason] of Object.entries(special)) {
      const asked = operation === 'generate' ? { count, seed: 1 } : { inputs };
      await call(reason ? 200 : 409, `/v1/models/${type}/${operation}`, asked);
      expect(manifest.operations.includes(operation as Operation), operation).toBe(reason !== undefined);
    }
    const client = new HourglassClient({ baseUrl: url });
    if (special.classify) {
      const { probabilities, classes } = await client.classify(type, { data: rows, rows: count });
      expectClose(probabilities.flat(), await answerOf(type, 'classifier.onnx', float32([count, ...shape], rows)));
      expect(classes).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    }
    if (special.generate) {
      const first = await client.generate(type, count, { seed: 1 });
      expect(first.data).toHaveLength(count * 196);
      expect(await client.generate(type, count, { seed: 1 })).toEqual(first);
    }

    const stripes = Float32Array.from({ length: 196 }, (_, i) => i % 2);
    const data = Float32Array.from([...rows, ...stripes]);
    const outliers = await client.outliers(type, { data, rows: count + 1 });
    const scores = await answerOf(type, 'outliers.onnx', float32([count + 1, ...shape], data));
    expectClose(
      outliers.map(({ score }) => score),
      scores,
    );
    for (const { pValue } of outliers) {
      expect(pValue).toBeGreaterThan(0);
      expect(pValue).toBeLessThanOrEqual(1);
    }
  });
});

it('no type is left out', () => {
  const types = (ModelSpec as unknown as { anyOf: { properties: { type: { const: string } } }[] }).anyOf.map(
    (member) => member.properties.type.const,
  );
  const elsewhere = ['picture', 'restoration', 'sequence', 'sequence-to-sequence'];
  expect([...Object.keys({ ...models, ...ratingModels, ...textModels }), ...elsewhere].toSorted()).toEqual(
    types.toSorted(),
  );
});

describe.each(Object.keys(ratingModels))('%s', (type) => {
  it('recommends by a job over HTTP what a person of a known taste likes', { timeout: 240_000 }, async () => {
    const job = await published(type);
    expect(job.metrics).toMatchObject({
      'test.ndcg100': expect.any(Number),
      'test.popularity.recall20': expect.any(Number),
    });
    const report = await fetch(`${url}/v1/models/${type}/versions/1/files/report.html`);
    expect(await report.text()).toContain('Film ');

    const client = new HourglassClient({ baseUrl: url });
    const ratings = [{ item: 'f0' }, { item: 'f2', rating: 5 }, { item: 'f4', rating: 4 }, { item: 'f99', rating: 1 }];
    const answer = await client.recommend(type, ratings, { count: 3, items: ['f1', 'f6', 'nothing'] });
    expect(answer).toMatchObject({ model: type, version: 1, unknown: ['f99', 'nothing'] });
    expect(answer.scores).toBe(type === 'autorec' ? 'ratings' : 'preferences');
    for (const { item, name } of answer.recommended) {
      expect(['f6', 'f8', 'f10']).toContain(item);
      expect(name).toBe(`Film ${item.slice(1)}`);
    }
    expect(answer.recommended.map(({ score }) => score)).toEqual(
      answer.recommended.map(({ score }) => score).toSorted((a, b) => b - a),
    );
    const [other, own] = answer.asked.map(({ score }) => score) as [number, number];
    expect(own).toBeGreaterThan(other + (type === 'autorec' ? 1 : 0));
    const seen = await client.recommend(type, ratings.slice(0, 3), { count: 12, includeSeen: true });
    expect(seen.recommended).toHaveLength(films);
    const anybody = await client.recommend(type, []);
    expect(anybody.recommended).toHaveLength(10);

    await call(400, `/v1/models/${type}/recommend`, { ratings: [{ item: 'f0', rating: 6 }] });
    await call(409, '/v1/models/dense/recommend', { ratings: [] });
    await call(409, `/v1/models/${type}/reconstruct`, { inputs: [new Array(films).fill(0)] });
  });
});

describe.each(Object.keys(textModels))('%s', (type) => {
  it('tells by a job over HTTP what texts are about, and which documents are like them', {
    timeout: 240_000,
  }, async () => {
    const job = await published(type);
    expect(job.metrics).toMatchObject({
      'test.perplexity': expect.any(Number),
      'test.lsa.precision10': expect.any(Number),
    });
    const manifest = await call<Manifest>(200, `/v1/models/${type}/versions/1`);
    const codes = type === 'topics' ? 'topics' : 'bits';
    expect(manifest.text).toEqual({ vocabulary: 'vocabulary.json', words: words.length, rules: 1, codes });

    const client = new HourglassClient({ baseUrl: url });
    const texts = ['The ship: sails, sea and wind! SHIP sea', 'a cat, a dog, fur'];
    const answer = await client.analyse(type, texts, { nearest: 5, words: 3 });
    expect(answer).toMatchObject({ model: type, version: 1, codes });
    const kinds = answer.texts.map(({ nearest }) => nearest.map((near) => near.class));
    expect(kinds).toEqual([new Array(5).fill('sea'), new Array(5).fill('animals')]);
    expect(answer.texts.map(({ known, unknown }) => [known, unknown])).toEqual([
      [5, 3],
      [3, 0],
    ]);
    for (const { nearest, expected, topics, code } of answer.texts) {
      const similarities = nearest.map(({ similarity }) => similarity);
      expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
      expect(nearest[0]?.begins).toEqual(expect.any(String));
      expect(expected).toHaveLength(3);
      if (codes === 'topics') {
        expect(topics).toHaveLength(4);
        expect(topics?.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 4);
        expect(topics?.[0]?.words).toHaveLength(3);
      } else expect(code).toMatch(/^[0-9a-f]{8}$/);
    }

    // What is answered is what was published: counts by the vocabulary of the bundle, through its encoder.
    const bundle = await client.models.bundle(type);
    expect(Buffer.from(bundle).toString('latin1')).toContain('vocabulary.json');
    const vocabulary = JSON.parse(Buffer.from(await client.models.file(type, 1, 'vocabulary.json')).toString()) as {
      words: string[];
    };
    const row = Float32Array.from(vocabulary.words, (word) => ({ ship: 2, sea: 2, wind: 1 })[word] ?? 0);
    const z = await answerOf(type, 'encoder.onnx', float32([1, words.length], row));
    if (codes === 'topics') {
      for (const { topic, share } of answer.texts[0]?.topics ?? []) expect(share).toBeCloseTo(z[topic] as number, 5);
    } else {
      const bytes = Buffer.from(answer.texts[0]?.code ?? '', 'hex');
      expect(Array.from(z, (_, i) => ((bytes[i >> 3] as number) >> (i & 7)) & 1)).toEqual([...z]);
    }
    const { codes: rows } = await call<{ codes: number[][] }>(200, `/v1/models/${type}/encode`, { inputs: [[...row]] });
    expectClose(rows.flat(), z);

    await call(400, `/v1/models/${type}/analyse`, { texts: [] });
    await call(409, '/v1/models/dense/analyse', { texts });
    await call(409, `/v1/models/${type}/recommend`, { ratings: [] });
  });
});

it('sequence reconstructs, scores and goes on with series, by a job over HTTP', { timeout: 240_000 }, async () => {
  const job = await published('sequence');
  expect(job.metrics).toMatchObject({
    'test.auroc': expect.any(Number),
    'test.seasonal.forecastRmse': expect.any(Number),
  });
  const { rows } = await call<{ rows: (number | null)[][] }>(200, '/v1/datasets/waves/rows?split=test&limit=4');
  expect(rows[1]?.slice(-2)).toEqual([null, null]);
  const client = new HourglassClient({ baseUrl: url });
  // The third is of the class that the model has never seen.
  const given = [rows[0], rows[1]?.slice(0, 18), rows[3]].map((row) => (row ?? []).slice(0, longest - 6));
  const answer = await client.series('sequence', given, { forecast: 6 });
  expect(answer).toMatchObject({ model: 'sequence', version: 1 });
  for (const [i, { reconstruction, forecast, score, pValue, anomalous }] of answer.series.entries()) {
    expect(reconstruction).toHaveLength(given[i]?.length ?? 0);
    expect(forecast).toHaveLength(6);
    expect(anomalous).toBe(score > answer.threshold);
    expect(pValue).toBeGreaterThan(0);
  }
  expect(answer.series[2]).toMatchObject({ anomalous: true });
  const x = float32([1, longest, 1], new Float32Array(longest).fill(Number.NaN));
  x.data.set((given[0] ?? []).map((value) => value ?? Number.NaN));
  const z = await answerOf('sequence', 'encoder.onnx', x);
  const whole = await answerOf('sequence', 'decoder.onnx', float32([1, z.length], z));
  const [first] = answer.series;
  expectClose([...(first?.reconstruction ?? []), ...(first?.forecast ?? [])] as number[], whole);
  await call(200, '/v1/models/sequence/encode', { inputs: [rows.find((row) => !row.includes(null))] });
  await expectSeriesFrames(client, 'sequence', x.data, answerOf);
  await call(409, '/v1/models/dense/series', { series: given });
  const report = await fetch(`${url}/v1/models/sequence/versions/1/files/report.html`);
  expect(await report.text()).toContain('Forecasts');
});

it('sequence-to-sequence speaks words by a job over HTTP', { timeout: 240_000 }, async () => {
  const job = await published('translator');
  expect(job.metrics).toMatchObject({ 'test.wer': expect.any(Number), 'test.per': expect.any(Number) });
  const manifest = await call<Manifest>(200, '/v1/models/translator/versions/1');
  expect(manifest.translates).toEqual({ beams: 3, symbols: expect.any(Number) });
  const client = new HourglassClient({ baseUrl: url });
  const words = spellingLines('test')
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0] as string);
  const answer = await client.translate('translator', [...words.slice(0, 20), 'sa?s'], { best: 2 });
  expect(answer).toMatchObject({ model: 'translator', version: 1 });
  const right = words.slice(0, 20).filter((word, i) => answer.translations[i]?.targets[0]?.target === spoken(word));
  expect(right.length).toBeGreaterThan(14);
  for (const { targets } of answer.translations) {
    expect(targets).toHaveLength(2);
    expect(targets[0]?.probability).toBeGreaterThanOrEqual(targets[1]?.probability as number);
  }
  expect(answer.translations.at(-1)?.unknown).toEqual(['?']);
  await call(422, '/v1/models/translator/translate', { sources: ['sasasas'] });
  await call(422, '/v1/models/translator/translate', { sources: ['???'] });
  await call(409, '/v1/models/dense/translate', { sources: ['sas'] });
  await call(409, '/v1/models/translator/decode', { codes: [[0]] });
});
