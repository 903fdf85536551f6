// An answer of Redis that is lost makes a worker ask again. Whatever it asks for, the second time changes nothing.
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Delivery, type Taken } from '../../src/queue/delivery.ts';
import { claimScript, crashScript, releaseScript, reportScript } from '../../src/queue/lease-scripts.ts';
import { connectRedis, untilReady } from '../../src/queue/redis.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import type { Script } from '../../src/queue/script.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, jobSpec, openQueue, quiet, until } from './fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let client: Redis;
let delivery: Delivery;

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  client = connectRedis(consumerSettings(redis.url), 'commands', quiet);
  await untilReady(client, 5000);
  delivery = new Delivery(client, consumerSettings(redis.url), quiet);
});
afterAll(async () => {
  await delivery?.close();
  client?.disconnect();
  await queue?.close();
  await redis?.stop();
});

const run = (script: Script, ...args: (string | number)[]) => script.run(client, '{test}:', ...args);
let tokens = 0;

/** A job that was queued and taken, but not claimed. */
async function takenJob(): Promise<{ id: string; taken: Taken }> {
  const { id } = await queue.submit(jobSpec());
  const taken = await until(() => delivery.take('any', `token-${++tokens}`));
  expect(taken.delivered).toBe(`${id}-1`);
  return { id, taken };
}

const claim = (id: string, token: string, usual = 21, least = 3) => run(claimScript, id, '1', token, usual, least);

it('gives the same attempt to a worker that claims again, forty times', async () => {
  const { id, taken } = await takenJob();
  const first = await claim(id, taken.token);
  expect(first).toEqual(expect.arrayContaining(['yours', 1]));
  for (let i = 0; i < 40; i++) expect(await claim(id, taken.token)).toEqual(first);
  expect(await queue.get(id)).toMatchObject({ state: 'running', attempts: 1 });
  expect(await client.hget(`{test}:job:${id}`, 'vanished')).toBeNull();
});

it('gives nothing to a worker whose delivery another one holds by now', async () => {
  const { id, taken } = await takenJob();
  await client.set(`{test}:training:${taken.delivered}:lock`, 'another');
  expect(await claim(id, 'another')).toEqual(expect.arrayContaining(['yours', 1]));
  expect(await claim(id, taken.token)).toEqual(['gone']);
  expect((await queue.get(id)).attempts).toBe(1);
});

/** Claims until the job has failed, each time under another token: the worker before it vanished. Its attempts, if it failed. */
async function vanish({ id, taken }: { id: string; taken: Taken }, times: number): Promise<number | undefined> {
  for (let i = 0; i < times; i++) {
    await client.set(`{test}:training:${taken.delivered}:lock`, `vanished-${i}`);
    await claim(id, `vanished-${i}`);
    const { state, attempts } = await queue.get(id);
    if (state === 'failed') return attempts;
  }
  return undefined;
}

const others = (begun: number, vanished: number) => client.hset('{test}:attempts', { begun, vanished });

it('fails a job whose workers vanish, after 21 attempts when nothing is known of others', async () => {
  await client.del('{test}:attempts');
  const job = await takenJob();
  expect(await vanish(job, 100)).toBe(21);
  expect(await queue.get(job.id)).toMatchObject({
    failure: { reason: 'crashed', message: expect.stringMatching(/died 21 times in a row/) },
  });
});

it('fails it after three attempts where the workers of other jobs live', async () => {
  await others(300, 3);
  expect(await vanish(await takenJob(), 100)).toBe(3);
});

it('blames no job for workers that die as often at other jobs', async () => {
  await others(300, 255);
  const job = await takenJob();
  expect(await vanish(job, 50)).toBeUndefined();
  expect((await queue.get(job.id)).attempts).toBeGreaterThan(25);
});

it('tells each epoch once, however often a report is sent', async () => {
  const { id, taken } = await takenJob();
  await claim(id, taken.token);
  const epoch = (number: number) => [number, JSON.stringify({ phase: 'train', epoch: number, metrics: {} })] as const;
  await run(reportScript, id, 1, '', '', ...epoch(1), ...epoch(2));
  await run(reportScript, id, 1, '', '', ...epoch(1), ...epoch(2), ...epoch(3));
  await queue.cancel(id);
  await run(releaseScript, id, 1, '');
  const epochs: number[] = [];
  for await (const event of queue.events(id)) if (event.type === 'epoch') epochs.push(event.data.epoch);
  expect(epochs).toEqual([1, 2, 3]);
});

it('answers alike to a job that is given back twice, and to a crash that is told twice', async () => {
  const back = await takenJob();
  await claim(back.id, back.taken.token);
  expect(await run(releaseScript, back.id, 1, '')).toBe('ok');
  expect(await run(releaseScript, back.id, 1, '')).toBe('ok');
  const crashed = await takenJob();
  await claim(crashed.id, crashed.taken.token);
  for (let i = 0; i < 5; i++) expect(await run(crashScript, crashed.id, 1, 3, '{}')).toBe('again');
  expect(await client.hget(`{test}:job:${crashed.id}`, 'crashes')).toBe('1');
  expect((await queue.get(crashed.id)).state).toBe('queued');
});

it('finds the delivery that was taken with a token', async () => {
  const { taken } = await takenJob();
  expect(await delivery.takenWith('any', 'no such token')).toBeUndefined();
  expect(await delivery.takenWith('cpu', taken.token)).toBeUndefined();
  expect(await delivery.takenWith('any', taken.token)).toMatchObject({ delivered: taken.delivered });
});
