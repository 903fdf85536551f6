// The queue as clients see it, on a real server: submission, idempotency keys, lists, deletion, events, outages.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import type { JobEvent } from '../../src/jobspec/job.ts';
import { EvictionPolicyError } from '../../src/queue/redis.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { fillUp, mayMount, mountSmallDisk } from '../helpers/small-disk.ts';
import { jobSpec, openQueue } from './fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
});
afterAll(async () => {
  await queue?.close();
  await redis?.stop();
});

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof HourglassError ? error.code : `not refused: ${String(error)}`;
};

it('keeps a submitted job and shows it', async () => {
  const job = await queue.submit(jobSpec(), { warnings: ['odd'] });
  expect(job).toMatchObject({ state: 'queued', attempts: 0, warnings: ['odd'], spec: jobSpec() });
  expect(Math.abs(Date.parse(job.createdAt) - Date.now())).toBeLessThan(60_000);
  expect(await queue.get(job.id)).toEqual(job);
  expect(await codeOf(queue.get('0'.repeat(26)))).toBe('job-not-found');
  expect(await codeOf(queue.get('../etc/passwd'))).toBe('job-not-found');
});

it('answers a repeated idempotency key with the first job, also a hundred at once, and refuses another body', async () => {
  const before = (await queue.counts()).queued;
  const options = { idempotencyKey: 'order-1' };
  const jobs = await Promise.all(Array.from({ length: 100 }, () => queue.submit(jobSpec('once'), options)));
  expect(new Set(jobs.map((job) => job.id)).size).toBe(1);
  expect((await queue.counts()).queued).toBe(before + 1);
  expect(await codeOf(queue.submit(jobSpec('other'), options))).toBe('idempotency-key-reused');
  expect(await codeOf(queue.submit(jobSpec('once'), { ...options, priority: 5 }))).toBe('idempotency-key-reused');
  expect((await queue.counts()).queued).toBe(before + 1);
  const client = new Redis(redis.url);
  const keys = await client.keys('{test}:idem:*');
  expect(keys).toHaveLength(1);
  expect(await client.pttl(keys[0] as string)).toBeGreaterThan(23 * 3600 * 1000);
  client.disconnect();
});

it('lists newest first, page by page and by state', async () => {
  const own = await openQueue(redis.url, { prefix: 'lists' });
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.unshift((await own.submit(jobSpec(`job-${i}`))).id);
    await new Promise((resolve) => setTimeout(resolve, 2)); // ids sort by the millisecond
  }
  const first = await own.list({ limit: 2 });
  const second = await own.list({ limit: 2, cursor: first.nextCursor as string });
  const third = await own.list({ limit: 2, cursor: second.nextCursor as string });
  expect([first, second, third].flatMap((page) => page.jobs.map((job) => job.id))).toEqual(ids);
  expect(third.nextCursor).toBeUndefined();
  await own.cancel(ids[3] as string);
  expect((await own.list({ state: 'cancelled' })).jobs.map((job) => job.id)).toEqual([ids[3]]);
  expect(await own.counts()).toEqual({ queued: 4, running: 0, cancelling: 0, succeeded: 0, failed: 0, cancelled: 1 });
  expect(await own.endings()).toEqual({ outcomes: { succeeded: 0, failed: 0, cancelled: 1 }, failures: {} });
  expect(await codeOf(own.list({ cursor: '[' }))).toBe('invalid-request');
  await own.close();
});

it('cancels a queued job at once, queues it again, and deletes its record with everything that belongs to it', async () => {
  const own = await openQueue(redis.url, { prefix: 'cancels' });
  const { id } = await own.submit(jobSpec(), { idempotencyKey: 'k' });
  expect(await codeOf(own.remove(id))).toBe('job-not-finished');
  expect(await codeOf(own.restart(id, 'checkpoint'))).toBe('job-not-finished');
  expect((await own.cancel(id)).state).toBe('cancelled');
  expect((await own.cancel(id)).state).toBe('cancelled');
  const again = await own.restart(id, 'start');
  expect(again).toMatchObject({ id, state: 'queued' });
  expect(again.finishedAt).toBeUndefined();
  await own.cancel(id);
  await own.remove(id);
  expect(await codeOf(own.get(id))).toBe('job-not-found');
  expect(await codeOf(own.remove(id))).toBe('job-not-found');
  const client = new Redis(redis.url);
  // Only what counts is left, here and in BullMQ: a job that will not run is taken out of it.
  const left = async () =>
    (await client.keys('{cancels}:*')).filter((key) => !/training\S*:(meta|events|marker|pc|id)$/.test(key));
  await expect.poll(async () => (await left()).sort()).toEqual(['{cancels}:endings', '{cancels}:kept']);
  client.disconnect();
  await own.close();
});

it('drops the oldest finished jobs beyond the history', async () => {
  const own = await openQueue(redis.url, { prefix: 'history', keepJobs: 3 });
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { id } = await own.submit(jobSpec());
    await own.cancel(id);
    ids.push(id);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect((await own.list()).jobs.map((job) => job.id)).toEqual(ids.slice(2).reverse());
  await own.close();
});

