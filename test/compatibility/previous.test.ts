// This release on what the one before has left in Redis and in the data folder (record.ts), and on the same with members that a
// next release may add: everything is read, the answers are the same, and the jobs are finished.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import { float32 } from '../../src/base/ndarray.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { JobEvent, JobView } from '../../src/jobspec/job.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import { ModelPool } from '../../src/runtime/pool.ts';
import { loadEncoder } from '../../src/sdk/encoder.ts';
import { ModelPredictor } from '../../src/serve/model-predictor.ts';
import { openStores } from '../../src/store/open.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, openQueue, quiet, until } from '../queue/fixtures.ts';
import { workerSettings } from '../worker/fixtures.ts';
import { type RedisContent, readRedis, writeRedis } from './redis-content.ts';

const recorded = path.join(import.meta.dirname, 'previous');
const read = <T>(file: string): T => JSON.parse(readFileSync(path.join(recorded, file), 'utf8')) as T;
const { ids, answer } = read<{
  ids: Record<'trained' | 'sweep' | 'failed' | 'interrupted' | 'waiting' | 'cancelled', string>;
  answer: { row: number[]; codes: number[][]; outputs: number[][] };
}>('facts.json');
const redisBefore = read<RedisContent>('redis.json');
const prefix = 'hourglass';
const recordKey = (id: string): string => `{${prefix}}:job:${id}`;

/** What no release knows yet. */
const future = { fromTheNextRelease: { level: 2, names: ['a'] } };
const withFuture = (text: string): string => JSON.stringify({ ...(JSON.parse(text) as object), ...future });

/** Adds a field to each job's record, and an operation or a member to each stored manifest. */
function addFuture(folder: string, content: RedisContent): RedisContent {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const at = path.join(folder, file);
    if (/^jobs\/.*\.json$|^datasets\/.*manifest\.json$/.test(file)) {
      writeFileSync(at, withFuture(readFileSync(at, 'utf8')));
    }
    if (!/^registry\/.*\/manifest\.json$/.test(file)) continue;
    const manifest = JSON.parse(readFileSync(at, 'utf8')) as { operations: string[] };
    const text = JSON.stringify({ ...manifest, operations: [...manifest.operations, 'dream'], ...future });
    const old = createHash('sha256').update(readFileSync(at)).digest('hex');
    const sums = path.join(path.dirname(at), 'SHA256SUMS');
    writeFileSync(at, text);
    const now = createHash('sha256').update(text).digest('hex');
    writeFileSync(sums, readFileSync(sums, 'utf8').replace(old, now));
  }
  return Object.fromEntries(
    Object.entries(content).map(([key, entry]) => {
      if (entry.type !== 'hash' || !/:job:\w+$/.test(key)) return [key, entry];
      return [key, { ...entry, value: { ...entry.value, fromTheNextRelease: '2' } }];
    }),
  );
}

interface Started {
  readonly redis: TestRedis;
  readonly queue: RedisJobQueue;
  readonly folder: string;
  readonly registry: Registry;
}

async function start(change: (folder: string, content: RedisContent) => RedisContent): Promise<Started> {
  const redis = await startRedis();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-previous-'));
  cpSync(path.join(recorded, 'data'), folder, { recursive: true });
  await writeRedis(redis.url, change(folder, redisBefore));
  const queue = await openQueue(redis.url, { prefix });
  const { versions } = await openStores({ dataDir: folder });
  return { redis, queue, folder, registry: await Registry.open(versions) };
}

async function stop({ redis, queue, folder }: Started): Promise<void> {
  await queue.close();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}

const both = [
  ['as the release before wrote it', (_folder: string, content: RedisContent) => content],
  ['with members that a next release may add', addFuture],
] as const;

