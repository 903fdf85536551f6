// Sweeps on real BullMQ flows: trials first, then the best one in the sweep's name; cancelling, failing, killed in between.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveSweep, type SweepView } from '../../src/jobspec/sweep.ts';
import { JobConsumer, type Outcome, type Train } from '../../src/queue/job-consumer.ts';
import type { Claim, Lease } from '../../src/queue/lease.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, openQueue, quiet, until } from './fixtures.ts';

let redis: TestRedis;
let prefixes = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const codes = [8, 2, 16, 4];
const sweep = resolveSweep(
  { name: 'digits', dataset: 'mnist', model: { type: 'dense' } },
  { type: 'grid', parameters: { '/model/code': codes } },
);
const codeOf = ({ spec }: Claim): number => (spec.model as { code: number }).code;

async function withConsumer(
  train: Train,
  test: (queue: RedisJobQueue, prefix: string) => Promise<void>,
): Promise<void> {
  const prefix = `sweeps-${++prefixes}`;
  const queue = await openQueue(redis.url, { prefix });
  const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix, concurrency: 2 }), train, quiet);
  try {
    await test(queue, prefix);
  } finally {
    await consumer.drain();
    await queue.close();
  }
}

const ended = (queue: RedisJobQueue, id: string): Promise<SweepView> =>
  until(async () => {
    const view = await queue.sweeps.get(id);
    return view.finishedAt !== undefined && view;
  });

const stopped = (lease: Lease): Promise<Outcome> =>
  new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve({ kind: 'stopped' })));

/** Smaller codes do better; the sweep itself is published. */
const byCode: Train = async ({ claim }) => {
  const metrics = { 'heldOut.loss': codeOf(claim) / 100 };
  return claim.isTrial
    ? { kind: 'succeeded', metrics }
    : { kind: 'succeeded', published: { model: claim.spec.name, version: 1 }, metrics };
};

it('runs all trials, then publishes the best one once, and keeps the table', async () => {
  const claims: Claim[] = [];
  await withConsumer(
    (lease) => {
      claims.push(lease.claim);
      return byCode(lease);
    },
    async (queue) => {
      const { id, trials } = await queue.sweeps.submit(sweep, { idempotencyKey: 'sweep' });
      expect(trials.map(({ parameters }) => parameters)).toEqual(codes.map((code) => ({ '/model/code': code })));
      const view = await ended(queue, id);
      expect(view).toMatchObject({
        state: 'succeeded',
        name: 'digits',
        model: 'digits',
        version: 1,
        best: trials[1]?.id,
      });
      expect(view.trials.map(({ heldOutLoss }) => heldOutLoss)).toEqual([0.08, 0.02, 0.16, 0.04]);
      const last = claims.at(-1);
      expect(claims).toHaveLength(codes.length + 1);
      expect(last).toMatchObject({ id, isTrial: false, best: { id: trials[1]?.id, run: 1 } });
      expect(last && codeOf(last)).toBe(2);
      // trials are jobs like others, and publish nothing
      expect((await queue.list()).jobs.map((job) => job.id).toSorted()).toEqual(
        trials.map((trial) => trial.id).toSorted(),
      );
      expect((await queue.get(trials[0]?.id as string)).version).toBeUndefined();
      expect((await queue.counts()).succeeded).toBe(codes.length);
      expect((await queue.sweeps.submit(sweep, { idempotencyKey: 'sweep' })).id).toBe(id);
      expect((await queue.sweeps.list()).map((one) => one.id)).toEqual([id]);
      await expect(queue.sweeps.get(trials[0]?.id as string)).rejects.toMatchObject({ code: 'job-not-found' });
    },
  );
});

it('goes on when some trials fail, and fails when all do', async () => {
  const fails: Outcome = { kind: 'failed', failure: { reason: 'diverged', message: 'The loss is not finite.' } };
  await withConsumer(
    async (lease) => (codeOf(lease.claim) === 2 || lease.claim.spec.name === 'hopeless' ? fails : byCode(lease)),
    async (queue) => {
      const some = await queue.sweeps.submit(sweep);
      expect(await ended(queue, some.id)).toMatchObject({ state: 'succeeded', best: some.trials[3]?.id });
      const trials = sweep.trials.map((trial) => ({ ...trial, spec: { ...trial.spec, name: 'hopeless' } }));
      const none = await queue.sweeps.submit({ ...sweep, trials });
      expect(await ended(queue, none.id)).toMatchObject({ state: 'failed', failure: { reason: 'no-trial-succeeded' } });
    },
  );
});

it('cancels its trials, those that run and those that wait', async () => {
  const running: string[] = [];
  await withConsumer(
    (lease) => {
      running.push(lease.claim.id);
      return stopped(lease);
    },
    async (queue) => {
      const { id } = await queue.sweeps.submit(sweep);
      await until(() => running.length === 2);
      expect((await queue.sweeps.get(id)).state).toBe('running');
      expect((await queue.sweeps.cancel(id)).state).toBe('cancelled');
      await until(async () => (await queue.counts()).cancelled === codes.length);
      expect((await queue.sweeps.cancel(id)).state).toBe('cancelled');
      expect(running).toHaveLength(2);
    },
  );
});

it('ends although BullMQ has lost the flow', async () => {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let begun = 0;
  const train: Train = async (lease) => {
    begun++;
    await gate;
    return byCode(lease);
  };
  await withConsumer(train, async (queue, prefix) => {
    const client = new Redis(redis.url);
    const { id } = await queue.sweeps.submit(sweep);
    await until(() => begun > 0);
    const flow = `{${prefix}}:training:${id}-1`;
    expect(await client.del(flow, `${flow}:dependencies`)).toBe(2);
    expect(await client.zrem(`{${prefix}}:training:waiting-children`, `${id}-1`)).toBe(1);
    client.disconnect();
    open();
    expect(await ended(queue, id)).toMatchObject({ state: 'succeeded' });
  });
});
