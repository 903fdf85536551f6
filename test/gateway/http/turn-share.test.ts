// Requests of many connections in one turn of the event loop: some at once, the rest in later turns, in which clients take turns.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TurnShare } from '../../../src/gateway/http/turn-share.ts';

const busyFor = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
};

it('runs a job at once while the turn is young', async () => {
  const turns = new TurnShare(1000);
  const done: string[] = [];
  await nextTurn();
  turns.run('a', () => done.push('a1'));
  turns.run('b', () => done.push('b1'));
  expect(done).toEqual(['a1', 'b1']);
});

it('leaves the rest to later turns, a client with little before one with much', async () => {
  const turns = new TurnShare(2);
  const order: string[] = [];
  const job = (name: string) => (): void => {
    busyFor(3);
    order.push(name);
  };
  await nextTurn();
  for (let i = 1; i <= 6; i++) turns.run('attacker', job(`attacker ${i}`));
  turns.run('other', job('other'));
  expect(order).toEqual(['attacker 1']);
  let turnsTaken = 0;
  for (; order.length < 7; turnsTaken++) await nextTurn();
  expect(turnsTaken).toBeGreaterThanOrEqual(6);
  expect(order.indexOf('other')).toBeLessThanOrEqual(2);
  expect(order.filter((name) => name !== 'other')).toEqual([1, 2, 3, 4, 5, 6].map((i) => `attacker ${i}`));
});

it('goes on after a job that throws', async () => {
  const turns = new TurnShare(1000);
  const thrown = new Promise((resolve) => process.once('uncaughtExceptionMonitor', resolve));
  let ran = false;
  const failures: unknown[] = [];
  const take = (error: unknown): void => void failures.push(error);
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').once('uncaughtException', take);
  turns.defer('a', () => {
    throw new Error('a job failed');
  });
  turns.defer('a', () => (ran = true));
  await thrown;
  await sleep(5);
  process.removeAllListeners('uncaughtException');
  for (const listener of before) process.on('uncaughtException', listener as (error: Error) => void);
  expect(ran).toBe(true);
  expect(failures).toHaveLength(1);
});
