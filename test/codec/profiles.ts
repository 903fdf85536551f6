// Profiles for the codec's tests: Gaussian units of falling scale, as a trained code has them; deterministic.
import { createHash } from 'node:crypto';
import { constantTable, fitTable } from '../../src/codec/frequency-table.ts';
import type { Profile, Quality } from '../../src/codec/profile.ts';

/** Small deterministic generator (mulberry32): the codec's goldens must not move with the product's own generator. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const scales = (units: number): number[] => Array.from({ length: units }, (_, j) => 3 / (1 + j / 4));

function quality(units: number, step: number): Quality {
  return {
    units: scales(units).map((scale, j) => {
      if (j === units - 1) return { step: 1, offset: 0.5, table: constantTable(0), bitWeight: 0 };
      const reach = Math.ceil((3 * scale) / step);
      const weights = Array.from({ length: 2 * reach + 1 }, (_, i) =>
        Math.exp(-0.5 * (((i - reach) * step) / scale) ** 2),
      );
      return {
        step,
        offset: 0.25 * j,
        table: fitTable(-reach, weights, 0.003 * weights.reduce((a, b) => a + b, 0)),
        bitWeight: 0,
      };
    }),
    bytesPerRow: units / 4 / step,
    psnr: 20 - step,
  };
}

export function testProfile(units = 16, name = 'test'): Profile {
  return {
    hash: createHash('sha256').update(name).digest(),
    codeShape: [units],
    order: Uint16Array.from({ length: units }, (_, j) => j),
    qualities: [quality(units, 2), quality(units, 1), quality(units, 0.5)],
  };
}

/** Codes [rows, units] from the distribution that `testProfile` expects. */
export function testCodes(rows: number, units = 16, seed = 7): Float32Array {
  const random = seeded(seed);
  const scale = scales(units);
  return Float32Array.from({ length: rows * units }, (_, i) => {
    const j = i % units;
    return j === units - 1 ? 0.5 : 0.25 * j + (scale[j] as number) * gaussian(random);
  });
}
