// The private redis-server of the tests: starts, keeps its data over a kill, and leaves nothing behind.
import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startRedis } from '../helpers/redis.ts';

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

it('keeps acknowledged data over SIGKILL and is gone after stop', async () => {
  const redis = await startRedis('--appendfsync', 'always');
  const first = new Redis(redis.url, { retryStrategy: () => null });
  first.on('error', () => undefined);
  await first.set('kept', '1');
  const { pid } = redis;
  await redis.kill();
  expect(alive(pid)).toBe(false);
  await redis.start();
  const second = new Redis(redis.url, { retryStrategy: () => null });
  second.on('error', () => undefined);
  expect(await second.get('kept')).toBe('1');
  second.disconnect();
  first.disconnect();
  const last = redis.pid;
  await redis.stop();
  expect(alive(last)).toBe(false);
  expect(existsSync(redis.dir)).toBe(false);
});
