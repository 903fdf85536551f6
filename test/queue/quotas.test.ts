// How much may wait: in all and of one client, jobs and sweeps alike; a known idempotency key is answered all the same.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Caller, defaultCaller } from '../../src/base/caller.ts';
import type { HourglassError } from '../../src/base/errors.ts';
import { resolveSweep } from '../../src/jobspec/sweep.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { jobSpec, openQueue } from './fixtures.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const from = (address: string): { caller: Caller } => ({ caller: { ...defaultCaller, address } });
const refusal = (call: Promise<unknown>): Promise<Pick<HourglassError, 'code' | 'message' | 'facts'>> =>
  call.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: HourglassError) => error,
  );

const dataset = { shape: [28, 28, 1], range: [0, 1] as const, rows: { train: 100 } };
const sweepOf = (trials: number) =>
  resolveSweep(
    { name: 'digits', dataset: 'mnist', model: { type: 'dense' } },
    { type: 'grid', parameters: { '/training/seed': Array.from({ length: trials }, (_, i) => i) } },
    { dataset },
  );

it('refuses a job too many of one client, names the setting, and takes those of others', async () => {
  const queue = await openQueue(redis.url, { prefix: 'client', maxWaitingPerClient: 3 });
  const first = await queue.submit(jobSpec(), { ...from('192.0.2.1'), idempotencyKey: 'first' });
  await queue.submit(jobSpec(), from('192.0.2.1'));
  await queue.submit(jobSpec(), from('192.0.2.1'));
  const error = await refusal(queue.submit(jobSpec(), from('192.0.2.1')));
  expect(error).toMatchObject({ code: 'quota-exceeded', facts: { found: 3, expected: 3, retryAfter: 30 } });
  expect(error.message).toContain('HOURGLASS_MAX_QUEUED_JOBS_PER_CLIENT');
  await queue.submit(jobSpec(), from('192.0.2.2'));
  expect((await queue.submit(jobSpec(), { ...from('192.0.2.1'), idempotencyKey: 'first' })).id).toBe(first.id);
  // A refused submission does not use up its key.
  await refusal(queue.submit(jobSpec(), { ...from('192.0.2.1'), idempotencyKey: 'later' }));
  await queue.cancel(first.id);
  expect((await queue.submit(jobSpec(), { ...from('192.0.2.1'), idempotencyKey: 'later' })).state).toBe('queued');
  await queue.close();
});

it('refuses a job too many in all, and a sweep whose trials do not all fit', async () => {
  const queue = await openQueue(redis.url, { prefix: 'all', maxWaiting: 4 });
  await queue.submit(jobSpec(), from('192.0.2.1'));
  const error = await refusal(queue.sweeps.submit(sweepOf(4), from('192.0.2.2')));
  expect(error).toMatchObject({ code: 'quota-exceeded', facts: { found: 1, expected: 4 } });
  expect(error.message).toContain('HOURGLASS_MAX_QUEUED_JOBS allows 4');
  expect(await queue.counts()).toMatchObject({ queued: 1 });
  await queue.sweeps.submit(sweepOf(3), from('192.0.2.2'));
  expect((await refusal(queue.submit(jobSpec()))).code).toBe('quota-exceeded');
  await queue.close();
});

it('leaves nothing behind of a client whose jobs have ended', async () => {
  const queue = await openQueue(redis.url, { prefix: 'ended' });
  const { id } = await queue.sweeps.submit(sweepOf(3), from('192.0.2.1'));
  const client = new Redis(redis.url);
  expect(await client.keys('{ended}:client:*')).toHaveLength(1);
  await queue.sweeps.cancel(id);
  expect(await client.keys('{ended}:client:*')).toEqual([]);
  client.disconnect();
  await queue.close();
});

it('refuses a search that is too long to keep', async () => {
  const queue = await openQueue(redis.url, { prefix: 'search' });
  const sweep = sweepOf(2);
  const padded = { ...sweep, search: { ...sweep.search, parameters: { '/training/seed': [1, 'x'.repeat(300_000)] } } };
  expect(await refusal(queue.sweeps.submit(padded as typeof sweep))).toMatchObject({
    code: 'invalid-spec',
    facts: { field: '/search' },
  });
  await queue.close();
});

it('queues nothing for a data set that is being deleted, and lets none be deleted that a job waits for', async () => {
  const queue = await openQueue(redis.url, { prefix: 'retired' });
  await queue.retireDataset('mnist', 'hash then');
  const old = { datasetIdentity: 'hash then' };
  expect((await refusal(queue.submit(jobSpec(), old))).code).toBe('dataset-not-found');
  expect((await refusal(queue.sweeps.submit(sweepOf(2), old))).code).toBe('dataset-not-found');
  // Another set of the same name, uploaded since.
  const { id } = await queue.submit(jobSpec(), { datasetIdentity: 'hash now' });
  expect(await refusal(queue.retireDataset('mnist', 'hash now'))).toMatchObject({
    code: 'dataset-in-use',
    facts: { found: id },
  });
  await queue.retireDataset('mnis', 'a name that is only the beginning of one');
  await queue.cancel(id);
  const sweep = await queue.sweeps.submit(sweepOf(1));
  for (const trial of sweep.trials) await queue.cancel(trial.id);
  // The sweep itself has not ended: it would look for its best trial.
  expect((await refusal(queue.retireDataset('mnist', 'hash now'))).code).toBe('dataset-in-use');
  await queue.sweeps.cancel(sweep.id);
  await queue.retireDataset('mnist', 'hash now');
  await queue.keepDataset('mnist');
  expect((await queue.submit(jobSpec(), { datasetIdentity: 'hash now' })).state).toBe('queued');
  await queue.close();
});
