// Rows of several kinds: tables for each kind cost less, frames stay exact, and the profile's file says all of it.
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { fitClusters } from '../../src/codec/clusters.ts';
import { fitUnits } from '../../src/codec/fit.ts';
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts';
import { idealBits, leastBitsPerRow, type Profile, type Quality, quantise } from '../../src/codec/profile.ts';
import { profileFromBytes, profileToBytes } from '../../src/codec/profile-bytes.ts';
import { gaussian, seeded, testProfile } from './profiles.ts';

const units = 10;
const kinds = 4;

const sign = seeded(1);
const means = Array.from({ length: kinds * units }, () => (sign() < 0.5 ? -3 : 3));

/** Each kind of row has a mean of its own, ±3 in every unit. */
function rowsOf(count: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: count * units }, (_, i) => {
    const kind = Math.floor(i / units) % kinds;
    return (means[kind * units + (i % units)] as number) + gaussian(random);
  });
}

const codes = rowsOf(4000, 2);
const plain: Quality = {
  units: fitUnits({ codes, units, sensitivity: new Float32Array(units).fill(1), lambda: 0.3 }),
  bytesPerRow: 0,
  psnr: 0,
};
const fitted = fitClusters({ quality: plain, symbols: quantise(plain, codes), count: kinds });
const clustered: Quality = { ...plain, clusters: fitted.clusters };
const profile: Profile = {
  hash: testProfile().hash,
  codeShape: [units],
  order: Uint16Array.from({ length: units }, (_, j) => (3 * j) % units),
  qualities: [plain, clustered],
};
const fresh = quantise(plain, rowsOf(640, 3));

describe('clusters', () => {
  it('find the kinds of rows, and save most of what telling them apart by every unit costs', () => {
    for (let kind = 0; kind < kinds; kind++) {
      const found = fitted.members.filter((_, row) => row % kinds === kind);
      const alike = found.filter((cluster) => cluster === found[0]).length;
      expect(Math.max(alike, found.length - alike) / found.length).toBeGreaterThan(0.98);
    }
    // what the signs of the means cost when each unit is coded on its own, less the two bits of the kind
    const signs = Array.from({ length: units }, (_, j) => {
      const share = means.filter((mean, i) => i % units === j && mean > 0).length / kinds;
      return share === 0 || share === 1 ? 0 : -share * Math.log2(share) - (1 - share) * Math.log2(1 - share);
    });
    const saved = (idealBits(plain, fresh) - idealBits(clustered, fresh)) / 640;
    expect(Math.abs(saved - (signs.reduce((a, b) => a + b, 0) - 2))).toBeLessThan(0.5);
  });

  it('are the same each time, and go on from those of another quality', () => {
    const symbols = quantise(plain, codes);
    expect(fitClusters({ quality: plain, symbols, count: kinds })).toEqual(fitted);
    const { members } = fitClusters({ quality: plain, symbols, count: kinds, members: fitted.members });
    expect(members.filter((cluster, row) => cluster !== fitted.members[row]).length).toBeLessThan(40);
  });

  it.each(['compact', 'batch', 'standard', 'progressive'] as const)('%s frames give back the symbols', (kind) => {
    const rows = kind === 'compact' ? 1 : 64;
    for (let row = 0; row < 64; row += rows) {
      const symbols = fresh.subarray(row * units, (row + rows) * units);
      const frame = encodeFrame(profile, symbols, { kind, quality: 1 });
      expect(decodeFrame(profile, frame).symbols).toEqual(symbols);
      if (kind !== 'batch') continue;
      expect(frame.length).toBeLessThan(idealBits(clustered, symbols) / 8 + 9);
    }
  });

  it('leave no damaged frame undetected, and none claims more rows than it can hold', () => {
    const frame = encodeFrame(profile, fresh.subarray(0, 8 * units), { kind: 'standard', quality: 1 });
    for (let at = 0; at < 8 * frame.length; at++) {
      const damaged = frame.slice();
      damaged[at >> 3] = (damaged[at >> 3] as number) ^ (1 << (at & 7));
      expect(() => decodeFrame(profile, damaged)).toThrow(HourglassError);
    }
    expect(leastBitsPerRow(clustered)).toBeGreaterThan(0);
    for (let row = 0; row < 640; row++) {
      const one = fresh.subarray(row * units, (row + 1) * units);
      expect(idealBits(clustered, one)).toBeGreaterThanOrEqual(leastBitsPerRow(clustered));
    }
  });

  it('are in version 2 of the profile’s file, while profiles without any stay version 1', () => {
    const { hash: _, ...body } = profile;
    const bytes = profileToBytes(body);
    expect([...bytes.subarray(0, 4)]).toEqual([0x48, 0x47, 0x50, 2]);
    const back = profileFromBytes(bytes);
    expect(profileToBytes(back)).toEqual(bytes);
    const symbols = fresh.subarray(0, 64 * units);
    const options = { kind: 'batch', quality: 1 } as const;
    expect(encodeFrame({ ...profile, ...back }, symbols, options)).toEqual(encodeFrame(profile, symbols, options));
    expect(profileToBytes({ ...body, qualities: [plain] })[3]).toBe(1);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => profileFromBytes(bytes.subarray(0, length))).toThrow(/codec tables/);
    }
  });
});
