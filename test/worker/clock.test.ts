// Clocks that jump by an hour, under the worker and under redis-server: nobody loses a job, nothing counts as hung, progress
// goes on, a dead worker is noticed all the same, and no time of a job lies before the one that it follows.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fleet } from '../../bench/faults/fleet.ts';
import { addWaves, ended, waveSpec } from '../../bench/faults/jobs.ts';
import type { JobView } from '../../src/jobspec/job.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, until } from '../queue/fixtures.ts';

// redis-server itself does not run under it
const library = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/local/lib']
  .map((folder) => path.join(folder, 'faketime/libfaketime.so.1'))
  .find(existsSync);
const hour = 3600_000;

let folder: string;
let redis: TestRedis;
let queue: RedisJobQueue;
let client: Redis;
let fleet: Fleet;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-clock-'));
  redis = await startRedis();
  queue = await openQueue(redis.url);
  client = new Redis(redis.url);
  await addWaves(folder);
  fleet = new Fleet('worker', {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'test',
    HOURGLASS_DATA_DIR: folder,
    HOURGLASS_JOB_LOCK: '1s',
    HOURGLASS_STEP_TIMEOUT: '20s',
    HOURGLASS_CHECKPOINT_INTERVAL: '100ms',
    HOURGLASS_TRAINING_THREADS: '1',
  });
});
afterEach(async () => {
  await fleet?.stop();
  client?.disconnect();
  await queue?.close();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits for progress beyond what there is. */
async function goesOn(id: string): Promise<JobView> {
  const step = (await queue.get(id)).progress?.step ?? 0;
  return until(async () => {
    const job = await queue.get(id);
    return (job.progress?.step ?? 0) > step && job;
  });
}

it.skipIf(library === undefined)(
  "leaves a job with its worker when the worker's clock jumps",
  async () => {
    const clock = path.join(folder, 'clock');
    writeFileSync(clock, '+0\n');
    const environment = { FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    fleet.start({ ...environment, LD_PRELOAD: library as string });
    const { id } = await queue.submit(waveSpec('clock', 100_000));
    await goesOn(id);
    for (const offset of ['+3600', '-3600', '+0']) {
      writeFileSync(clock, `${offset}\n`);
      await new Promise((resolve) => setTimeout(resolve, 2500)); // more than two lock times
      expect(await goesOn(id), offset).toMatchObject({ state: 'running', attempts: 1 });
    }
  },
  60_000,
);

it("finds a dead worker's job although the clock of redis-server was set back, and keeps its times in order", async () => {
  const first = fleet.start();
  const { id } = await queue.submit(waveSpec('clock', 100_000));
  await goesOn(id);
  await fleet.end(first, 'SIGKILL');
  // What setting it back by an hour leaves: times to come in the records, and all that expires staying an hour longer.
  expect(await client.pexpire(`{test}:training:${id}-1:lock`, hour)).toBe(1);
  await client.set('{test}:heartbeat', Date.now() + hour);
  for (const key of ['quiet', 'redelivered', 'training:stalled-check']) {
    await client.set(`{test}:${key}`, 1, 'PX', hour);
  }
  await client.hset(`{test}:job:${id}`, 'createdAt', Date.now() + hour, 'startedAt', Date.now() + hour);
  fleet.start();
  await until(async () => (await queue.get(id)).attempts === 2);
  await goesOn(id);
  await queue.cancel(id);
  const { createdAt, startedAt = '', finishedAt = '', state } = (await ended(queue, id, 30_000)) as JobView;
  expect(state).toBe('cancelled');
  expect([finishedAt, startedAt, createdAt].toSorted()).toEqual([createdAt, startedAt, finishedAt]);
}, 60_000);
