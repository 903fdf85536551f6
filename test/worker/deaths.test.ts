// The process that really trains, ended in the ways of the world: by a native abort or fault, by hanging, by the memory limit.
// Each has its own reason, and none harms the next job. What it printed last is crashes.test.ts's.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { descendants, Fleet } from '../../bench/faults/fleet.ts';
import { addWaves, ended, waveSpec } from '../../bench/faults/jobs.ts';
import { poison } from '../../bench/faults/poison.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, until } from '../queue/fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let dataFolder: string;
let fleet: Fleet;

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  dataFolder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-deaths-'));
  await addWaves(dataFolder);
  fleet = new Fleet('worker', {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'test',
    HOURGLASS_DATA_DIR: dataFolder,
    HOURGLASS_MAX_CRASHES: '1',
    HOURGLASS_STEP_TIMEOUT: '5s',
    HOURGLASS_TRAINING_MEMORY: '512MiB',
    HOURGLASS_TRAINING_THREADS: '1',
  });
  fleet.start();
});
afterAll(async () => {
  await fleet?.stop();
  await queue?.close();
  await redis?.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

/** Does something to the process of a job as soon as there is one: before its first checkpoint. */
async function befall(name: string, signal: NodeJS.Signals) {
  const { id } = await queue.submit(waveSpec(name, 100_000));
  const [child] = await until(async () => {
    const children = await descendants(fleet.members[0]?.pid as number);
    return children.length > 0 && children;
  });
  process.kill(child as number, signal);
  return ended(queue, id, 40_000);
}

it.each([
  ['SIGABRT', 'crashed', 'SIGABRT', /ended by SIGABRT/],
  ['SIGSEGV', 'crashed', 'SIGSEGV', /ended by SIGSEGV/],
  ['SIGSTOP', 'stalled', 'SIGKILL', /no progress for 5 s/],
] as const)('%s: %s', async (signal, reason, how, message) => {
  const job = await befall(`death-${signal.toLowerCase()}`, signal);
  expect(job).toMatchObject({ state: 'failed', attempts: 1, failure: { reason, signal: how } });
  expect(job?.failure?.message).toMatch(message);
});

it.runIf(process.platform === 'linux')('the kernel ends the process that trains before its worker', async () => {
  const { id } = await queue.submit(waveSpec('death-order', 100_000));
  const worker = fleet.members[0]?.pid as number;
  const score = async (pid: number) => Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'));
  const higher = await until(async () => {
    const [child] = await descendants(worker);
    return child !== undefined && (await score(child)) > (await score(worker));
  });
  expect(higher).toBe(true);
  await queue.cancel(id);
  expect(await ended(queue, id, 40_000)).toMatchObject({ state: 'cancelled' });
});

it('too much memory: out-of-memory', async () => {
  await fleet.stop();
  fleet.start({ HOURGLASS_STEP_TIMEOUT: '5m' }); // so much is slow to come by
  const { id } = await queue.submit(poison('death-memory'));
  const job = await ended(queue, id, 50_000);
  expect(job).toMatchObject({ state: 'failed', failure: { reason: 'out-of-memory', signal: 'SIGKILL' } });
  expect(job?.failure?.message).toMatch(/smaller batch or model/);
});

it('none of them harms the next job', async () => {
  const { id } = await queue.submit(waveSpec('alive', 2));
  expect(await ended(queue, id, 50_000)).toMatchObject({ state: 'succeeded', attempts: 1 });
});
