// A resolved job specification, a queue and consumers on a private server, for the tests of the queue.
import { pino } from 'pino';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { ConsumerSettings } from '../../src/queue/job-consumer.ts';
import type { QueueSettings } from '../../src/queue/redis.ts';
import { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';

export const quiet = pino({ level: 'silent' });

export const jobSpec = (name = 'digits'): JobSpec =>
  resolveJobSpec({ name, dataset: 'mnist', model: { type: 'dense' } }).spec;

export const queueSettings = (url: string, changes: Partial<QueueSettings> = {}): QueueSettings => ({
  url,
  prefix: 'test',
  timeoutMs: 3000, // a busy machine is not an outage
  keepJobs: 1000,
  keepEvents: 100_000,
  maxWaiting: 10_000,
  maxWaitingPerClient: 10_000,
  ...changes,
});

export const consumerSettings = (url: string, changes: Partial<ConsumerSettings> = {}): ConsumerSettings => ({
  url,
  prefix: 'test',
  timeoutMs: 3000,
  lockMs: 2000,
  concurrency: 1,
  maxCrashes: 3,
  queues: ['cpu', 'any'],
  jobs: null,
  idleMs: null,
  engine: 'onnx/cpu',
  release: '0.0.0-test',
  ...changes,
});

export const openQueue = (url: string, changes: Partial<QueueSettings> = {}): Promise<RedisJobQueue> =>
  RedisJobQueue.open(queueSettings(url, changes), quiet);

/** Waits until `check` gives something; the test's own limit bounds it. */
export async function until<T>(check: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  for (;;) {
    const found = await check();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
