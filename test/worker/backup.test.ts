// docs/operations.md, "Back up and restore", done as it says: a snapshot of Redis, then a copy of the data folder, both while a worker
// trains; restored beside the old ones, everything is there and the jobs are finished.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRegistry, waveSpec } from '../../bench/faults/jobs.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, quiet, until } from '../queue/fixtures.ts';
import { type DataFolder, dataFolder, workerSettings } from './fixtures.ts';

const isOver = async (queue: RedisJobQueue, id: string): Promise<boolean> =>
  (await queue.get(id)).finishedAt !== undefined;

/** BGSAVE, waited for. */
async function snapshot({ url }: TestRedis): Promise<void> {
  const client = new Redis(url);
  const before = await client.lastsave();
  // Times are whole seconds: one that began in the same second would look like the one before.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await client.bgsave();
  await until(async () => (await client.lastsave()) !== before);
  client.disconnect();
}

const longEpochs = 120;

describe('a back-up taken while jobs run', () => {
  const ids: Record<'done' | 'running' | 'waiting', string> = { done: '', running: '', waiting: '' };
  const restored = mkdtempSync(path.join(os.tmpdir(), 'hourglass-restored-'));
  let redis: TestRedis;
  let queue: RedisJobQueue;
  let worker: TrainingWorker;

  beforeAll(async () => {
    const first = await startRedis();
    const folder = await dataFolder();
    const firstQueue = await openQueue(first.url);
    const firstWorker = await TrainingWorker.start(
      workerSettings(first.url, folder, { checkpointSeconds: 0.1 }),
      quiet,
      new Metrics('worker'),
    );
    ids.done = (await firstQueue.submit(waveSpec('done'))).id;
    await until(() => isOver(firstQueue, ids.done));
    ids.running = (await firstQueue.submit(waveSpec('running', longEpochs))).id;
    ids.waiting = (await firstQueue.submit(waveSpec('waiting', 1))).id;
    await until(async () => ((await firstQueue.get(ids.running)).progress?.epoch ?? 0) > 3);
    await snapshot(first);
    cpSync(folder.path, restored, { recursive: true });

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
    folder.remove();

    queue = await openQueue(redis.url);
    const at: DataFolder = { path: restored, registry: '', jobs: '', remove: () => {} };
    worker = await TrainingWorker.start(workerSettings(redis.url, at), quiet, new Metrics('worker'));
  }, 60_000);
  afterAll(async () => {
    await worker?.drain();
    await queue?.close();
    await redis?.stop();
    rmSync(restored, { recursive: true, force: true });
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
    // The folder is the younger of the two: what was trained in between is not told of, and not trained again.
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(epochs.at(-1)).toBe(longEpochs);
    expect(epochs.length).toBeGreaterThan(longEpochs / 2);
  });
});
