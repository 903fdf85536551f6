// Fitted profiles against theory, and profiles as files.
import { describe, expect, it } from 'vitest';
import { fitUnits, importanceOrder } from '../../src/codec/fit.ts';
import { dequantise, idealBits, type Quality, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes, profileToBytes } from '../../src/codec/profile-bytes.ts';
import { gaussian, seeded, testProfile } from './profiles.ts';

const units = 8;
const deviations = [4, 3, 2, 1.5, 1, 0.5, 0.2, 0.05];
const sensitivity = [1, 1, 4, 1, 1, 1, 1, 0];

function gaussianCodes(rows: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from(
    { length: rows * units },
    (_, i) => 10 * (i % units) + (deviations[i % units] as number) * gaussian(random),
  );
}

/** Shannon's bound for independent Gaussians: reverse water-filling, bits a row at a total squared error. */
function gaussianBound(distortion: number): number {
  const variances = deviations.map((d, j) => d * d * (sensitivity[j] as number)).filter((v) => v > 0);
  let low = 0;
  let high = Math.max(...variances);
  for (let i = 0; i < 100; i++) {
    const level = (low + high) / 2;
    if (variances.reduce((sum, v) => sum + Math.min(v, level), 0) > distortion) high = level;
    else low = level;
  }
  return variances.reduce((bits, v) => bits + Math.max(0, 0.5 * Math.log2(v / low)), 0);
}

describe('fitted units', () => {
  it.each([0.02, 0.2, 1])(
    'stay within a scalar quantiser’s distance of Shannon’s bound on unseen rows, λ = %s',
    (lambda) => {
      const quality: Quality = {
        units: fitUnits({ codes: gaussianCodes(20_000, 1), units, sensitivity, lambda }),
        bytesPerRow: 0,
        psnr: 0,
      };
      const fresh = gaussianCodes(5000, 2);
      const symbols = quantise(quality, fresh);
      const decoded = dequantise(quality, symbols);
      let distortion = 0;
      for (let i = 0; i < fresh.length; i++) {
        distortion += (sensitivity[i % units] as number) * ((decoded[i] as number) - (fresh[i] as number)) ** 2;
      }
      distortion /= 5000;
      const bits = idealBits(quality, symbols) / 5000;
      // an entropy-coded scalar quantiser needs at most ½ log2(2πe/12) = 0.2546 bits a unit more than the bound
      expect(bits - gaussianBound(distortion)).toBeLessThan(0.26 * units);
      expect(bits).toBeGreaterThan(gaussianBound(distortion));
    },
  );

  it('beat plain rounding with the same tables in distortion plus λ times bits', () => {
    const lambda = 1;
    const codes = gaussianCodes(5000, 3);
    const fitted: Quality = { units: fitUnits({ codes, units, sensitivity, lambda }), bytesPerRow: 0, psnr: 0 };
    const rounding: Quality = { ...fitted, units: fitted.units.map((unit) => ({ ...unit, bitWeight: 0 })) };
    const cost = (quality: Quality): number => {
      const symbols = quantise(quality, codes);
      const decoded = dequantise(quality, symbols);
      const distortion = decoded.reduce(
        (sum, v, i) => sum + (sensitivity[i % units] as number) * (v - (codes[i] as number)) ** 2,
        0,
      );
      return distortion + lambda * idealBits(quality, symbols);
    };
    expect(cost(fitted)).toBeLessThan(cost(rounding));
  });

  it('spend nothing on a unit that the decoder ignores or that never moves', () => {
    const fitted = fitUnits({ codes: gaussianCodes(1000, 4), units, sensitivity, lambda: 0.2 });
    expect(fitted[7]?.table.constant).toBe(true);
    const still = fitUnits({ codes: new Float32Array(100).fill(3), units: 1, sensitivity: [1], lambda: 0.1 });
    expect(still[0]).toMatchObject({ offset: 3, bitWeight: 0 });
    expect(still[0]?.table.constant).toBe(true);
  });

  it('are ordered by what their loss would cost', () => {
    expect([...importanceOrder(gaussianCodes(5000, 5), units, sensitivity)]).toEqual([0, 2, 1, 3, 4, 5, 6, 7]);
  });
});

describe('a profile as a file', () => {
  it('comes back the same', () => {
    const { hash: _, ...body } = testProfile();
    const back = profileFromBytes(profileToBytes(body));
    expect(profileToBytes(back)).toEqual(profileToBytes(body));
    expect(back.qualities[1]?.units[2]?.table.frequencies).toEqual(body.qualities[1]?.units[2]?.table.frequencies);
  });

  it('is refused when cut or changed in its structure', () => {
    const { hash: _, ...body } = testProfile();
    const bytes = profileToBytes(body);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => profileFromBytes(bytes.subarray(0, length))).toThrow(/codec tables/);
    }
    expect(() => profileFromBytes(Uint8Array.from([...bytes, 0]))).toThrow(/codec tables/);
    const random = seeded(8);
    for (let i = 0; i < 2000; i++) {
      const mutated = bytes.slice();
      mutated[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      try {
        profileFromBytes(mutated);
      } catch (error) {
        expect((error as Error).message).toMatch(/codec tables/);
      }
    }
  });
});
