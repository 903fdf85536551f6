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
  // A server that lost its last writes: neither BullMQ nor the list of the tenant knows of the jobs.
  await until(async () => (await client.zcard('{worker}:training:prioritized')) === 1);
  const lost = await client.keys('{worker}:training:*');
  expect(await client.del('{worker}:tenant:acme:backlog:any')).toBe(1);
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

describe('turns', () => {
  /** The tenants in the order in which one worker began their jobs, after `submit`; as long as it wants more. */
  async function orderOf(
    prefix: string,
    jobs: number,
    submit: (queue: RedisJobQueue) => Promise<void>,
    changes: Parameters<typeof openQueue>[1] = {},
  ): Promise<string[]> {
    const queue = await openQueue(redis.url, { prefix, ...changes });
    await submit(queue);
    const begun: string[] = [];
    const train = async ({ claim }: Lease) => {
      begun.push(`${claim.tenant} ${claim.spec.name}`);
      return { kind: 'succeeded', metrics: { 'heldOut.loss': 1 } } as const;
    };
    const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), train, quiet);
    await until(() => begun.length >= jobs);
    await consumer.drain();
    await queue.close();
    return begun;
  }
  const many = async (of: JobQueue, count: number, name: string): Promise<void> => {
    for (let i = 0; i < count; i++) await of.submit(jobSpec(name));
  };

  it('are taken by all tenants, however many jobs one of them has', async () => {
    const begun = await orderOf('fair', 120, async (queue) => {
      await many(queue.forTenant('flood'), 100, 'many');
      await many(queue.forTenant('acme'), 10, 'few');
      await many(queue, 10, 'own');
    });
    // Three tenants: the tenth job of each begins as the thirtieth of all at the latest.
    expect(begun.lastIndexOf('acme few')).toBeLessThan(30);
    expect(begun.lastIndexOf('default own')).toBeLessThan(30);
    expect(begun.filter((name) => name === 'flood many')).toHaveLength(100);
  });

  it('are not gained by coming back again and again', async () => {
    const prefix = 'back';
    const queue = await openQueue(redis.url, { prefix });
    const acme = queue.forTenant('acme');
    await many(queue.forTenant('flood'), 30, 'many');
    await acme.submit(jobSpec('one'));
    const begun: string[] = [];
    const train = async ({ claim }: Lease) => {
      begun.push(claim.tenant);
      if (claim.tenant === 'acme') await acme.submit(jobSpec('one'));
      return { kind: 'succeeded', metrics: {} } as const;
    };
    const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), train, quiet);
    await until(() => begun.length >= 40);
    await consumer.drain();
    await queue.close();
    const floods = begun.slice(0, 40).filter((tenant) => tenant === 'flood').length;
    expect(floods).toBeGreaterThanOrEqual(19);
    expect(floods).toBeLessThanOrEqual(21);
  });

  it('of a tenant go to its most urgent job, and a cancelled one has none', async () => {
    const begun = await orderOf('urgent', 3, async (queue) => {
      const acme = queue.forTenant('acme');
      await acme.submit(jobSpec('usual'));
      const { id } = await acme.submit(jobSpec('gone'), { priority: 9 });
      await acme.submit(jobSpec('urgent'), { priority: 5 });
      await acme.cancel(id);
      await queue.submit(jobSpec('own'));
    });
    expect(begun.filter((name) => name.startsWith('acme'))).toEqual(['acme urgent', 'acme usual']);
  });

  it('are taken by the trials of a sweep one by one, and then by the sweep', async () => {
    const prefix = 'trials';
    const queue = await openQueue(redis.url, { prefix });
    const acme = queue.forTenant('acme');
    const { id } = await acme.sweeps.submit(sweepOf());
    await many(queue, 2, 'own');
    const train = async ({ claim }: Lease) =>
      claim.isTrial
        ? ({ kind: 'succeeded', metrics: { 'heldOut.loss': 1 } } as const)
        : ({ kind: 'succeeded', published: { model: 'digits', version: 1 }, metrics: {} } as const);
    const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), train, quiet);
    await until(async () => (await acme.sweeps.get(id)).state === 'succeeded');
    await consumer.drain();
    await queue.close();
  });

  it('are not taken beyond the jobs that a tenant may run, nor queued beyond those that may wait', async () => {
    const prefix = 'limits';
    const queue = await openQueue(redis.url, { prefix, tenantJobs: { waiting: 4, running: 1 } });
    const acme = queue.forTenant('acme');
    await many(acme, 4, 'theirs');
    expect(await codeOf(acme.submit(jobSpec()))).toBe('quota-exceeded');
    expect(await codeOf(acme.sweeps.submit(sweepOf()))).toBe('quota-exceeded');
    await many(queue, 6, 'own');
    let running = 0;
    let most = 0;
    const train = async ({ claim }: Lease) => {
      if (claim.tenant === 'default') return { kind: 'succeeded', metrics: {} } as const;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running--;
      return { kind: 'succeeded', metrics: {} } as const;
    };
    const settings = consumerSettings(redis.url, { prefix, concurrency: 3 });
    const consumer = await JobConsumer.open(settings, train, quiet);
    await until(async () => (await queue.countsOfAll()).succeeded === 10);
    expect(most).toBe(1);
    await consumer.drain();
    await queue.close();
  });
});
