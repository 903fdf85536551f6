// Jobs of several tenants on one Redis: each sees its own, in the keys that it has had since before there were tenants.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveSweep } from '../../src/jobspec/sweep.ts';
import { JobConsumer } from '../../src/queue/job-consumer.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
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

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    ({ code }: { code: string }) => code,
  );
const dataset = { shape: [28, 28, 1], range: [0, 1] as const, rows: { train: 100 } };
const sweepOf = () =>
  resolveSweep(
    { name: 'digits', dataset: 'mnist', model: { type: 'dense' } },
    { type: 'grid', parameters: { '/training/seed': [1, 2] } },
    { dataset },
  );

describe('two tenants', () => {
  let queue: RedisJobQueue;
  let acme: JobQueue;

  beforeAll(async () => {
    queue = await openQueue(redis.url, { prefix: 'two', keepJobs: 2 });
    acme = queue.forTenant('acme');
  });
  afterAll(() => queue.close());

  it('see, change and count their own jobs and sweeps', async () => {
    const { id } = await acme.submit(jobSpec());
    const { id: own } = await queue.submit(jobSpec());
    const sweep = await acme.sweeps.submit(sweepOf());
    const trial = sweep.trials[0]?.id ?? '';
    for (const stranger of [id, sweep.id, trial]) {
      const calls: (() => Promise<unknown>)[] = [
        () => queue.get(stranger),
        () => queue.cancel(stranger),
        () => queue.restart(stranger, 'start'),
        () => queue.remove(stranger),
        () => queue.samples(stranger),
        () => queue.sweeps.get(stranger),
        () => queue.sweeps.cancel(stranger),
        () => queue.events(stranger)[Symbol.asyncIterator]().next(),
      ];
      for (const call of calls) expect(await codeOf(call())).toBe('job-not-found');
    }
    expect((await queue.list()).jobs.map((job) => job.id)).toEqual([own]);
    expect((await acme.list({ state: 'queued' })).jobs).toHaveLength(3);
    expect(await queue.sweeps.list()).toEqual([]);
    expect((await acme.sweeps.list()).map((known) => known.id)).toEqual([sweep.id]);
    expect(await Promise.all([queue.counts(), acme.counts(), queue.countsOfAll()])).toMatchObject([
      { queued: 1 },
      { queued: 3 },
      { queued: 4 },
    ]);
    // An autoscaler and the operator look at all of them, others at their own.
    const waiting = async (of: JobQueue) => (await of.queues()).find(({ name }) => name === 'any')?.waiting;
    expect(await Promise.all([waiting(queue), waiting(acme)])).toEqual([4, 3]);
    await acme.sweeps.cancel(sweep.id);
    await acme.cancel(id);
    await queue.cancel(own);
    expect(await Promise.all([waiting(queue), waiting(acme)])).toEqual([0, 0]);
  });

  it('have the same idempotency keys and names of data sets for different things', async () => {
    const first = await queue.submit(jobSpec(), { idempotencyKey: 'once' });
    const second = await acme.submit(jobSpec('another'), { idempotencyKey: 'once' });
    expect(second.id).not.toBe(first.id);
    expect((await acme.submit(jobSpec('another'), { idempotencyKey: 'once' })).id).toBe(second.id);
    await acme.cancel(second.id);
    await acme.retireDataset('mnist', 'hash');
    expect(await codeOf(acme.submit(jobSpec(), { datasetIdentity: 'hash' }))).toBe('dataset-not-found');
    expect(await codeOf(queue.submit(jobSpec(), { datasetIdentity: 'hash' }))).toBe('ok');
    await acme.keepDataset('mnist');
    expect(await codeOf(acme.submit(jobSpec(), { datasetIdentity: 'hash' }))).toBe('ok');
    for (const of of [queue, acme]) {
      for (const { id } of (await of.list({ state: 'queued' })).jobs) await of.cancel(id);
    }
  });

  it('do not push each other out of the history', async () => {
    const kept = (await queue.list()).jobs.map(({ id }) => id);
    expect(kept.length).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) await acme.cancel((await acme.submit(jobSpec())).id);
    expect((await acme.list()).jobs).toHaveLength(2);
    expect((await queue.list()).jobs.map(({ id }) => id)).toEqual(kept);
  });

  it('leave the keys of the tenant default what they were', async () => {
    const keys = await client.keys('{two}:*');
    expect(keys.filter((key) => key.startsWith('{two}:tenant:')).length).toBeGreaterThan(0);
    expect(await client.zcard('{two}:jobs')).toBe((await queue.list()).jobs.length);
    const own = (await queue.list()).jobs[0]?.id;
    expect(await client.hget(`{two}:job:${own}`, 'tenant')).toBeNull();
  });
});

it('tells a worker whose job it is, finds the lost jobs of all, and shows others nothing of its machine', async () => {
  const queue = await openQueue(redis.url, { prefix: 'worker' });
  const acme = queue.forTenant('acme');
  const { id: own } = await queue.submit(jobSpec());
  const { id } = await acme.submit(jobSpec());
  // A server that lost its last writes: BullMQ knows nothing of the jobs.
  await until(async () => (await client.zcard('{worker}:training:prioritized')) === 2);
  const lost = await client.keys('{worker}:training:*');
  await client.del('{worker}:pending', ...lost);
  const leases: Lease[] = [];
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const settings = consumerSettings(redis.url, { prefix: 'worker', concurrency: 2, lockMs: 1000 });
  const consumer = await JobConsumer.open(
    settings,
    async (lease) => {
      leases.push(lease);
      await finished;
      return { kind: 'succeeded', metrics: {} };
    },
    quiet,
  );
  await until(() => leases.length === 2);
  expect(new Map(leases.map(({ claim }) => [claim.id, claim.tenant]))).toEqual(
    new Map([
      [own, 'default'],
      [id, 'acme'],
    ]),
  );
  const mine = await until(async () => (await acme.workers()).find(({ jobs }) => jobs.length > 0));
  expect(mine).toMatchObject({ jobs: [id], host: '', pid: 0 });
  const all = await until(async () => (await queue.workers()).find(({ jobs }) => jobs.length === 2));
  expect(all.pid).toBe(process.pid);
  finish();
  await until(async () => (await acme.get(id)).state === 'succeeded');
  await consumer.drain();
  await queue.close();
});
