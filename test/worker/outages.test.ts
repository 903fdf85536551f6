// The short form of `npm run faults`: Redis goes away under gateway and workers, and gateways are restarted behind a proxy, while
// clients submit jobs and ask for predictions. Real processes, and a proxy that can stop forwarding.
import { expect, it } from 'vitest';
import { type Away, surviveOutage } from '../../bench/faults/outages.ts';
import { rollOut } from '../../bench/faults/rollouts.ts';
import { inOwnWorld } from '../../bench/faults/world.ts';

it.each<[Away, number]>([
  ['killed', 2],
  ['half-open', 3],
])(
  'loses and doubles no job while Redis is %s for %i s, refuses submissions as documented, and goes on predicting',
  async (away, seconds) => {
    const survived = await inOwnWorld((world) =>
      surviveOutage(world, { away, seconds, pauseMs: 1000, beforeMs: 800, afterMs: 1000 }),
    );
    expect(survived).toMatchObject({ lost: 0, doubled: 0, wrong: [], predictionsFailed: [], attempts: [1, 1] });
    expect(survived.acknowledged).toBeGreaterThan(3);
    expect(survived.refused).toBeGreaterThan(0);
    expect(survived.predictions).toBeGreaterThan(10);
    expect(survived.consumedAfterMs).toBeLessThan(Number.POSITIVE_INFINITY);
  },
  180_000,
);

it('fails no request while gateways are restarted one after the other', async () => {
  const rolledOut = await inOwnWorld((world) => rollOut(world, { rollouts: 2, drain: '1s' }));
  expect(rolledOut).toMatchObject({ failed: [], badExits: [] });
  expect(rolledOut.closing).toBeGreaterThan(0);
  expect(Math.min(rolledOut.rest, rolledOut.grpc)).toBeGreaterThan(50);
}, 120_000);
