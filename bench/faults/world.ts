// What each part of a campaign runs in: a redis-server, a queue, a data folder and processes of its own, gone at the end.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../../test/helpers/redis.ts';
import { Fleet } from './fleet.ts';
import { addWaves } from './jobs.ts';

export interface World {
  readonly redis: TestRedis;
  readonly queue: RedisJobQueue;
  /** holds the data set `waves` */
  readonly dataFolder: string;
  fleet(role: 'worker' | 'gateway', environment?: Readonly<Record<string, string>>): Fleet;
}

export interface WorldOptions {
  readonly lock: string;
  readonly checkpointInterval: string;
}

export async function inOwnWorld<T>(
  run: (world: World) => Promise<T>,
  { lock, checkpointInterval }: WorldOptions = { lock: '2s', checkpointInterval: '250ms' },
): Promise<T> {
  const redis = await startRedis();
  const dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-campaign-'));
  await addWaves(dataFolder);
  const settings = {
    url: redis.url,
    prefix: 'hourglass',
    timeoutMs: 900,
    keepJobs: 100_000,
    keepEvents: 10_000_000,
    maxWaiting: 100_000,
    maxWaitingPerClient: 100_000,
  };
  const queue = await RedisJobQueue.open(settings, pino({ level: 'silent' }));
  const fleets: Fleet[] = [];
  const fleet: World['fleet'] = (role, environment = {}) => {
    const common = {
      REDIS_URL: redis.url,
      HOURGLASS_DATA_DIR: dataFolder,
      HOURGLASS_JOB_LOCK: lock,
      HOURGLASS_CHECKPOINT_INTERVAL: checkpointInterval,
      HOURGLASS_TRAINING_THREADS: '1',
      HOURGLASS_SERVING_WORKERS: '1',
      HOURGLASS_METRICS_PORT: '0',
      HOURGLASS_LOG_LEVEL: 'error',
    };
    const made = new Fleet(role, { ...common, ...environment });
    fleets.push(made);
    return made;
  };
  try {
    return await run({ redis, queue, dataFolder, fleet });
  } finally {
    for (const one of fleets) await one.stop();
    await queue.close();
    await redis.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}
