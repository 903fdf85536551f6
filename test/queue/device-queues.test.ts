// Jobs by the device that they need: who takes them, what an autoscaler sees of them, also without any worker.
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobSpec } from '../../src/jobspec/job.ts';
import { resolveSweep } from '../../src/jobspec/sweep.ts';
import type { Device } from '../../src/jobspec/training.ts';
import { type ConsumerSettings, JobConsumer, type Outcome, type Train } from '../../src/queue/job-consumer.ts';
import type { Lease } from '../../src/queue/lease.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, jobSpec, openQueue, quiet, until } from './fixtures.ts';

let redis: TestRedis;
let client: Redis;

beforeAll(async () => {
  redis = await startRedis();
  client = new Redis(redis.url);
});
afterAll(async () => {
  client?.disconnect();
  await redis?.stop();
});

const specFor = (device: Device): JobSpec => {
  const spec = jobSpec(device);
  return { ...spec, training: { ...spec.training, device } };
};
const success: Outcome = {
  kind: 'succeeded',
  published: { model: 'digits', version: 1 },
  metrics: { 'heldOut.loss': 1 },
};
const stopped = (lease: Lease): Promise<Outcome> =>
  new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve({ kind: 'stopped' })));
const open = (prefix: string, train: Train, changes: Partial<ConsumerSettings> = {}): Promise<JobConsumer> =>
  JobConsumer.open(consumerSettings(redis.url, { prefix, ...changes }), train, quiet);

/** As KEDA's redis scaler reads it: the size of one key. */
const size = (prefix: string, device: Device, what: 'waiting' | 'running'): Promise<number> =>
  client.zcard(`{${prefix}}:queue:${device}:${what}`);

/** waiting/running/workers by queue, from the API's side, and that the keys say the same. */
async function seen(queue: RedisJobQueue, prefix: string): Promise<string> {
  const views = await queue.queues();
  for (const { name, waiting, running } of views) {
    expect([await size(prefix, name, 'waiting'), await size(prefix, name, 'running')]).toEqual([waiting, running]);
  }
  return views.map(({ name, waiting, running, workers }) => `${name} ${waiting}/${running}/${workers}`).join('  ');
}

it('shows what waits in each queue with no worker alive, also to the tools of BullMQ', async () => {
  const prefix = 'alone';
  const queue = await openQueue(redis.url, { prefix });
  expect(await seen(queue, prefix)).toBe('cpu 0/0/0  gpu 0/0/0  any 0/0/0');
  const { id } = await queue.submit(specFor('gpu'));
  await queue.submit(specFor('gpu'));
  await queue.submit(specFor('cpu'));
  expect(await seen(queue, prefix)).toBe('cpu 1/0/0  gpu 2/0/0  any 0/0/0');
  const tool = new Queue('training-gpu', { connection: client, prefix: `{${prefix}}` });
  await until(async () => (await tool.getJobCounts('prioritized')).prioritized === 2);
  await queue.cancel(id);
  expect(await seen(queue, prefix)).toBe('cpu 1/0/0  gpu 1/0/0  any 0/0/0');
  await until(async () => (await tool.getJobCounts('prioritized')).prioritized === 1);
  await tool.close();
  await queue.close();
});

it('tells how long the oldest job has waited, with no worker alive', async () => {
  const prefix = 'waits';
  const queue = await openQueue(redis.url, { prefix });
  const oldest = async (): Promise<number[]> => (await queue.queues()).map(({ oldestWaitMs }) => oldestWaitMs);
  expect(await oldest()).toEqual([0, 0, 0]);
  const first = await queue.submit(specFor('gpu'));
  const second = await queue.submit(specFor('gpu'));
  const key = `{${prefix}}:queue:gpu:waiting`;
  // The first has waited for an hour, the second for a minute.
  const now = Date.now();
  await client.zadd(key, now - 3600_000, first.id, now - 60_000, second.id);
  const [cpu, gpu = 0] = await oldest();
  expect(cpu).toBe(0);
  expect(gpu).toBeGreaterThan(3590_000);
  expect(gpu).toBeLessThan(3700_000);
  await queue.cancel(first.id);
  expect((await oldest())[1]).toBeLessThan(3590_000);
  // A former release counted without times: the record tells when the job was queued.
  await client.zadd(key, 0, second.id);
  await client.hset(`{${prefix}}:job:${second.id}`, 'queuedAt', now - 7200_000);
  expect((await oldest())[1]).toBeGreaterThan(7190_000);
  // What was counted so gets its time when the next process of this release starts.
  await (await openQueue(redis.url, { prefix })).close();
  await until(async () => Number(await client.zscore(key, second.id)) === now - 7200_000);
  // A job that was taken and given back begins to wait anew.
  const consumer = await open(prefix, stopped, { queues: ['gpu'] });
  await until(async () => (await queue.queues())[1]?.running === 1);
  expect(await oldest()).toEqual([0, 0, 0]);
  await consumer.drain();
  expect((await queue.queues())[1]).toMatchObject({ waiting: 1, running: 0 });
  expect((await oldest())[1]).toBeLessThan(3590_000);
  await queue.close();
});

