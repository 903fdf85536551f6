// What src/queue/bullmq-keys.ts says of BullMQ's private keys, held against the installed version: deliveries are made by
// BullMQ itself, then looked for with the Lua functions that our scripts use.
import { readFileSync } from 'node:fs';
import { FlowProducer, Queue } from 'bullmq';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Device } from '../../src/jobspec/training.ts';
import { bullKeys, bullQueueName, deviceQueues } from '../../src/queue/bullmq-keys.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { Script } from '../../src/queue/script.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { consumerSettings, quiet } from './fixtures.ts';

let redis: TestRedis;
let client: ReturnType<typeof connectRedis>;

beforeAll(async () => {
  redis = await startRedis();
  client = connectRedis(consumerSettings(redis.url), 'commands', quiet);
});
afterAll(async () => {
  client?.disconnect();
  await redis?.stop();
});

const look = (expression: string, ...args: string[]) =>
  new Script(`local base = KEYS[1]\n${bullKeys}\nreturn ${expression}`).run(client, '{test}:', ...args);

const lockDuration = 30_000;
const bull = (queue: Device): Queue =>
  new Queue(bullQueueName(queue), {
    ...{ connection: client, prefix: '{test}', skipVersionCheck: true },
    ...{ lockDuration, stalledInterval: 1, maxStalledCount: 5 },
  });

it('is pinned to the version that is installed', () => {
  const read = (file: string) => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
  const pinned = read('../../package.json').dependencies.bullmq;
  expect(pinned).toMatch(/^\d+\.\d+\.\d+$/);
  expect(read('../../node_modules/bullmq/package.json').version).toBe(pinned);
});

it.each(deviceQueues)(
  'finds a delivery of the queue %s, its lock, and what a check for stalled ones does',
  async (queue) => {
    const own = bull(queue);
    await own.add('train', {}, { jobId: `${queue}-1`, priority: 7 });
    expect(await look('redis.call("EXISTS", bullDelivery(ARGV[1], ARGV[2]))', queue, `${queue}-1`)).toBe(1);
    expect(await look('redis.call("EXISTS", bullDelivery(ARGV[1], ARGV[2]))', queue, 'other-1')).toBe(0);
    await own.backend.moveToActive('token');
    const lock = 'bullLock(ARGV[1], ARGV[2])';
    expect(await look(`redis.call("GET", ${lock})`, queue, `${queue}-1`)).toBe('token');
    expect(Number(await look(`redis.call("PTTL", ${lock})`, queue, `${queue}-1`))).toBeGreaterThan(lockDuration / 2);
    expect(await look('redis.call("LRANGE", bullActive(ARGV[1]), 0, -1)', queue)).toEqual([`${queue}-1`]);
    // The first check notes what is active, the second takes back what was not renewed in between.
    expect(await own.backend.moveStalledJobsToWait()).toEqual([]);
    expect(await look('redis.call("SISMEMBER", bullStalled(ARGV[1]), ARGV[2])', queue, `${queue}-1`)).toBe(1);
    await look(`redis.call("DEL", ${lock})`, queue, `${queue}-1`);
    await look('redis.call("SET", bullStalledCheck(ARGV[1]), 1, "PX", 60000)', queue);
    expect(await own.backend.moveStalledJobsToWait()).toEqual([]);
    await look('redis.call("DEL", bullStalledCheck(ARGV[1]))', queue);
    expect(await own.backend.moveStalledJobsToWait()).toEqual([`${queue}-1`]);
    await own.close();
  },
);

it('reads when a delayed delivery is due', async () => {
  const own = bull('gpu');
  const before = Date.now();
  await own.add('train', {}, { jobId: 'late-1', delay: 60_000 });
  const due = Number(await look('tostring(bullDueAt(ARGV[1], ARGV[2]))', 'gpu', 'late-1'));
  expect(due).toBeGreaterThanOrEqual(before + 60_000);
  expect(due).toBeLessThan(Date.now() + 61_000);
  expect(await look('bullDueAt(ARGV[1], ARGV[2])', 'gpu', 'any-1')).toBeNull();
  await own.close();
});

it.each([
  ['at once', {}],
  ['by priority', { priority: 3 }],
  ['later', { delay: 60_000 }],
])('knows whether there is a delivery to give %s', async (_, options) => {
  const own = bull('cpu');
  await own.obliterate({ force: true }); // what the tests before have left
  const hasSome = (): Promise<unknown> => look('bullHasSome(ARGV[1]) and 1 or 0', 'cpu');
  expect(await hasSome()).toBe(0);
  await own.add('train', {}, { jobId: 'some-1', ...options });
  expect(await hasSome()).toBe(1);
  await own.remove('some-1');
  expect(await hasSome()).toBe(0);
  await own.close();
});

it('knows a flow that waits for its children, and one whose children have ended, over two queues', async () => {
  const flows = new FlowProducer({ connection: client, prefix: '{test}', skipVersionCheck: true });
  const node = (jobId: string, queue: Device) => ({
    ...{ name: 'train', queueName: bullQueueName(queue), data: {} },
    opts: { jobId, removeOnComplete: true },
  });
  await flows.add({ ...node('sweep-1', 'cpu'), children: [node('trial-1', 'gpu')] });
  const waits = (): Promise<unknown> => look('bullWaitsForChildren(ARGV[1], ARGV[2]) and 1 or 0', 'cpu', 'sweep-1');
  expect(await waits()).toBe(1);
  const gpu = bull('gpu');
  await gpu.remove('gpu-1'); // of the test before
  const [, id] = await gpu.backend.moveToActive('t');
  expect(id).toBe('trial-1');
  await (await gpu.getJob('trial-1'))?.moveToCompleted(null, 't', false);
  expect(await waits()).toBe(0);
  await gpu.close();
  await flows.close();
});
