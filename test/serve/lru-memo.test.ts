import { expect, it } from 'vitest';
import { LruMemo } from '../../src/serve/lru-memo.ts';

it('reads each key once, also for those who ask while it is read', async () => {
  const kept = new LruMemo<string>(2);
  let reads = 0;
  const read = async () => `read ${++reads}`;
  expect(await Promise.all([kept.get('a', read), kept.get('a', read)])).toEqual(['read 1', 'read 1']);
});

it('forgets the one that was longest unused', async () => {
  const kept = new LruMemo<string>(2);
  const read: string[] = [];
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) {
    await kept.get(key, async () => {
      read.push(key);
      return key;
    });
  }
  expect(read).toEqual(['a', 'b', 'c', 'b']);
});

it('reads again after a failure', async () => {
  const kept = new LruMemo<string>(2);
  await expect(kept.get('a', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(await kept.get('a', async () => 'back')).toBe('back');
});