it('gives each worker what it can do, and one worker no more jobs than it has slots over all its queues', async () => {
  const prefix = 'routed';
  const queue = await openQueue(redis.url, { prefix });
  const begun: string[] = [];
  const train =
    (worker: string): Train =>
    async (lease) => {
      begun.push(`${worker} has ${lease.claim.spec.name}`);
      return stopped(lease);
    };
  for (const device of ['cpu', 'any', 'gpu'] as const) await queue.submit(specFor(device));
  const cpu = await open(prefix, train('cpu worker'));
  await until(() => begun.length === 1);
  await until(async () => (await queue.queues())[0]?.workers === 1);
  // One slot: the other of its jobs waits, and the one for a GPU waits for a worker of another kind.
  const rest =
    begun[0] === 'cpu worker has cpu' ? 'cpu 0/1/1  gpu 1/0/0  any 1/0/1' : 'cpu 1/0/1  gpu 1/0/0  any 0/1/1';
  expect(await seen(queue, prefix)).toBe(rest);
  const gpu = await open(prefix, train('gpu worker'), { queues: ['gpu', 'any'], concurrency: 2 });
  await until(async () => (await queue.queues())[1]?.running === 1);
  expect(begun).toContain('gpu worker has gpu');
  expect(begun).not.toContain('cpu worker has gpu');
  expect(begun).not.toContain('gpu worker has cpu');
  // Who leaves takes nothing along: its job waits again, and it is not counted any more.
  await gpu.drain();
  expect((await queue.queues())[1]).toMatchObject({ name: 'gpu', waiting: 1, running: 0, workers: 0 });
  await cpu.drain();
  expect(await seen(queue, prefix)).toBe('cpu 1/0/0  gpu 1/0/0  any 1/0/0');
  await queue.close();
});

it('ends after its number of jobs, however they ended', async () => {
  const prefix = 'one';
  const queue = await openQueue(redis.url, { prefix });
  const ran: string[] = [];
  const gone = await queue.submit(jobSpec('gone'));
  await queue.cancel(gone.id);
  await queue.submit(jobSpec('first'));
  await queue.submit(jobSpec('second'));
  const consumer = await open(
    prefix,
    async (lease) => {
      ran.push(lease.claim.spec.name);
      return success;
    },
    { jobs: 1, concurrency: 4 },
  );
  await consumer.ended;
  expect(ran).toEqual(['first']);
  expect(await queue.counts()).toMatchObject({ queued: 1, running: 0, succeeded: 1 });
  await consumer.drain();
  await queue.close();
});

it('ends when it finds no job for too long, never while it has one', async () => {
  const prefix = 'idle';
  const queue = await openQueue(redis.url, { prefix });
  const { id } = await queue.submit(jobSpec());
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = await open(
    prefix,
    async () => {
      await finished;
      return success;
    },
    { jobs: 5, idleMs: 300 },
  );
  const ended = consumer.ended.then(() => 'ended');
  await until(async () => (await queue.get(id)).state === 'running');
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 900, 'works'))])).toBe('works');
  finish();
  expect(await ended).toBe('ended');
  expect((await queue.get(id)).state).toBe('succeeded');
  await consumer.drain();
  await queue.close();
});

it('shows a sweep as waiting once its trials have ended, so that somebody comes to publish the best', async () => {
  const prefix = 'sweep';
  const queue = await openQueue(redis.url, { prefix });
  const job = { name: 'digits', dataset: 'mnist', model: { type: 'dense' }, training: { device: 'cpu' } };
  const search = { type: 'grid', parameters: { '/model/code': [2, 3] } };
  const dataset = { shape: [28, 28, 1], range: [0, 1] as const, rows: { train: 100 } };
  const { id } = await queue.sweeps.submit(resolveSweep(job, search, { dataset }));
  expect(await seen(queue, prefix)).toBe('cpu 2/0/0  gpu 0/0/0  any 0/0/0');
  for (const waiting of [1, 1, 0]) {
    // One worker for each job, as a KEDA ScaledJob starts them.
    const consumer = await open(prefix, async () => success, { jobs: 1 });
    await consumer.ended;
    await consumer.drain();
    expect(await seen(queue, prefix)).toBe(`cpu ${waiting}/0/0  gpu 0/0/0  any 0/0/0`);
  }
  expect((await queue.sweeps.get(id)).state).toBe('succeeded');
  await queue.close();
}, 90_000);

it('counts records of the former release, and puts right what it leaves behind', async () => {
  const prefix = 'former';
  const first = await openQueue(redis.url, { prefix });
  const { id } = await first.submit(jobSpec());
  await first.close();
  // As release 0.1.0 left it: no queue in the record, no counts, not yet in BullMQ; and a count of a job that has ended.
  await client.hdel(`{${prefix}}:job:${id}`, 'queue');
  await client.del(...(await client.keys(`{${prefix}}:training*`)), `{${prefix}}:queue:any:waiting`);
  await client.zadd(`{${prefix}}:pending`, 0, id);
  await client.zadd(`{${prefix}}:queue:gpu:running`, 0, '0'.repeat(26));
  const queue = await openQueue(redis.url, { prefix });
  await until(async () => (await seen(queue, prefix)) === 'cpu 0/0/0  gpu 0/0/0  any 1/0/0');
  const consumer = await open(prefix, async () => success);
  await until(async () => (await queue.get(id)).state === 'succeeded');
  await consumer.drain();
  await queue.close();
});
