// The encoder-side search on a decoder that is not linear: never worse, close to the best there is.
import { describe, expect, it } from 'vitest';
import { fitUnits } from '../../src/codec/fit.ts';
import { dequantise, idealBits, type Quality, quantise } from '../../src/codec/profile.ts';
import { searchSymbols } from '../../src/codec/search.ts';
import { gaussian, seeded } from './profiles.ts';

const units = 3;
const values = 12;
const lambda = 0.02;
const random = seeded(21);
const weights = Float32Array.from({ length: units * values }, () => gaussian(random));

/** tanh(z W): the units overlap, so that rounding each on its own is not the best. */
async function decode(codes: Float32Array): Promise<Float32Array> {
  const rows = codes.length / units;
  const out = new Float32Array(rows * values);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < values; i++) {
      let sum = 0;
      for (let j = 0; j < units; j++) sum += (codes[row * units + j] as number) * (weights[j * values + i] as number);
      out[row * values + i] = Math.tanh(0.7 * sum);
    }
  }
  return out;
}

async function costs(quality: Quality, symbols: Int32Array, targets: Float32Array): Promise<number[]> {
  const decoded = await decode(dequantise(quality, symbols));
  return Array.from({ length: symbols.length / units }, (_, row) => {
    let cost = lambda * idealBits(quality, symbols.subarray(row * units, (row + 1) * units));
    for (let i = row * values; i < (row + 1) * values; i++)
      cost += ((decoded[i] as number) - (targets[i] as number)) ** 2;
    return cost;
  });
}

describe('search', () => {
  it('is never worse than rounding and near the exhaustive optimum', async () => {
    const rows = 60;
    const codes = Float32Array.from({ length: rows * units }, () => gaussian(random));
    const targets = (await decode(codes)).map((x) => x + 0.1 * gaussian(random));
    const quality: Quality = {
      units: fitUnits({ codes, units, sensitivity: [3, 3, 3], lambda }),
      bytesPerRow: 0,
      psnr: 0,
    };
    const rounded = quantise(quality, codes);
    const before = rounded.slice();
    const found = await searchSymbols({ quality, symbols: rounded, targets, decode, lambda });
    expect(rounded).toEqual(before);

    const start = await costs(quality, rounded, targets);
    const searched = await costs(quality, found, targets);
    const best = start.slice();
    for (const delta of grid(2)) {
      const tried = rounded.map((symbol, i) => symbol + (delta[i % units] as number));
      for (const [row, cost] of (await costs(quality, tried, targets)).entries())
        best[row] = Math.min(best[row] as number, cost);
    }
    for (const [row, cost] of searched.entries()) expect(cost).toBeLessThanOrEqual((start[row] as number) + 1e-6);
    const total = (all: number[]): number => all.reduce((a, b) => a + b, 0);
    const gained = (total(start) - total(searched)) / (total(start) - total(best));
    expect(gained).toBeGreaterThan(0.7);
  });
});

function grid(reach: number): number[][] {
  const range = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  return range.flatMap((a) => range.flatMap((b) => range.map((c) => [a, b, c])));
}
