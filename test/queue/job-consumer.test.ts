// Workers' side of the queue, with real BullMQ workers on a real server: who gets a job, how it ends, and who may write.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/jobspec/job.ts';
import { JobConsumer, type Outcome, type Train } from '../../src/queue/job-consumer.ts';
import type { Lease } from '../../src/queue/lease.ts';
import { connectRedis, untilReady } from '../../src/queue/redis.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, jobSpec, openQueue, quiet, until } from './fixtures.ts';

let redis: TestRedis;
let prefixes = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

/** A queue of its own with one consumer; both are closed at the end. */
async function withConsumer(
  train: Train,
  test: (queue: RedisJobQueue, consumer: JobConsumer, prefix: string) => Promise<void>,
  concurrency = 1,
): Promise<void> {
  const prefix = `consumer-${++prefixes}`;
  const queue = await openQueue(redis.url, { prefix });
  const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix, concurrency }), train, quiet);
  try {
    await test(queue, consumer, prefix);
  } finally {
    await consumer.drain();
    await queue.close();
  }
}

const ended = (queue: RedisJobQueue, id: string): Promise<JobView> =>
  until(async () => {
    const job = await queue.get(id);
    return job.finishedAt !== undefined && job;
  });

const success: Outcome = {
  kind: 'succeeded',
  published: { model: 'digits', version: 1 },
  metrics: { 'test.mse': 0.5 },
};
const failure = { reason: 'crashed', message: 'It died.', signal: 'SIGSEGV', log: ['last words'] };
const stopped = (lease: Lease): Promise<Outcome> =>
  new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve({ kind: 'stopped' })));

it('runs a job, shows its progress and epochs to a watcher in order, and keeps its result', async () => {
  await withConsumer(
    async (lease) => {
      const progress = { phase: 'train', epoch: 1, epochs: 1, step: 3, steps: 6, percent: 50, loss: 0.25 };
      lease.progress(progress);
      lease.epoch({ phase: 'train', epoch: 1, metrics: { loss: 0.2 } });
      lease.epoch({ phase: 'train', epoch: 2, metrics: { loss: 0.1 } });
      return success;
    },
    async (queue) => {
      const { id } = await queue.submit(jobSpec());
      const seen: unknown[] = [];
      for await (const event of queue.events(id)) {
        seen.push(event.type === 'state' ? event.data.state : event.type === 'epoch' ? event.data.epoch : event.type);
      }
      expect(seen).toEqual(['queued', 'running', 'progress', 1, 2, 'succeeded', 'end']);
      expect(await queue.get(id)).toMatchObject({
        state: 'succeeded',
        attempts: 1,
        model: 'digits',
        version: 1,
        metrics: { 'test.mse': 0.5 },
        progress: { percent: 50 },
      });
    },
  );
});

it('starts jobs of higher priority first, equal ones in order', async () => {
  const order: string[] = [];
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  await withConsumer(
    async (lease) => {
      order.push(lease.claim.spec.name);
      await gate;
      return success;
    },
    async (queue) => {
      await queue.submit(jobSpec('first'));
      await until(() => order.length === 1);
      const low = await queue.submit(jobSpec('low'), { priority: -5 });
      await queue.submit(jobSpec('normal-1'));
      await queue.submit(jobSpec('normal-2'));
      await queue.submit(jobSpec('high'), { priority: 5 });
      await new Promise((resolve) => setTimeout(resolve, 100)); // handed over
      release();
      await ended(queue, low.id);
      expect(order).toEqual(['first', 'high', 'normal-1', 'normal-2', 'low']);
    },
  );
});

it('stops a running job when it is cancelled, and drops one that was cancelled before it began', async () => {
  const ran: string[] = [];
  await withConsumer(
    (lease) => {
      ran.push(lease.claim.id);
      return stopped(lease);
    },
    async (queue) => {
      const running = await queue.submit(jobSpec());
      await until(() => ran.length === 1);
      const waiting = await queue.submit(jobSpec());
      await queue.cancel(waiting.id);
      expect((await queue.cancel(running.id)).state).toBe('cancelling');
      expect(await ended(queue, running.id)).toMatchObject({ state: 'cancelled', attempts: 1 });
      const next = await queue.submit(jobSpec());
      await until(() => ran.length === 2);
      expect(ran).toEqual([running.id, next.id]);
      await queue.cancel(next.id);
      await ended(queue, next.id);
    },
  );
});

