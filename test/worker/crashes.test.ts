// Training processes that die in every way, beside healthy ones: told apart, tried again, given up, and nobody else suffers.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waveSpec } from '../../bench/faults/jobs.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, openQueue, quiet, until } from '../queue/fixtures.ts';
import { type DataFolder, dataFolder, workerSettings } from './fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let folder: DataFolder;
let worker: TrainingWorker;

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  folder = await dataFolder();
  const settings = workerSettings(redis.url, folder, {
    queue: consumerSettings(redis.url, { concurrency: 4 }),
    program: new URL('./crashing-child.mjs', import.meta.url),
    environment: { PATH: '/usr/bin:/bin', NODE_OPTIONS: '--max-old-space-size=32' },
    stepTimeoutMs: 5000,
    memoryBytes: 400 * 2 ** 20,
  });
  worker = await TrainingWorker.start(settings, quiet, new Metrics('worker'));
});
afterAll(async () => {
  await worker?.drain();
  await queue?.close();
  await redis?.stop();
  folder?.remove();
});

const ended = (id: string) =>
  until(async () => {
    const job = await queue.get(id);
    return job.finishedAt !== undefined && job;
  });

it('tells the ways to die apart, gives up after three, and lets healthy jobs pass', async () => {
  const expected = {
    abort: { reason: 'crashed', signal: 'SIGABRT' },
    segfault: { reason: 'crashed', signal: 'SIGSEGV' },
    exit: { reason: 'crashed', message: 'The training process was ended with exit code 7.' },
    exception: { reason: 'crashed', log: expect.arrayContaining([expect.stringContaining('a bug in')]) },
    heap: { reason: 'out-of-memory' },
    resident: { reason: 'out-of-memory', signal: 'SIGKILL' },
    hang: { reason: 'stalled', signal: 'SIGKILL' },
  };
  const jobs = await Promise.all(
    Object.entries(expected).map(async ([how, failure]) => ({
      how,
      failure,
      id: (await queue.submit(waveSpec(`dies.${how}`))).id,
    })),
  );
  const healthy = await queue.submit(waveSpec('lives.long'));
  expect(await ended(healthy.id)).toMatchObject({ state: 'succeeded', attempts: 1 });
  for (const { id, how, failure } of jobs) {
    const job = await ended(id);
    expect(job, how).toMatchObject({ state: 'failed', attempts: 3, failure });
    expect(job.failure?.log?.join('\n'), how).toContain('attempt 3 begins');
    // a client may read it
    expect(JSON.stringify(job.failure), how).not.toMatch(/\/some\/where|\.mjs|node:internal|\s+at /);
  }
});

it('tries a job again whose disk was full, and counts that against nobody', async () => {
  const { id } = await queue.submit(waveSpec('disk.full'));
  const waiting = await until(async () => {
    const job = await queue.get(id);
    return job.waitingFor !== undefined && job;
  });
  expect(waiting).toMatchObject({ state: 'queued', waitingFor: 'storage-full' });
  const job = await ended(id);
  expect(job).toMatchObject({ state: 'succeeded', attempts: 3 });
  expect(job.waitingFor).toBeUndefined();
});
