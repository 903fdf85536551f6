import { expect, it } from 'vitest';
import { FairQueue } from '../../src/gateway/fair-queue.ts';

it('gives each client its turn, and each client its items in order', () => {
  const queue = new FairQueue<string>();
  for (const item of ['a1', 'a2', 'a3', 'a4']) queue.push('a', item);
  queue.push('b', 'b1');
  expect(queue.shift()).toBe('a1');
  queue.push('c', 'c1');
  queue.push('b', 'b2');
  const rest: string[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) rest.push(item);
  expect(rest).toEqual(['b1', 'a2', 'c1', 'b2', 'a3', 'a4']);
  expect(queue.size).toBe(0);
});
