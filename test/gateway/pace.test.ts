// Long work in steps: many at once take a part of each turn of the event loop, and each gets its turn.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { nextStep } from '../../src/gateway/pace.ts';

const busyFor = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
};

it('many works do a few steps a turn between them, in order', async () => {
  const order: number[] = [];
  let turn = 0;
  const turns: number[] = [];
  const work = async (i: number): Promise<void> => {
    for (let k = 0; k < 2; k++) {
      await nextStep();
      busyFor(3);
      order.push(i);
      turns.push(turn);
    }
  };
  const all = Promise.all(Array.from({ length: 20 }, (_, i) => work(i)));
  let isOver = false;
  void all.then(() => {
    isOver = true;
  });
  for (; !isOver; turn++) await nextTurn();
  const twenty = Array.from({ length: 20 }, (_, i) => i);
  expect(order).toEqual([...twenty, ...twenty]);
  const perTurn = new Map<number, number>();
  for (const one of turns) perTurn.set(one, (perTurn.get(one) ?? 0) + 1);
  // Two steps of 3 ms fit, and no third one.
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2);
});
