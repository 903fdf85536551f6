import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { corrupt, drawNoise } from '../../src/data/corruption.ts';
import type { Corruption } from '../../src/jobspec/model.ts';

const size = 200_000;
const x = new Float32Array(size).fill(0.5);
const noisy = (corruption: Corruption, range: readonly [number, number] = [0, 1]) =>
  corrupt(x, drawNoise(corruption, new RandomStream(3, 'noise'), new Float32Array(size)), corruption, range);
const share = (values: Float32Array, value: number) => values.reduce((sum, v) => sum + (v === value ? 1 : 0), 0) / size;

describe('corrupt', () => {
  it('adds Gaussian noise of the given deviation, cut to the range', () => {
    const free = noisy({ type: 'gaussian', sigma: 0.25 }, [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    const mean = free.reduce((sum, v) => sum + v, 0) / size;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(Math.sqrt(free.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size)).toBeCloseTo(0.25, 2);
    const cut = noisy({ type: 'gaussian', sigma: 0.5 });
    // Φ(−1) beyond either end
    expect(share(cut, 0)).toBeCloseTo(0.1587, 2);
    expect(share(cut, 1)).toBeCloseTo(0.1587, 2);
    expect(cut.every((v) => v >= 0 && v <= 1)).toBe(true);
  });

  it('masks the given share with 0', () => {
    const masked = noisy({ type: 'masking', probability: 0.3 });
    expect(share(masked, 0)).toBeCloseTo(0.3, 2);
    expect(share(masked, 0.5)).toBeCloseTo(0.7, 2);
  });

  it('salts and peppers half of the given share each, at the ends of the range', () => {
    const peppered = noisy({ type: 'salt-and-pepper', probability: 0.2 }, [-1, 2]);
    expect(share(peppered, -1)).toBeCloseTo(0.1, 2);
    expect(share(peppered, 2)).toBeCloseTo(0.1, 2);
    expect(share(peppered, 0.5)).toBeCloseTo(0.8, 2);
  });

  it('leaves its input as it is', () => {
    noisy({ type: 'masking', probability: 0.5 });
    expect(x.every((v) => v === 0.5)).toBe(true);
  });
});