it('replays events, follows live, resumes after an event id, and ends', async () => {
  const { id } = await queue.submit(jobSpec());
  const seen: JobEvent[] = [];
  const watching = (async () => {
    for await (const event of queue.events(id)) seen.push(event);
  })();
  while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const other = await openQueue(redis.url);
  await other.cancel(id);
  await watching;
  expect(seen.map((event) => event.type)).toEqual(['state', 'state', 'end']);
  expect(seen.at(-1)?.data).toMatchObject({ id, state: 'cancelled' });

  const rest: JobEvent[] = [];
  for await (const event of other.events(id, { lastEventId: seen[1]?.id as string })) rest.push(event);
  expect(rest).toEqual(seen.slice(2));
  const afterEnd: JobEvent[] = [];
  for await (const event of other.events(id, { lastEventId: seen[2]?.id as string })) afterEnd.push(event);
  expect(afterEnd).toEqual(seen.slice(2));

  // Ids that this stream has not given: the end is told all the same.
  for (const lastEventId of [
    '0-0',
    '18446744073709551615-18446744073709551615',
    `${'9'.repeat(20)}-${'9'.repeat(20)}`,
  ]) {
    const found: JobEvent[] = [];
    for await (const event of other.events(id, { lastEventId })) found.push(event);
    expect(found.at(-1)).toEqual(seen.at(-1));
  }

  expect(await codeOf(other.events(id, { lastEventId: 'x' })[Symbol.asyncIterator]().next())).toBe('invalid-request');
  expect(await codeOf(other.events('0'.repeat(26))[Symbol.asyncIterator]().next())).toBe('job-not-found');
  await other.close();
});

it('stops following when asked to', async () => {
  const { id } = await queue.submit(jobSpec());
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const event of queue.events(id, { signal: stop.signal })) {
    seen.push(event.type);
    setTimeout(() => stop.abort(), 10);
  }
  expect(seen).toEqual(['state']);
});

it('refuses a server that may drop jobs', async () => {
  const client = new Redis(redis.url);
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  try {
    await expect(openQueue(redis.url)).rejects.toThrow(EvictionPolicyError);
  } finally {
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    client.disconnect();
  }
});

it('says queue-storage-full when the memory is used up, and works again afterwards', async () => {
  const client = new Redis(redis.url);
  await client.config('SET', 'maxmemory', '1mb');
  try {
    expect(await codeOf(queue.submit(jobSpec()))).toBe('queue-storage-full');
  } finally {
    await client.config('SET', 'maxmemory', '0');
    client.disconnect();
  }
  expect((await queue.submit(jobSpec())).state).toBe('queued');
});

it.skipIf(!mayMount())('says queue-storage-full while the disk of the server is full', async () => {
  const folder = path.join(redis.dir, 'small');
  const disk = mountSmallDisk(folder, 1024);
  const small = await startRedis('--dir', folder);
  const own = await openQueue(small.url);
  const outcome = (): Promise<string> =>
    own.submit(jobSpec()).then(
      (job) => job.state,
      (error) => error.code,
    );
  try {
    const { id } = await own.submit(jobSpec());
    fillUp(path.join(folder, 'stuffing'));
    // the server notices with the first write that does not fit
    await expect.poll(outcome).toBe('queue-storage-full');
    rmSync(path.join(folder, 'stuffing'));
    await expect.poll(outcome, { timeout: 10_000 }).toBe('queued');
    expect((await own.get(id)).state).toBe('queued');
  } finally {
    await own.close();
    await small.stop();
    disk.unmount();
  }
});

it('says queue-unavailable while the server is frozen or gone, and works again when it is back', async () => {
  const queue = await openQueue(redis.url, { timeoutMs: 500 });
  const { id } = await queue.submit(jobSpec(), { idempotencyKey: 'kept' });
  const calls = (): Promise<unknown>[] => [
    queue.get(id),
    queue.list(),
    queue.counts(),
    queue.queues(),
    queue.ping(),
    queue.events(id)[Symbol.asyncIterator]().next(),
  ];
  const allUnavailable = async (): Promise<void> => {
    for (const code of await Promise.all(calls().map(codeOf))) expect(code).toBe('queue-unavailable');
  };
  process.kill(redis.pid, 'SIGSTOP');
  await allUnavailable();
  // By now the connection is given up: nothing is sent.
  await expect.poll(() => codeOf(queue.submit(jobSpec()))).toBe('queue-unavailable');
  expect(await codeOf(queue.cancel(id))).toBe('queue-unavailable');
  process.kill(redis.pid, 'SIGCONT');
  await expect.poll(() => queue.ping().then(() => 'up', String)).toBe('up');
  await redis.kill();
  await allUnavailable();
  expect(await codeOf(queue.submit(jobSpec()))).toBe('queue-unavailable');
  const late = await openQueue(redis.url); // starting without a server is no error
  await redis.start();
  await expect
    .poll(() => Promise.all([queue.ping(), late.ping()]).then(() => 'up', String), { timeout: 10_000 })
    .toBe('up');
  expect((await late.submit(jobSpec(), { idempotencyKey: 'kept' })).id).toBe(id);
  await late.close();
  await queue.close();
});
