// The short form of `npm run faults`: SIGKILLs of workers, redis-server and the gateway. No job is lost or done twice, and the
// weights equal those of an undisturbed job.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet } from '../../bench/faults/fleet.ts';
import { addWaves } from '../../bench/faults/jobs.ts';
import { killGateway } from '../../bench/faults/kill-gateway.ts';
import { killRedis } from '../../bench/faults/kill-redis.ts';
import { killWorkers } from '../../bench/faults/kill-workers.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { freePort } from '../helpers/ports.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue } from '../queue/fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let dataFolder: string;
let fleets: Fleet[];

beforeEach(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-faults-'));
  fleets = [];
  await addWaves(dataFolder);
});
afterEach(async () => {
  for (const fleet of fleets) await fleet.stop();
  await queue?.close();
  await redis?.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

function fleetOf(role: 'worker' | 'gateway', changes: Readonly<Record<string, string>> = {}): Fleet {
  const fleet = new Fleet(role, {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'test',
    HOURGLASS_DATA_DIR: dataFolder,
    HOURGLASS_JOB_LOCK: '1s',
    HOURGLASS_CHECKPOINT_INTERVAL: '100ms',
    HOURGLASS_TRAINING_THREADS: '1',
    ...changes,
  });
  fleets.push(fleet);
  return fleet;
}

/** Uniform random numbers in [0, 1), the same in each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const allWell = { lost: 0, failed: 0, doubled: 0, weightsDiffer: 0 };

it('survives 6 SIGKILLs of workers over 4 jobs and more', async () => {
  const fleet = fleetOf('worker');
  const parts = { queue, dataFolder, fleet, random: seeded(1), limitMs: 280_000 };
  const result = await killWorkers({ ...parts, workers: 2, jobs: 4, epochs: 20, seeds: [1, 2], kills: 6 });
  expect(result).toMatchObject({ ...allWell, kills: 6 });
  expect(result.jobs).toBeGreaterThanOrEqual(4);
  expect(result.succeeded).toBe(result.jobs);
}, 300_000);

it('survives 4 SIGKILLs of redis-server under load', async () => {
  const fleet = fleetOf('worker');
  const parts = { queue, redis, dataFolder, fleet, random: seeded(2), limitMs: 160_000 };
  const result = await killRedis({ ...parts, workers: 2, epochs: 20, kills: 4, awayMs: 2500 });
  expect(result).toMatchObject({ ...allWell, kills: 4 });
  expect(result.refused).toBeGreaterThan(0);
  expect(result.succeeded).toBe(result.jobs);
}, 180_000);

it('survives 4 SIGKILLs of the gateway while jobs are submitted', async () => {
  const port = await freePort();
  const fleet = fleetOf('gateway', {
    HOURGLASS_HTTP_PORT: String(port),
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_SERVING_WORKERS: '1',
  });
  const parts = { queue, fleet, address: `http://127.0.0.1:${port}`, random: seeded(3), limitMs: 100_000 };
  const result = await killGateway({ ...parts, clients: 8, kills: 4 });
  expect(result).toMatchObject({ kills: 4, lost: 0, doubled: 0 });
  expect(result.acknowledged).toBeGreaterThan(4);
  expect(result.retries).toBeGreaterThan(0);
}, 120_000);
