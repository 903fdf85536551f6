// Requests of many connections in one turn of the event loop: some at once, the rest in later turns, in which clients take
// turns; of predictions so many wait as can be answered in time.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, it } from 'vitest';
import { type Job, TurnShare } from '../../src/gateway/turn-share.ts';

const busyFor = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
};

let order: string[] = [];
beforeEach(async () => {
  order = [];
  await nextTurn();
});

const job = (client: string, name: string, { ms = 0, topic }: { ms?: number; topic?: string } = {}): Job => ({
  client,
  topic: () => topic,
  run() {
    busyFor(ms);
    order.push(name);
  },
  refuse: () => void order.push(`${name} refused`),
});

it('runs a job at once while the turn is young', () => {
  const turns = new TurnShare({ turnMs: 1000, targetMs: 25, most: 100 });
  turns.run(job('a', 'a1'));
  turns.run(job('b', 'b1'));
  expect(order).toEqual(['a1', 'b1']);
});

it('leaves the rest to later turns, a client with little before one with much', async () => {
  const turns = new TurnShare({ turnMs: 2, targetMs: 25, most: 100 });
  for (let i = 1; i <= 6; i++) turns.run(job('attacker', `attacker ${i}`, { ms: 3 }));
  turns.run(job('other', 'other', { ms: 3 }));
  expect(order).toEqual(['attacker 1']);
  let taken = 0;
  for (; order.length < 7; taken++) await nextTurn();
  expect(taken).toBeGreaterThanOrEqual(6);
  expect(order.indexOf('other')).toBeLessThanOrEqual(2);
  expect(order.filter((name) => name !== 'other')).toEqual([1, 2, 3, 4, 5, 6].map((i) => `attacker ${i}`));
});

it('refuses predictions that are too many, not those of another model, nor other requests', async () => {
  const turns = new TurnShare({ turnMs: 1000, targetMs: 25, fixed: 10, most: 10 });
  for (let i = 0; i < 30; i++) turns.defer(job('a', `flood ${i}`, { topic: 'digits' }));
  turns.defer(job('a', 'other model', { topic: 'faces' }));
  turns.defer(job('a', 'list'));
  turns.defer(job('b', 'other client', { topic: 'digits' }));
  for (let taken = 0; order.length < 33; taken++) {
    expect(taken).toBeLessThan(100);
    await nextTurn();
  }
  expect(order.filter((name) => name.endsWith('refused'))).toHaveLength(20);
  expect(order).not.toContain('flood 0 refused');
  for (const name of ['other model', 'list', 'other client']) expect(order).toContain(name);
});

it('refuses few in a turn, so that answers get the time, and more once refusals have waited for a second', async () => {
  const turns = new TurnShare({ turnMs: 10, targetMs: 25, fixed: 6, most: 6 });
  const flood: Job = {
    ...job('a', 'answered', { ms: 11, topic: 'digits' }),
    refuse() {
      busyFor(1);
      order.push('refused');
    },
  };
  for (let i = 0; i < 30; i++) turns.defer(flood);
  const answers = () => order.filter((name) => name === 'answered').length;
  while (answers() < 4) await nextTurn();
  // One alone before it was known that there are more.
  expect(order.slice(0, 6)).toEqual(['answered', 'answered', 'refused', 'answered', 'refused', 'answered']);
  busyFor(1001);
  while (answers() < 6) await nextTurn();
  const between = order.slice(order.lastIndexOf('answered', order.lastIndexOf('answered') - 1) + 1, -1);
  expect(between.length).toBeGreaterThan(1);
});
