// Frames: exact for what was sent, and a typed refusal for everything else.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { decodeFrame, type EncodeFrameOptions, encodeFrame } from '../../src/codec/frame.ts';
import { dequantise, idealBits, type Profile, type Quality, quantise } from '../../src/codec/profile.ts';
import { seeded, testCodes, testProfile } from './profiles.ts';

const profile = testProfile();
const qualityOf = (i: number): Quality => profile.qualities[i] as Quality;
const kinds = ['compact', 'batch', 'standard', 'progressive'] as const;

function frameOf(
  kind: EncodeFrameOptions['kind'],
  rows: number,
  quality = 1,
): { symbols: Int32Array; frame: Uint8Array } {
  const symbols = quantise(qualityOf(quality), testCodes(rows));
  return { symbols, frame: encodeFrame(profile, symbols, { kind, quality }) };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HourglassError) return error.code;
    throw error;
  }
  return 'decoded';
}

describe.each(kinds)('%s frame', (kind) => {
  const rows = kind === 'compact' ? 1 : 5;

  it('gives back the symbols, and codes within half a step', () => {
    const codes = testCodes(rows);
    for (const index of [0, 1, 2]) {
      const quality = qualityOf(index);
      const symbols = quantise(quality, codes);
      const decoded = decodeFrame(profile, encodeFrame(profile, symbols, { kind, quality: index }));
      expect(decoded.symbols).toEqual(symbols);
      expect(decoded.header).toMatchObject({ kind, quality: index, rows });
      const error = dequantise(quality, decoded.symbols).map((value, i) => Math.abs(value - (codes[i] as number)));
      for (const [i, e] of error.entries())
        expect(e).toBeLessThanOrEqual((quality.units[i % 16]?.step as number) / 2 + 1e-5);
    }
  });

  it('refuses every truncation', () => {
    const { frame } = frameOf(kind, rows);
    for (let length = 0; length < frame.length; length++) {
      const code = codeOf(() => decodeFrame(profile, frame.subarray(0, length)));
      if (kind === 'progressive' && code === 'decoded') continue;
      expect(['invalid-frame', 'frame-checksum', 'unsupported-frame-version', 'model-mismatch']).toContain(code);
    }
  });

  it('refuses trailing bytes', () => {
    const { frame } = frameOf(kind, rows);
    for (const extra of [0, 1, 255]) {
      expect(codeOf(() => decodeFrame(profile, Uint8Array.from([...frame, extra])))).toBe('frame-checksum');
    }
  });

  it('names the other model', () => {
    const { frame } = frameOf(kind, rows);
    expect(codeOf(() => decodeFrame(testProfile(16, 'another'), frame))).toBe('model-mismatch');
  });

  it('answers mutations with a typed refusal or, at most as often as its checksum allows, with symbols', () => {
    const { symbols, frame } = frameOf(kind, rows);
    const random = seeded(99);
    let slipped = 0;
    const runs = 20_000;
    for (let i = 0; i < runs; i++) {
      const mutated = frame.slice();
      const flips = 1 + Math.floor(random() * 4);
      for (let k = 0; k < flips; k++) {
        const at = Math.floor(random() * mutated.length);
        mutated[at] = (mutated[at] as number) ^ (1 << Math.floor(random() * 8));
      }
      if (mutated.every((byte, at) => byte === frame[at])) continue;
      const code = codeOf(() => {
        const decoded = decodeFrame(profile, mutated);
        // a progressive frame whose later part lost its length is a shorter, still true frame
        if (decoded.units === 16 && decoded.symbols.some((s, at) => s !== symbols[at])) slipped++;
      });
      expect(code).toMatch(
        /^(decoded|invalid-frame|frame-checksum|unsupported-frame-version|model-mismatch|batch-too-large)$/,
      );
    }
    expect(slipped).toBeLessThanOrEqual(kind === 'standard' ? 0 : 3);
  });
});

describe('a wrong table', () => {
  it('is caught though the payload decodes', () => {
    const { symbols, frame } = frameOf('compact', 1);
    const units = qualityOf(1).units.map((unit, j) =>
      j === 3 ? { ...unit, table: (qualityOf(1).units[4] as typeof unit).table } : unit,
    );
    const other: Profile = { ...profile, qualities: [qualityOf(0), { ...qualityOf(1), units }, qualityOf(2)] };
    expect(codeOf(() => decodeFrame(other, frame))).toBe('frame-checksum');
    expect(decodeFrame(profile, frame).symbols).toEqual(symbols);
  });
});

describe('a lying head', () => {
  it('is refused before its claim is allocated', () => {
    const { frame } = frameOf('batch', 5);
    const claim = (rows: number[]): Uint8Array =>
      Uint8Array.from([...frame.subarray(0, 4), ...rows, ...frame.subarray(5)]);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) {
      expect(codeOf(() => decodeFrame(profile, claim([0xff, 0xff, 0xff, 0x7f])))).toBe('batch-too-large');
      expect(codeOf(() => decodeFrame(profile, claim([0xff, 0xff, 0x03])))).toBe('invalid-frame');
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(8 << 20);
    expect(codeOf(() => decodeFrame(profile, claim([0])))).toBe('invalid-frame');
    expect(codeOf(() => decodeFrame(profile, claim([0xff, 0xff, 0xff, 0xff, 0xff])))).toBe('invalid-frame');
    expect(codeOf(() => decodeFrame(profile, frame, 4))).toBe('batch-too-large');
  });

  it('of an unknown format says which are known', () => {
    for (const kind of [0, 5, 15]) {
      expect(codeOf(() => decodeFrame(profile, Uint8Array.of(kind << 4, 1, 2, 3, 4, 5)))).toBe(
        'unsupported-frame-version',
      );
    }
  });
});

describe('progressive', () => {
  it('any prefix decodes to the units that arrived whole', () => {
    const { symbols, frame } = frameOf('progressive', 2);
    const seen = new Set<number>();
    for (let length = 12; length <= frame.length; length++) {
      const decoded = decodeFrame(profile, frame.subarray(0, length));
      seen.add(decoded.units);
      for (let row = 0; row < 2; row++) {
        for (const unit of profile.order.subarray(0, decoded.units)) {
          expect(decoded.symbols[row * 16 + unit]).toBe(symbols[row * 16 + unit]);
        }
      }
    }
    expect([...seen]).toEqual([0, 3, 6, 9, 12, 16]);
  });
});

describe('size', () => {
  it('is the payload plus 5 bytes for one row, plus at most 8 for a batch', () => {
    const { frame, symbols } = frameOf('batch', 64);
    const ideal = idealBits(qualityOf(1), symbols) / 8;
    expect(frame.length - ideal).toBeLessThan(8 + 1);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const row = quantise(qualityOf(1), testCodes(1, 16, seed));
        const bytes = encodeFrame(profile, row, { kind: 'compact', quality: 1 });
        expect(bytes.length).toBeLessThanOrEqual(5 + Math.ceil(idealBits(qualityOf(1), row) / 8) + 1);
        expect(decodeFrame(profile, bytes).symbols).toEqual(row);
      }),
      { numRuns: 500, seed: 15 },
    );
  });
});

describe('golden frames of format 1 to 4', () => {
  it.each(kinds)('%s', (kind) => {
    const { frame } = frameOf(kind, kind === 'compact' ? 1 : 3);
    expect(Buffer.from(frame).toString('hex')).toMatchSnapshot();
  });
});
