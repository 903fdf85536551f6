// Timeouts of many: none fires early, all that are not cancelled fire.
import { expect, it } from 'vitest';
import { TimerWheel } from '../../src/platform/timer-wheel.ts';

it('fires what is not cancelled, never early', async () => {
  const wheel = new TimerWheel(10);
  const fired: { wanted: number; after: number }[] = [];
  const start = performance.now();
  const cancelled = wheel.add(30, () => fired.push({ wanted: -1, after: 0 }));
  const last = new Promise<void>((resolve) => {
    for (const wanted of [0, 5, 20, 45, 45, 80]) {
      wheel.add(wanted, () => {
        fired.push({ wanted, after: performance.now() - start });
        if (wanted === 80) resolve();
      });
    }
  });
  wheel.cancel(cancelled);
  // The wheel's interval keeps no process alive: something else must.
  const alive = setInterval(() => {}, 1000);
  await last;
  clearInterval(alive);
  expect(fired.map(({ wanted }) => wanted)).toEqual([0, 5, 20, 45, 45, 80]);
  for (const { wanted, after } of fired) expect(after).toBeGreaterThanOrEqual(wanted);
});

it('goes on after it has been empty', async () => {
  const wheel = new TimerWheel(5);
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => wheel.add(5, resolve));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await new Promise<void>((resolve) => wheel.add(5, resolve));
  clearInterval(alive);
});