describe.each(both)('what is stored, %s:', (_how, change) => {
  let here: Started;
  beforeAll(async () => {
    here = await start(change);
  });
  afterAll(() => stop(here));

  it('jobs in every state', async () => {
    const shown = await Promise.all(
      Object.entries(ids).map(async ([name, id]) => [name, await stateOf(here, name, id)]),
    );
    expect(Object.fromEntries(shown)).toEqual({
      ...{ trained: 'succeeded', sweep: 'succeeded', failed: 'failed', cancelled: 'cancelled' },
      ...{ interrupted: 'running', waiting: 'queued' },
    });
    const trained = await here.queue.get(ids.trained);
    expect(trained).toMatchObject({ model: 'trained', version: 1, spec: { name: 'trained', dataset: 'waves' } });
    expect((await here.queue.get(ids.failed)).failure?.reason).toBe('deadline-exceeded');
    expect(await epochsOf(here.queue, ids.trained)).toEqual([1, 2, 3]);
  });

  it('what waits and runs is counted', async () => {
    await until(async () => (await here.queue.queues()).some(({ name, waiting }) => name === 'any' && waiting === 1));
    expect(await here.queue.counts()).toMatchObject({ queued: 1, running: 1, failed: 1, cancelled: 1 });
  });

  it('the data set, whole', async () => {
    const { datasets: files } = await openStores({ dataDir: here.folder });
    const dataset = await createDatasetStore({ files }).open('waves');
    const { rows } = dataset.info;
    expect(rows.train + rows.test).toBe(256);
    await dataset.close();
  });

  it('the version, with the answers that it gave', async () => {
    const pool = new ModelPool({ threads: 1, maxModels: 2 });
    const predictor = new ModelPredictor({ registry: here.registry, pool, config: loadConfig({}) });
    const ask = async (operation: 'encode' | 'decode', rows: readonly number[]): Promise<Float32Array> => {
      const inputs = float32([1, rows.length], Float32Array.from(rows));
      return (await predictor.predict(defaultCaller, { operation, model: 'trained', inputs })).outputs.data;
    };
    const close = (found: Float32Array, wanted: readonly number[] = []): void => {
      expect(found.length).toBe(wanted.length);
      for (const [i, value] of wanted.entries()) expect(Math.abs((found[i] as number) - value)).toBeLessThan(1e-5);
    };
    close(await ask('encode', answer.row), answer.codes[0]);
    close(await ask('decode', answer.codes[0] as number[]), answer.outputs[0]);
    await predictor.close();
    await pool.close();
  });

  it('its bundle, for devices', async () => {
    const manifest = await here.registry.resolve('trained');
    expect(manifest.operations).not.toContain('dream');
    const encoder = await loadEncoder(await here.registry.readFile(manifest, 'bundle.tar'));
    const { frame } = await encoder.encode(Float32Array.from(answer.row));
    expect(frame.length).toBeGreaterThan(4);
  });
});

describe('the jobs that the release before has left', () => {
  let here: Started;
  let worker: TrainingWorker;
  beforeAll(async () => {
    here = await start(addFuture);
    const folder = { path: here.folder, registry: '', jobs: '', remove: () => {} };
    const settings = workerSettings(here.redis.url, folder, { queue: consumerSettings(here.redis.url, { prefix }) });
    worker = await TrainingWorker.start(settings, quiet, new Metrics('worker'));
    const isOver = async (id: string): Promise<JobView | false> => {
      const job = await here.queue.get(id);
      return job.finishedAt !== undefined && job;
    };
    for (const id of [ids.interrupted, ids.waiting]) await until(() => isOver(id));
  }, 60_000);
  afterAll(async () => {
    await worker?.drain();
    await stop(here);
  });

  it('are trained and published', async () => {
    for (const [name, id] of [
      ['interrupted', ids.interrupted],
      ['waiting', ids.waiting],
    ] as const) {
      expect(await here.queue.get(id)).toMatchObject({ state: 'succeeded', model: name, version: 1 });
      expect((await here.registry.resolve(name)).lineage.jobId).toBe(id);
    }
  });

  it('go on from their checkpoint: no epoch is trained twice', async () => {
    const epochs = await epochsOf(here.queue, ids.interrupted);
    // What its worker had not told yet when it was killed, a quarter of a second at most, nobody hears of.
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(epochs.at(-1)).toBe(150);
    const before = redisBefore[`{${prefix}}:events:${ids.interrupted}`];
    const done = before?.type === 'stream' ? before.value.filter(([, fields]) => fields.includes('epoch')).length : 0;
    expect(done).toBeGreaterThan(3);
    expect(epochs.slice(0, done)).toEqual(Array.from({ length: done }, (_, i) => i + 1));
    expect(epochs.length).toBeGreaterThan(140);
    expect((await here.queue.get(ids.interrupted)).attempts).toBe(2);
  });

  it('leave records and manifests with all that the release before would read', async () => {
    const now = await readRedis(here.redis.url);
    const fields = (content: RedisContent, id: string): string[] => {
      const entry = content[recordKey(id)];
      return entry?.type === 'hash' ? Object.keys(entry.value) : [];
    };
    const wanted = fields(redisBefore, ids.trained);
    expect(wanted.length).toBeGreaterThan(12);
    expect(fields(now, ids.waiting)).toEqual(expect.arrayContaining(wanted));
    const manifestOf = (folder: string, name: string): object => {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const file = files.find((found) => found.includes(`/${name}/1/`) && found.endsWith('manifest.json'));
      return JSON.parse(readFileSync(path.join(folder, file ?? ''), 'utf8')) as object;
    };
    const before = manifestOf(path.join(recorded, 'data'), 'trained');
    expect(Object.keys(manifestOf(here.folder, 'waiting'))).toEqual(expect.arrayContaining(Object.keys(before)));
  });
});

async function stateOf({ queue }: Started, name: string, id: string): Promise<string> {
  return name === 'sweep' ? (await queue.sweeps.get(id)).state : (await queue.get(id)).state;
}

/** Epochs that the events of a job tell of, from the first on. */
async function epochsOf(queue: RedisJobQueue, id: string): Promise<number[]> {
  const found: JobEvent[] = [];
  for await (const event of queue.events(id)) found.push(event);
  return found.flatMap((event) => (event.type === 'epoch' ? [event.data.epoch] : []));
}
