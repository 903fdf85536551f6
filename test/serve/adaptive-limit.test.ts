// Limits on requests in flight that follow from how long requests wait.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { AdaptiveLimit } from '../../src/serve/adaptive-limit.ts';
import { LaneLimits } from '../../src/serve/lane-limits.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** One decision: requests up to the limit, each of which has waited for so long. */
function window(limit: AdaptiveLimit, waitedMs: number, inFlight = limit.limit): void {
  while (limit.inFlight < inFlight) limit.enter();
  vi.advanceTimersByTime(200);
  for (let i = 0; i < 20; i++) limit.waited(waitedMs / 1000);
  while (limit.inFlight > 0) limit.leave();
}

describe('AdaptiveLimit', () => {
  it('shrinks when requests wait for longer than the target, and never below the least', () => {
    const limit = new AdaptiveLimit({ targetMs: 25, most: 1000 });
    window(limit, 50);
    expect(limit.limit).toBe(32);
    window(limit, 1000);
    expect(limit.limit).toBe(16);
    for (let i = 0; i < 10; i++) window(limit, 1000);
    expect(limit.limit).toBe(8);
  });

  it('grows while it is reached and requests wait for less, and not when it is not reached', () => {
    const limit = new AdaptiveLimit({ targetMs: 25, most: 100 });
    window(limit, 1, 3);
    window(limit, 1, 3);
    expect(limit.limit).toBe(64);
    window(limit, 1);
    expect(limit.limit).toBe(72);
    for (let i = 0; i < 20; i++) window(limit, 1);
    expect(limit.limit).toBe(100);
  });

  it('comes to rest where a service with one request a millisecond keeps the target', () => {
    const limit = new AdaptiveLimit({ targetMs: 25, most: 1000 });
    const seen: number[] = [];
    for (let i = 0; i < 100; i++) {
      window(limit, limit.limit);
      if (i >= 50) seen.push(limit.limit);
    }
    for (const value of seen) {
      expect(value).toBeGreaterThanOrEqual(15);
      expect(value).toBeLessThanOrEqual(35);
    }
  });

  it('lets requests of a slow model wait for some of its runs', () => {
    const limit = new AdaptiveLimit({ targetMs: 25, most: 1000 });
    limit.ran(0.1);
    window(limit, 350);
    expect(limit.limit).toBe(72);
    window(limit, 800);
    expect(limit.limit).toBeLessThanOrEqual(50);
  });

  it('stays what it is when it is fixed', () => {
    const limit = new AdaptiveLimit({ targetMs: 25, fixed: 3, most: 1000 });
    window(limit, 1000);
    expect(limit.limit).toBe(3);
  });
});

it('each model has a limit of its own, and what is beyond it is refused', () => {
  const limits = new LaneLimits({ targetMs: 25, fixed: 2, most: 100 });
  const [digits, faces] = [{}, {}];
  const held = [limits.enter(digits), limits.enter(digits)];
  expect(() => limits.enter(digits)).toThrow(HourglassError);
  limits.enter(faces);
  held[0]?.leave();
  limits.enter(digits);
  try {
    limits.enter(digits);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'overloaded', facts: { retryAfter: 1 } });
  }
});