it('fails a job after three crashes without a checkpoint, and never while checkpoints are written in between', async () => {
  let attempts = 0;
  await withConsumer(
    async (lease) => {
      attempts++;
      if (lease.claim.spec.name === 'poison') return { kind: 'crashed', failure };
      if (attempts > 4) return success;
      lease.checkpointed(String(attempts));
      return { kind: 'crashed', failure };
    },
    async (queue) => {
      const stubborn = await queue.submit(jobSpec('stubborn'));
      expect(await ended(queue, stubborn.id)).toMatchObject({ state: 'succeeded', attempts: 5 });
      const poison = await queue.submit(jobSpec('poison'));
      expect(await ended(queue, poison.id)).toMatchObject({ state: 'failed', attempts: 3, failure });
      // started over, it has all its tries again
      await queue.restart(poison.id, 'checkpoint');
      expect(await ended(queue, poison.id)).toMatchObject({ state: 'failed', attempts: 6 });
      const outcomes = { succeeded: 1, failed: 2, cancelled: 0 };
      expect(await queue.endings()).toEqual({ outcomes, failures: { [failure.reason]: 2 } });
    },
  );
}, 40_000);

it('fails a job whose deadline passes, in the queue or while it runs', async () => {
  await withConsumer(
    (lease) => stopped(lease),
    async (queue) => {
      const first = await queue.submit(jobSpec(), { deadlineSeconds: 5 });
      await until(async () => (await queue.get(first.id)).state === 'running');
      const second = await queue.submit(jobSpec(), { deadlineSeconds: 0.2 });
      for (const { id } of [first, second]) {
        expect(await ended(queue, id)).toMatchObject({ state: 'failed', failure: { reason: 'deadline-exceeded' } });
      }
      expect((await queue.get(first.id)).attempts).toBe(1);
      expect((await queue.get(second.id)).attempts).toBe(0);
    },
  );
});

it('hands its job to another worker at once when it drains', async () => {
  const took: number[] = [];
  await withConsumer(
    (lease) => {
      took.push(lease.claim.attempt);
      return stopped(lease);
    },
    async (queue, first, prefix) => {
      const { id } = await queue.submit(jobSpec());
      await until(() => took.length === 1);
      const second = await JobConsumer.open(
        consumerSettings(redis.url, { prefix, lockMs: 600_000 }), // nothing is found by an expired lock
        async (lease) => {
          took.push(lease.claim.attempt);
          return success;
        },
        quiet,
      );
      await first.drain();
      expect(await ended(queue, id)).toMatchObject({ state: 'succeeded', attempts: 2 });
      expect(took).toEqual([1, 2]);
      await second.drain();
    },
  );
});

it('lets nobody write who has lost the job', async () => {
  const leases: Lease[] = [];
  await withConsumer(
    (lease) => {
      leases.push(lease);
      return stopped(lease);
    },
    async (queue, _consumer, prefix) => {
      const { id } = await queue.submit(jobSpec());
      const first = await until(() => leases[0]);
      // as if another worker had claimed it
      const client = new Redis(redis.url);
      await client.hincrby(`{${prefix}}:job:${id}`, 'attempts', 1);
      await until(() => first.lost.aborted);
      first.progress({ phase: 'stale', epoch: 0, epochs: 0, step: 0, steps: 0, percent: 0 });
      await first.flush();
      expect((await queue.get(id)).progress).toBeUndefined();
      expect(await client.hget(`{${prefix}}:job:${id}`, 'state')).toBe('running');
      client.disconnect();
    },
  );
});

it('delivers again what BullMQ has lost', async () => {
  const prefix = `consumer-${++prefixes}`;
  const queue = await openQueue(redis.url, { prefix });
  const { id } = await queue.submit(jobSpec());
  const client = new Redis(redis.url);
  // The gateway has handed it over; then it is lost on both ways.
  await until(async () => (await client.zscore(`{${prefix}}:training:prioritized`, `${id}-1`)) !== null);
  await client.del(`{${prefix}}:pending`, `{${prefix}}:training:prioritized`, `{${prefix}}:training:${id}-1`);
  const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), async () => success, quiet);
  expect((await ended(queue, id)).state).toBe('succeeded');
  await consumer.drain();
  await queue.close();
  client.disconnect();
});

it('delivers again what waits for a time that a wrong clock has set', async () => {
  const prefix = `consumer-${++prefixes}`;
  const queue = await openQueue(redis.url, { prefix });
  const settings = consumerSettings(redis.url, { prefix });
  const { id } = await queue.submit(jobSpec());
  const client = connectRedis(settings, 'commands', quiet);
  await untilReady(client, 5000);
  // as BullMQ notes it: milliseconds times 4096
  const [delivered, inAnHour] = [`${id}-1`, (Date.now() + 3600_000) * 4096];
  await until(async () => (await client.zrem(`{${prefix}}:training:prioritized`, delivered)) === 1);
  await client.zadd(`{${prefix}}:training:delayed`, inAnHour, delivered);
  client.disconnect();
  const consumer = await JobConsumer.open(settings, async () => success, quiet);
  expect((await ended(queue, id)).state).toBe('succeeded');
  await consumer.drain();
  await queue.close();
});
