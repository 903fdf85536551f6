// Redis goes away and comes back: training goes on in the hands of the same worker, reports are kept, nothing is taken over
// that lives, and submissions and results go through afterwards.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Delivery } from '../../src/queue/delivery.ts';
import { JobConsumer, type Outcome } from '../../src/queue/job-consumer.ts';
import type { Lease } from '../../src/queue/lease.ts';
import { connectRedis, untilReady } from '../../src/queue/redis.ts';
import { startRedis } from '../helpers/redis.ts';
import { startProxy } from '../helpers/tcp-proxy.ts';
import { consumerSettings, jobSpec, openQueue, quiet, until } from './fixtures.ts';

const lockMs = 1000;
const success: Outcome = { kind: 'succeeded', published: { model: 'digits', version: 1 }, metrics: {} };

it.each([
  ['killed', 4 * lockMs],
  ['frozen', 4 * lockMs],
])('keeps running jobs with their workers while redis-server is %s for %i ms', async (how, awayMs) => {
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const leases: Lease[] = [];
  const gates: (() => void)[] = [];
  const train = async (lease: Lease): Promise<Outcome> => {
    leases.push(lease);
    lease.epoch({ phase: 'train', epoch: 1, metrics: { loss: 1 } });
    await new Promise<void>((resolve) => gates.push(resolve));
    return success;
  };
  const consumers: JobConsumer[] = [];
  try {
    for (let i = 0; i < 2; i++) {
      consumers.push(await JobConsumer.open(consumerSettings(redis.url, { lockMs }), train, quiet));
    }
    const jobs = await Promise.all([queue.submit(jobSpec('a')), queue.submit(jobSpec('b'))]);
    await until(() => leases.length === 2);
    await delay(lockMs); // their locks were renewed at least once

    if (how === 'killed') await redis.kill();
    else process.kill(redis.pid, 'SIGSTOP');
    for (const lease of leases) lease.epoch({ phase: 'train', epoch: 2, metrics: { loss: 0.5 } });
    await delay(awayMs);
    // one job ends while nobody can be told
    gates[0]?.();
    if (how === 'killed') await redis.start();
    else process.kill(redis.pid, 'SIGCONT');

    const first = leases[0]?.claim.id as string;
    await until(async () => (await queue.get(first).catch(() => undefined))?.state === 'succeeded');
    const later = await queue.submit(jobSpec('c'));
    await until(() => leases.length === 3);
    await delay(3 * lockMs); // time enough to take over what looks dead
    expect(leases.map((lease) => [lease.claim.attempt, lease.lost.aborted])).toEqual(leases.map(() => [1, false]));
    for (const open of gates) open();
    for (const { id } of [...jobs, later]) {
      await until(async () => (await queue.get(id)).state === 'succeeded');
      expect((await queue.get(id)).attempts).toBe(1);
    }
    const epochs: number[] = [];
    for await (const event of queue.events(first)) if (event.type === 'epoch') epochs.push(event.data.epoch);
    expect(epochs).toEqual([1, 2]);
  } finally {
    for (const open of gates) open();
    await Promise.all(consumers.map((consumer) => consumer.drain()));
    await queue.close();
    await redis.stop();
  }
});

it('makes every connection anew over which nothing comes any more, although nobody closed it', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(() => redis.port);
  const url = `redis://:${redis.password}@127.0.0.1:${proxy.port}`;
  const settings = { timeoutMs: 500 };
  const queue = await openQueue(url, settings);
  const consumer = await JobConsumer.open(consumerSettings(url, settings), async () => success, quiet);
  const client = connectRedis(consumerSettings(redis.url), 'commands', quiet);
  await untilReady(client, 5000);
  /** ids of the connections that the server has, the dead ones too */
  const connections = async (): Promise<string[]> =>
    [...String(await client.client('LIST')).matchAll(/^id=(\d+)/gm)].map(([, id]) => id as string);
  try {
    const first = await queue.submit(jobSpec());
    await until(async () => (await queue.get(first.id)).state === 'succeeded');
    // commands and subscriber of the queue, the same of the consumer; and the one that looks
    const before = await connections();
    expect(before).toHaveLength(5);
    proxy.stall();
    await expect(queue.submit(jobSpec())).rejects.toMatchObject({ code: 'outcome-unknown' });
    proxy.flow();
    await until(async () => (await connections()).filter((id) => !before.includes(id)).length === 4);
    const { id } = await queue.submit(jobSpec());
    await until(async () => (await queue.get(id)).state === 'succeeded');
  } finally {
    await consumer.drain();
    client.disconnect();
    await queue.close();
    await proxy.close();
    await redis.stop();
  }
});

it('drains although redis-server is gone', async () => {
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const leases: Lease[] = [];
  const consumer = await JobConsumer.open(
    consumerSettings(redis.url),
    (lease) => {
      leases.push(lease);
      return new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve({ kind: 'stopped' })));
    },
    quiet,
  );
  await queue.submit(jobSpec());
  await until(() => leases.length === 1);
  await redis.kill();
  await consumer.drain();
  expect(leases[0]?.stopReason).toBe('draining');
  await queue.close();
  await redis.stop();
});

it('does not look for dead workers on a permission from before an outage', async () => {
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const settings = consumerSettings(redis.url, { lockMs: 60_000 }); // renews rarely enough to stay out of this
  const begun: Lease[] = [];
  const consumer = await JobConsumer.open(
    settings,
    (lease) => {
      begun.push(lease);
      return new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve({ kind: 'stopped' })));
    },
    quiet,
  );
  const { id } = await queue.submit(jobSpec());
  await until(() => begun.length === 1);
  const client = connectRedis(settings, 'commands', quiet);
  await untilReady(client, 5000);
  const delivery = new Delivery(client, settings, quiet);
  const expire = async (): Promise<void> => {
    await client.del(`{test}:training:${id}-1:lock`, '{test}:training:stalled-check');
    await client.sadd('{test}:training:stalled', `${id}-1`);
  };
  const serverTime = async (): Promise<number> => Number((await client.time())[0]) * 1000;

  await expire();
  expect(await delivery.recoverStalled((await serverTime()) - 30_000, 400, ['any'])).toEqual([]);
  await expire();
  expect(await delivery.recoverStalled((await serverTime()) + 1000, 4000, ['any'])).toEqual([`${id}-1`]);
  await delivery.close();
  client.disconnect();
  await consumer.drain();
  await queue.close();
  await redis.stop();
});
