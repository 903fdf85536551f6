// What is kept of a job's events: every state and epoch as long as the job, of progress only the newest; finished jobs are
// dropped with their events when there are too many of them.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobEvent } from '../../src/jobspec/job.ts';
import { JobConsumer, type Train } from '../../src/queue/job-consumer.ts';
import type { Lease } from '../../src/queue/lease.ts';
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

const progress = (step: number) => ({ phase: 'train', epoch: 1, epochs: 9, step, steps: 9000, percent: 1 });
const epoch = (number: number) => ({ phase: 'train', epoch: number, metrics: { loss: 1 / number } });

/** Reports as a lease does, but without waiting in between. */
async function report(lease: Lease, steps: number, number?: number): Promise<void> {
  lease.progress(progress(steps));
  if (number !== undefined) lease.epoch(epoch(number));
  await lease.flush();
}

it('keeps the first epoch whatever comes of progress, and replays in order', async () => {
  const prefix = 'long';
  const queue = await openQueue(redis.url, { prefix });
  let lease: Lease | undefined;
  let end = (): void => undefined;
  const train: Train = async (claimed) => {
    lease = claimed;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    return { kind: 'succeeded', metrics: {} };
  };
  const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), train, quiet);
  const { id } = await queue.submit(jobSpec());
  const claimed = await until(() => lease);
  await report(claimed, 1, 1);
  for (let i = 2; i <= 1200; i++) await report(claimed, i);
  await report(claimed, 1201, 2);
  await report(claimed, 1202);
  const entries = await client.xlen(`{${prefix}}:events:${id}`);
  expect(entries).toBe(4); // queued, running, two epochs: progress is not in the stream

  const until5 = new AbortController();
  const replay: JobEvent[] = [];
  for await (const event of queue.events(id, { signal: until5.signal })) {
    replay.push(event);
    if (replay.length === 5) until5.abort();
  }
  expect(replay.map(({ type, data }) => [type, (data as { epoch?: number }).epoch ?? data])).toEqual([
    ['state', { state: 'queued' }],
    ['state', { state: 'running' }],
    ['epoch', 1],
    ['epoch', 2],
    ['progress', 1],
  ]);
  expect(replay[4]?.data).toMatchObject({ step: 1202 });
  const ms = (event: JobEvent): number => Number(event.id.replace('-', '.'));
  expect([...replay].sort((a, b) => ms(a) - ms(b))).toEqual(replay);

  // After the last id there is nothing until the end; after the first epoch, the rest.
  end();
  const rest: string[] = [];
  for await (const event of queue.events(id, { lastEventId: replay[4]?.id as string })) rest.push(event.type);
  expect(rest).toEqual(['state', 'end']);
  const later: string[] = [];
  for await (const event of queue.events(id, { lastEventId: replay[2]?.id as string })) later.push(event.type);
  expect(later).toEqual(['epoch', 'progress', 'state', 'end']);
  await consumer.drain();
  await queue.close();
}, 60_000);

it('follows progress live, each newer than the last', async () => {
  const prefix = 'live';
  const queue = await openQueue(redis.url, { prefix });
  const train: Train = async (lease) => {
    for (let step = 1; step <= 5; step++) {
      await report(lease, step);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return { kind: 'succeeded', metrics: {} };
  };
  const consumer = await JobConsumer.open(consumerSettings(redis.url, { prefix }), train, quiet);
  const { id } = await queue.submit(jobSpec());
  const steps: number[] = [];
  for await (const event of queue.events(id)) if (event.type === 'progress') steps.push(event.data.step);
  expect(steps.at(-1)).toBe(5);
  expect(steps.length).toBeGreaterThan(1);
  expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  await consumer.drain();
  await queue.close();
});

it('reads and continues the stream of a record that the former release wrote', async () => {
  const prefix = 'former';
  const queue = await openQueue(redis.url, { prefix });
  const { id } = await queue.submit(jobSpec());
  // As release 0.1.0 left it: progress in the stream, no queue and no device in the record, ids ahead of the clock.
  const { device: _, ...training } = jobSpec().training;
  const [key, stream] = [`{${prefix}}:job:${id}`, `{${prefix}}:events:${id}`];
  await client.hdel(key, 'queue', 'client', 'keepFinishedEvents');
  await client.hset(key, { spec: JSON.stringify({ ...jobSpec(), training }), keepEvents: 10_000 });
  const ahead = Date.now() + 60_000;
  await client.xadd(stream, `${ahead}-0`, 'type', 'progress', 'data', JSON.stringify(progress(7)));
  await client.xadd(stream, `${ahead}-1`, 'type', 'epoch', 'data', JSON.stringify(epoch(1)));
  expect((await queue.get(id)).spec.training.device).toBe('any');

  const consumer = await JobConsumer.open(
    consumerSettings(redis.url, { prefix }),
    async (lease) => {
      await report(lease, 8, 2);
      return { kind: 'succeeded', metrics: {} };
    },
    quiet,
  );
  const seen: unknown[] = [];
  for await (const { type, data } of queue.events(id)) {
    seen.push(type === 'progress' ? data.step : type === 'epoch' ? `epoch ${data.epoch}` : type);
  }
  expect(seen).toEqual(['state', 7, 'epoch 1', 'state', 8, 'epoch 2', 'state', 'end']);
  await consumer.drain();
  await queue.close();
});

it('drops the oldest finished jobs when all of them together have too many events', async () => {
  const prefix = 'events';
  const queue = await openQueue(redis.url, { prefix, keepEvents: 10 });
  const ids: string[] = [];
  for (let i = 0; i < 6; i++) {
    const { id } = await queue.submit(jobSpec()); // queued, cancelled, end: three events
    await queue.cancel(id);
    ids.push(id);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect((await queue.list()).jobs.map((job) => job.id)).toEqual(ids.slice(3).reverse());
  expect(await client.hget(`{${prefix}}:kept`, 'events')).toBe('9');
  await queue.restart(ids[5] as string, 'start');
  expect(await client.hget(`{${prefix}}:kept`, 'events')).toBe('6');
  await queue.close();
});
