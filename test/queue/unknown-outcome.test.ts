// A change that was sent to Redis and not answered: the client is told that it may have happened, and how to find out. Seen
// with a real server that is frozen, or that holds commands back.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errorTable, type HourglassError } from '../../src/base/errors.ts';
import { resolveSweep } from '../../src/jobspec/sweep.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { jobSpec, openQueue, until } from './fixtures.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const failureOf = (call: Promise<unknown>): Promise<HourglassError> =>
  call.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: HourglassError) => error,
  );

const isBack = (queue: RedisJobQueue): Promise<unknown> =>
  until(() =>
    queue.ping().then(
      () => true,
      () => false,
    ),
  );

it('says so when Redis freezes, names the job that may be queued, and the key makes repeating safe', async () => {
  const queue = await openQueue(redis.url, { prefix: 'frozen', timeoutMs: 500 });
  await queue.submit(jobSpec('first')); // from now on the server knows the script
  process.kill(redis.pid, 'SIGSTOP');
  const [bare, keyed] = await Promise.all([
    failureOf(queue.submit(jobSpec('bare'))),
    failureOf(queue.submit(jobSpec('keyed'), { idempotencyKey: 'k' })),
  ]);
  process.kill(redis.pid, 'SIGCONT');
  for (const error of [bare, keyed]) {
    expect(error.code).toBe('outcome-unknown');
    expect(errorTable[error.code]).toMatchObject({ http: 503, retryable: true });
    expect(error.facts.retryAfter).toBeGreaterThan(0);
    expect(error.message).not.toContain('nothing was queued');
  }
  await isBack(queue);
  // Both were in the server's buffer when it froze, so both were queued when it woke.
  const id = /\/v1\/jobs\/(\w{26})/.exec(bare.message)?.[1] as string;
  await until(async () => (await queue.list()).jobs.length === 3);
  expect((await queue.get(id)).spec.name).toBe('bare');
  expect(keyed.message).toContain('same Idempotency-Key');
  const again = await queue.submit(jobSpec('keyed'), { idempotencyKey: 'k' });
  expect((await queue.list()).jobs).toHaveLength(3);
  expect((await queue.list()).jobs.map((job) => job.id)).toContain(again.id);
  await queue.close();
});

it('says so for every change while the server holds back what writes, and reading goes on', async () => {
  const queue = await openQueue(redis.url, { prefix: 'paused', timeoutMs: 1500 });
  const { id } = await queue.submit(jobSpec());
  const dataset = { shape: [28, 28, 1], range: [0, 1] as const, rows: { train: 100 } };
  const search = { type: 'grid', parameters: { '/model/code': [2, 3] } };
  const sweep = resolveSweep({ name: 'digits', dataset: 'mnist', model: { type: 'dense' } }, search, { dataset });
  const admin = new Redis(redis.url);
  await admin.client('PAUSE', 60_000, 'WRITE');
  const changes = [
    queue.submit(jobSpec('late')),
    queue.sweeps.submit(sweep),
    queue.cancel(id),
    queue.restart(id, 'start'),
    queue.remove(id),
    queue.retireDataset('mnist', 'some set'),
  ];
  const errors = await Promise.all(changes.map(failureOf));
  expect(errors.map((error) => error.code)).toEqual(changes.map(() => 'outcome-unknown'));
  await admin.client('UNPAUSE');
  await isBack(queue);
  // What had been held back is carried out now, although its client was told of no answer.
  await until(async () => (await queue.list()).jobs.some((job) => job.spec.name === 'late'));
  admin.disconnect();
  await queue.close();
});
