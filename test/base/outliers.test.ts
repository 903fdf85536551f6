// p-values of outlier scores: evenly spread over rows like the held-out ones, small on both sides of them.
import { describe, expect, it } from 'vitest';
import { calibrate, pValue } from '../../src/base/outliers.ts';
import { RandomStream } from '../../src/base/random.ts';

const normal = (rows: number, name: string) => new RandomStream(1, name).normal(new Float32Array(rows));

describe('outlier calibration', () => {
  it('is exact for a few rows', () => {
    const calibration = calibrate([3, 1, 2]);
    expect(calibration).toEqual({ rows: 3, quantiles: [1, 2, 3] });
    expect(pValue(calibration, 2)).toBe(1);
    expect(pValue(calibration, 9)).toBeCloseTo(2 / 4);
    expect(pValue(calibration, -9)).toBeCloseTo(2 / 4);
  });

  it('rows like the held-out ones get evenly spread values', () => {
    const calibration = calibrate(normal(5000, 'held out'));
    expect(calibration.quantiles).toHaveLength(1001);
    const found = Array.from(normal(5000, 'new'), (score) => pValue(calibration, score));
    for (const level of [0.05, 0.25, 0.5, 0.9]) {
      expect(found.filter((p) => p < level).length / found.length).toBeCloseTo(level, 1);
    }
  });

  it('both ends are unusual, as much as the rows can tell', () => {
    const calibration = calibrate(normal(999, 'held out'));
    for (const score of [-50, 50]) expect(pValue(calibration, score)).toBeCloseTo(2 / 1000);
    expect(pValue(calibration, 0)).toBeGreaterThan(0.9);
  });

  it('equal scores are allowed, none at all or infinite ones are not', () => {
    expect(pValue(calibrate([5, 5, 5]), 5)).toBeGreaterThan(0);
    expect(() => calibrate([])).toThrow(/held-out/);
    expect(() => calibrate([1, Number.NaN])).toThrow(/finite/);
  });
});
