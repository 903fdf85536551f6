// Requests are decompressed a few at a time, in turn by client; what they come to is counted, and given back when it is refused.
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { ByteBudget } from '../../src/gateway/byte-budget.ts';
import { inflateWithin } from '../../src/gateway/inflate.ts';

const mebibyte = 2 ** 20;
const budget = (limit: number): ByteBudget => new ByteBudget({ limit, clientShare: 100, stallMs: 20_000 });
const holdingOf = (memory: ByteBudget, client: string) => memory.hold({ client, cut: () => {} });
const packed = gzipSync(Buffer.alloc(4 * mebibyte, 'x'));

it('a client with one request does not wait behind all of one with many', async () => {
  const memory = budget(1024 * mebibyte);
  const order: string[] = [];
  const inflate = async (client: string, name: string): Promise<void> => {
    const bytes = await inflateWithin(packed, 'gzip', holdingOf(memory, client), 8 * mebibyte);
    expect(bytes).toHaveLength(4 * mebibyte);
    order.push(name);
  };
  const many = Array.from({ length: 10 }, (_, i) => inflate('a', `a${i}`));
  await Promise.all([...many, inflate('b', 'b')]);
  expect(order.indexOf('b')).toBeLessThan(5);
  expect(memory.used).toBe(11 * 4 * mebibyte);
});

it('holds nothing of what is too large, damaged, or finds no room', async () => {
  const memory = budget(3 * mebibyte);
  const refused = (bytes: Buffer, limit: number) => inflateWithin(bytes, 'gzip', holdingOf(memory, 'a'), limit);
  await expect(refused(packed, mebibyte)).rejects.toMatchObject({ code: 'decompressed-too-large' });
  await expect(refused(packed.subarray(0, 100), mebibyte)).rejects.toMatchObject({ code: 'malformed-body' });
  await expect(refused(packed, 8 * mebibyte)).rejects.toMatchObject({ code: 'overloaded' });
  expect(memory.used).toBe(0);
});
