import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { floats, idx, npy } from './arrays.ts';
import { importParts, noHoldOut, refusal } from './importing.ts';

const pixels = Uint8Array.from({ length: 3 * 4 }, (_, i) => 20 * i);

describe('idx', () => {
  it('reads pictures with their labels and a test file, also gzipped', async () => {
    const { manifest, values, labels } = await importParts({
      rows: gzipSync(idx(8, [3, 2, 2], pixels)),
      labels: idx(8, [3], Uint8Array.of(7, 2, 7)),
      'test-rows': idx(8, [1, 2, 2], Uint8Array.of(1, 2, 3, 4)),
      'test-labels': gzipSync(idx(8, [1], Uint8Array.of(9))),
    });
    expect(manifest).toMatchObject({ shape: [2, 2, 1], dtype: 'uint8', divisor: 255, classNames: ['2', '7', '9'] });
    expect([...values.train]).toEqual([...pixels].map((value) => Math.fround(value / 255)));
    expect([...values.test]).toEqual([1, 2, 3, 4].map((value) => Math.fround(value / 255)));
    expect(labels).toEqual({ train: [1, 0, 1], test: [2] });
  });

  it('reads the other element types, which are big-endian', async () => {
    const int16 = await importParts(idx(11, [2, 1], Uint8Array.of(0xff, 0xfe, 0x01, 0x00)), noHoldOut);
    expect([...int16.values.train]).toEqual([-2, 256]);
    const float = Buffer.from(floats(1.5, -3)).swap32();
    expect([...(await importParts(idx(13, [2], float), noHoldOut)).values.train]).toEqual([1.5, -3]);
  });

  it('refuses data that does not match its header', async () => {
    await refusal(importParts(idx(8, [4, 2, 2], pixels)), 'invalid-dataset');
    await refusal(importParts(idx(8, [2, 2, 2], pixels)), 'invalid-dataset');
    await refusal(importParts(idx(8, [0xffff_ffff, 0xffff_ffff, 0xffff_ffff], pixels)), 'invalid-dataset');
    await refusal(importParts(idx(8, [3, 2, 2], pixels).subarray(0, 9)), 'invalid-dataset');
  });

  it('refuses labels and test rows that do not fit', async () => {
    const rows = idx(8, [3, 2, 2], pixels);
    const labels = (...values: number[]) => idx(8, [values.length], Uint8Array.from(values));
    const few = await refusal(importParts({ rows, labels: labels(1, 2) }, noHoldOut), 'invalid-dataset');
    expect(few.message).toContain('it has 2 labels, but there are 3 rows');
    await refusal(importParts({ rows, labels: labels(1, 2, 3, 4) }, noHoldOut), 'invalid-dataset');
    await refusal(
      importParts({ rows, labels: idx(8, [3, 2], Uint8Array.of(1, 2, 3, 4, 5, 6)) }, noHoldOut),
      'invalid-dataset',
    );
    const halves = npy({ shape: [3] }, floats(1, 0.5, 2));
    expect((await refusal(importParts({ rows, labels: halves }, noHoldOut), 'invalid-dataset')).message).toContain(
      '0.5',
    );
    const wide = idx(8, [1, 3, 3], new Uint8Array(9));
    await refusal(importParts({ rows, 'test-rows': wide }), 'shape-mismatch');
    const other = npy({ shape: [1, 2, 2, 1] }, floats(0, 0, 1, 1));
    await refusal(importParts({ rows, 'test-rows': other }), 'invalid-dataset');
    const classes = Uint8Array.from({ length: 12 }, (_, i) => i);
    await refusal(
      importParts({ rows: idx(8, [12, 1], classes), labels: idx(8, [12], classes) }, noHoldOut, { classes: 11 }),
      'invalid-dataset',
    );
  });

  it('fuzz: any header is imported or refused, never a crash', async () => {
    const anything = fc.tuple(
      fc.constantFrom(8, 9, 11, 12, 13, 14),
      fc.array(fc.nat(5), { maxLength: 4, minLength: 1 }),
      fc.uint8Array({ maxLength: 200 }),
    );
    await fc.assert(
      fc.asyncProperty(anything, async ([type, dims, data]) => {
        const thrown = await importParts(idx(type, dims, data), noHoldOut).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (thrown !== undefined) expect(thrown).toBeInstanceOf(HourglassError);
      }),
      { numRuns: 100 },
    );
  });
});
