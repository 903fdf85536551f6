// What is in a Redis, as JSON that a person can read and a later release can put back. Keys that expire within minutes (locks,
// heartbeats) are left out: after an upgrade they are gone.
import { Redis } from 'ioredis';

export type RedisValue =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'hash'; readonly value: Record<string, string> }
  | { readonly type: 'set'; readonly value: readonly string[] }
  | { readonly type: 'list'; readonly value: readonly string[] }
  | { readonly type: 'zset'; readonly value: readonly (readonly [member: string, score: string])[] }
  | { readonly type: 'stream'; readonly value: readonly (readonly [id: string, fields: string[]])[] };

export type RedisContent = Readonly<Record<string, RedisValue>>;

const shortestMs = 10 * 60_000;

const pairs = (flat: readonly string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]);

async function read(client: Redis, key: string): Promise<RedisValue | undefined> {
  const type = await client.type(key);
  switch (type) {
    case 'string':
      return { type, value: (await client.get(key)) ?? '' };
    case 'hash':
      return { type, value: await client.hgetall(key) };
    case 'set':
      return { type, value: (await client.smembers(key)).sort() };
    case 'list':
      return { type, value: await client.lrange(key, 0, -1) };
    case 'zset':
      return { type, value: pairs(await client.zrange(key, '0', '-1', 'WITHSCORES')) };
    case 'stream':
      return { type, value: await client.xrange(key, '-', '+') };
    default:
      return undefined;
  }
}

export async function readRedis(url: string): Promise<RedisContent> {
  const client = new Redis(url);
  try {
    const content: Record<string, RedisValue> = {};
    for (const key of (await client.keys('*')).sort()) {
      const left = await client.pttl(key);
      const value = left >= 0 && left < shortestMs ? undefined : await read(client, key);
      if (value) content[key] = value;
    }
    return content;
  } finally {
    client.disconnect();
  }
}

async function write(client: Redis, key: string, content: RedisValue): Promise<void> {
  switch (content.type) {
    case 'string':
      await client.set(key, content.value);
      return;
    case 'hash':
      await client.hset(key, content.value);
      return;
    case 'set':
      await client.sadd(key, ...content.value);
      return;
    case 'list':
      await client.rpush(key, ...content.value);
      return;
    case 'zset':
      await client.zadd(key, ...content.value.flatMap(([member, score]) => [score, member]));
      return;
    case 'stream':
      for (const [id, fields] of content.value) await client.xadd(key, id, ...fields);
      return;
    default:
      throw content satisfies never;
  }
}

export async function writeRedis(url: string, content: RedisContent): Promise<void> {
  const client = new Redis(url);
  try {
    for (const [key, value] of Object.entries(content)) await write(client, key, value);
  } finally {
    client.disconnect();
  }
}
