// A rate with a memory: what is taken beyond what is there is owed.
import { expect, it } from 'vitest';
import { TokenBucket } from '../../src/platform/token-bucket.ts';

it('holds its rate over any time, whatever is taken at once', () => {
  let now = 0;
  const bucket = new TokenBucket(10, () => now);
  expect([bucket.take(1), bucket.remaining]).toEqual([true, 9]);
  // More than there is: let in, and paid off.
  expect(bucket.take(39)).toBe(true);
  expect([bucket.remaining, bucket.take(1), bucket.waitSeconds]).toEqual([0, false, 3.1]);
  now += 3000;
  expect(bucket.take(1)).toBe(false);
  now += 100;
  expect([bucket.take(1), bucket.take(1)]).toEqual([true, false]);
  let taken = 0;
  for (const until = now + 60_000; now < until; now += 7) if (bucket.take(4)) taken += 4;
  expect(Math.abs(taken - 600)).toBeLessThanOrEqual(4);
});

it('fills up to one second and no further, and takes back what was not used', () => {
  let now = 0;
  const bucket = new TokenBucket(3, () => now);
  for (let i = 0; i < 3; i++) expect(bucket.take(1)).toBe(true);
  bucket.owe(-1);
  expect(bucket.take(1)).toBe(true);
  now += 1e9;
  expect([bucket.remaining, bucket.waitSeconds]).toEqual([3, 0]);
  bucket.owe(-5);
  expect(bucket.remaining).toBe(3);
});
