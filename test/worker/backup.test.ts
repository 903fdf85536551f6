// docs/operations.md, "Back up and restore", done as it says: a snapshot of Redis, then a copy of the data folder or the bucket, both while a
// worker trains; restored beside the old ones, everything is there and the jobs are finished.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWaves, openRegistry, waveSpec } from '../../bench/faults/jobs.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import type { StoreSettings } from '../../src/store/open.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { s3Server, startBucket, type TestBucket } from '../helpers/s3.ts';
import { openQueue, quiet, until } from '../queue/fixtures.ts';
import { workerSettings } from './fixtures.ts';

const isOver = async (queue: RedisJobQueue, id: string): Promise<boolean> =>
  (await queue.get(id)).finishedAt !== undefined;

/** BGSAVE, waited for. LASTSAVE tells whole seconds only: a save in the second of the one before would not show. */
async function snapshot({ url }: TestRedis): Promise<void> {
  const client = new Redis(url);
  const saves = async (): Promise<string | undefined> => /rdb_saves:(\d+)/.exec(await client.info('persistence'))?.[1];
  const before = await saves();
  await client.bgsave();
  await until(async () => (await saves()) !== before);
  client.disconnect();
}

/** Where things are stored, and how a copy of it is made that is used in its place. */
interface Medium {
  readonly settings: StoreSettings;
  copy(): Promise<StoreSettings>;
  remove(): Promise<void>;
}

function removable(): { folder: () => string; remove: () => void } {
  const folders: string[] = [];
  return {
    folder: () => {
      const made = mkdtempSync(path.join(os.tmpdir(), 'hourglass-backup-'));
      folders.push(made);
      return made;
    },
    remove: () => {
      for (const made of folders) rmSync(made, { recursive: true, force: true });
    },
  };
}

async function dataFolder(): Promise<Medium> {
  const { folder, remove } = removable();
  const [dataDir, restored] = [folder(), folder()];
  return {
    settings: { dataDir },
    copy: async () => {
      copyChanging(dataDir, restored);
      return { dataDir: restored };
    },
    remove: async () => remove(),
  };
}

const clientOf = ({ endpoint }: TestBucket): S3Client =>
  new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });

/** As `rsync`: what is deleted while it copies is left out. `cpSync` gives up then. */
function copyChanging(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const orGone = (copy: () => void): void => {
    try {
      copy();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  };
  orGone(() => {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
      if (entry.isDirectory()) copyChanging(source, target);
      else if (entry.isFile()) orGone(() => copyFileSync(source, target));
    }
  });
}

/** As `aws s3 sync`: fetches what is not in the copy, or has another size there. */
async function sync(bucket: TestBucket, copy: Map<string, Uint8Array>): Promise<void> {
  const client = clientOf(bucket);
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: 'test', Prefix: 'hourglass/' })) {
    for (const { Key = '', Size } of Contents) {
      if (copy.get(Key)?.length === Size) continue;
      // A checkpoint may be gone by now: its job has a newer one.
      const found = await client.send(new GetObjectCommand({ Bucket: 'test', Key })).catch(() => undefined);
      if (found?.Body) copy.set(Key, await found.Body.transformToByteArray());
    }
  }
  client.destroy();
}

async function bucketOnServer(): Promise<Medium> {
  const { folder, remove } = removable();
  const servers = [await startBucket(), await startBucket()];
  const [first, second] = servers as [TestBucket, TestBucket];
  return {
    settings: first.settings(folder()),
    copy: async () => {
      const copy = new Map<string, Uint8Array>();
      for (let i = 0; i < 2; i++) await sync(first, copy);
      const client = clientOf(second);
      for (const [Key, Body] of copy) await client.send(new PutObjectCommand({ Bucket: 'test', Key, Body }));
      client.destroy();
      // On another machine, whose cache is empty.
      return second.settings(folder());
    },
    remove: async () => {
      for (const server of servers) await server.stop();
      remove();
    },
  };
}

