import { describe, expect, it } from 'vitest';
import { ScoreKeeper } from '../../src/report/scores.ts';

describe('ScoreKeeper', () => {
  it('gives what one calculates by hand', () => {
    const keeper = new ScoreKeeper(2, [0, 1], true);
    keeper.add(Float32Array.of(0, 1, 0.5, 0.5), Float32Array.of(0.5, 0.5, 0.5, 0.25));
    const { mse, sse, psnr, psnrOfMean, bce } = keeper.result();
    expect(sse).toBeCloseTo((0.5 + 0.0625) / 2, 12);
    expect(mse).toBeCloseTo((0.5 + 0.0625) / 4, 12);
    expect(psnr).toBeCloseTo((-10 * Math.log10(0.25) - 10 * Math.log10(0.03125)) / 2, 12);
    expect(psnrOfMean).toBeCloseTo(-10 * Math.log10(0.140625), 12);
    const last = -(0.5 * Math.log(0.25) + 0.5 * Math.log(0.75));
    expect(bce).toBeCloseTo((3 * Math.log(2) + last) / 4, 12);
    expect(psnrOfMean).toBeLessThan(psnr);
  });

  it('does not depend on how rows come', () => {
    const x = Float32Array.from({ length: 40 }, (_, i) => ((i * 7) % 11) / 11);
    const y = x.map((value) => value * 0.8);
    const whole = new ScoreKeeper(4, [0, 1], true);
    whole.add(x, y);
    const parts = new ScoreKeeper(4, [0, 1], true);
    for (const [from, to] of [
      [0, 4],
      [4, 24],
      [24, 40],
    ])
      parts.add(x.subarray(from, to), y.subarray(from, to));
    for (const [name, value] of Object.entries(whole.result()))
      expect(Object.entries(parts.result())).toContainEqual([name, expect.closeTo(value, 12)]);
  });

  it('takes the width of the range as peak, and has cross-entropy in [0, 1] only', () => {
    const keeper = new ScoreKeeper(1, [-2, 8], true);
    keeper.add(Float32Array.of(0), Float32Array.of(1));
    expect(keeper.result()).toEqual({ mse: 1, sse: 1, psnr: 20, psnrOfMean: 20 });
    expect(new ScoreKeeper(1, [0, 1], false)).not.toHaveProperty('bce');
  });

  it('stays finite for perfect and for hopeless answers', () => {
    const perfect = new ScoreKeeper(2, [0, 1], true);
    perfect.add(Float32Array.of(0, 1), Float32Array.of(0, 1));
    expect(perfect.result()).toMatchObject({ mse: 0, psnr: 100, psnrOfMean: 100 });
    const hopeless = new ScoreKeeper(2, [0, 1], true);
    hopeless.add(Float32Array.of(0, 1), Float32Array.of(1, 0));
    expect(hopeless.result().bce).toBeCloseTo(-Math.log(1e-7), 5);
    expect(() => hopeless.add(Float32Array.of(0, 1), Float32Array.of(1))).toThrow(RangeError);
  });
});