describe.each([
  ['a data folder', dataFolder, 120],
  ...(s3Server() === undefined ? [] : ([['a bucket', bucketOnServer, 300]] as const)),
] as const)('a back-up of %s taken while jobs run', (_, open, longEpochs) => {
  const ids: Record<'done' | 'running' | 'waiting', string> = { done: '', running: '', waiting: '' };
  let medium: Medium;
  let restored: StoreSettings;
  let redis: TestRedis;
  let queue: RedisJobQueue;
  let worker: TrainingWorker;
  const startWorker = (url: string, stores: StoreSettings, checkpointSeconds?: number): Promise<TrainingWorker> => {
    const { PATH = '', ...rest } = process.env;
    const keys = Object.fromEntries(Object.entries(rest).filter(([name]) => name.startsWith('AWS_')));
    const at = { path: '', registry: '', jobs: '', remove: () => {} };
    const settings = workerSettings(url, at, {
      stores,
      environment: { PATH, ORT_DISABLE_TELEMETRY: '1', ...(keys as Record<string, string>) },
      ...(checkpointSeconds !== undefined && { checkpointSeconds }),
    });
    return TrainingWorker.start(settings, quiet, new Metrics('worker'));
  };

  beforeAll(async () => {
    const first = await startRedis();
    medium = await open();
    await addWaves(medium.settings);
    const firstQueue = await openQueue(first.url);
    const firstWorker = await startWorker(first.url, medium.settings, 0.1);
    ids.done = (await firstQueue.submit(waveSpec('done'))).id;
    await until(() => isOver(firstQueue, ids.done));
    ids.running = (await firstQueue.submit(waveSpec('running', longEpochs))).id;
    ids.waiting = (await firstQueue.submit(waveSpec('waiting', 1))).id;
    await until(async () => ((await firstQueue.get(ids.running)).progress?.epoch ?? 0) > 3);
    await snapshot(first);
    restored = await medium.copy();

    // With `appendonly yes` a redis-server would not look at the snapshot.
    redis = await startRedis('--appendonly', 'no');
    await redis.kill();
    cpSync(path.join(first.dir, 'dump.rdb'), path.join(redis.dir, 'dump.rdb'));
    await redis.start();
    const client = new Redis(redis.url);
    await client.config('SET', 'appendonly', 'yes');
    client.disconnect();
    await firstWorker.drain();
    await firstQueue.close();
    await first.stop();

    queue = await openQueue(redis.url);
    worker = await startWorker(redis.url, restored);
  }, 60_000);
  afterAll(async () => {
    await worker?.drain();
    await queue?.close();
    await redis?.stop();
    await medium?.remove();
  });

  it('has what was finished', async () => {
    expect(await queue.get(ids.done)).toMatchObject({ state: 'succeeded', model: 'done', version: 1 });
    expect((await (await openRegistry(restored)).resolve('done')).lineage.jobId).toBe(ids.done);
  });

  it('has the jobs that ran and waited, which are finished', async () => {
    for (const id of [ids.running, ids.waiting]) await until(() => isOver(queue, id));
    const registry = await openRegistry(restored);
    for (const name of ['running', 'waiting'] as const) {
      expect(await queue.get(ids[name])).toMatchObject({ state: 'succeeded', model: name, version: 1 });
      expect((await registry.resolve(name)).lineage.jobId).toBe(ids[name]);
    }
  }, 60_000);

  it('goes on from the checkpoint in it', async () => {
    const epochs: number[] = [];
    for await (const event of queue.events(ids.running)) if (event.type === 'epoch') epochs.push(event.data.epoch);
    // The copy is the younger of the two: what was trained in between is not told of, and not trained again.
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(epochs.at(-1)).toBe(longEpochs);
    expect(epochs.length).toBeGreaterThan(longEpochs / 3);
    expect((await queue.get(ids.running)).attempts).toBeGreaterThan(1);
  });
});
