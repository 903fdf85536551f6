import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Split } from '../../src/data/dataset.ts';
import { HoldOut } from '../../src/data/hold-out.ts';
import { ShuffledRows } from '../../src/data/shuffled-rows.ts';

/** Row i is [i, −i]. Counts how it is read. */
function countingSplit(length: number, reads: { ranges: number; rows: number } = { ranges: 0, rows: 0 }): Split {
  const fill = (row: number, out: Float32Array, at: number) => out.set([row, -row], 2 * at);
  return {
    length,
    inMemory: true,
    storedBytes: 8 * length,
    rowSize: 2,
    async readRange(start, end, out) {
      reads.ranges++;
      for (let row = start; row < end; row++) fill(row, out, row - start);
    },
    async readRows(rows, out) {
      reads.rows++;
      for (const [i, row] of rows.entries()) fill(row, out, i);
    },
    labels: () => Promise.resolve(undefined),
  };
}

const windowed = { blockRows: 4, windowBlocks: 3 };
const shuffled = (options: Partial<ConstructorParameters<typeof ShuffledRows>[0]> = {}) =>
  new ShuffledRows({ split: countingSplit(103), seed: 7, stream: 'train', ...options });

async function epochOf(rows: ShuffledRows, epoch: number, step = rows.length): Promise<number[]> {
  const order: number[] = [];
  for (let at = 0; at < rows.length; at += step) {
    const count = Math.min(step, rows.length - at);
    const out = new Float32Array(2 * count);
    const numbers = await rows.read(epoch, at, count, out);
    expect([...out]).toEqual([...numbers].flatMap((row) => [row, -row]));
    order.push(...numbers);
  }
  return order;
}

describe('ShuffledRows', () => {
  it('visits every row once an epoch, in a new order each time, the same for the same seed', async () => {
    for (const options of [{}, { windowed }, { windowed, start: 10, end: 57 }, { start: 10, end: 57 }]) {
      const rows = shuffled(options);
      const { start = 0, end = 103 } = options as { start?: number; end?: number };
      const first = await epochOf(rows, 0);
      const inOrder = Array.from({ length: end - start }, (_, i) => start + i);
      expect(first).not.toEqual(inOrder);
      expect([...first].sort((a, b) => a - b)).toEqual(inOrder);
      expect(await epochOf(rows, 1)).not.toEqual(first);
      expect(await epochOf(shuffled(options), 0)).toEqual(first);
      expect(await epochOf(shuffled({ ...options, seed: 8 }), 0)).not.toEqual(first);
      expect(await epochOf(shuffled({ ...options, stream: 'other' }), 0)).not.toEqual(first);
    }
  });

  it('property: any position can be read at any time, in pieces of any size', async () => {
    const whole = await epochOf(shuffled({ windowed }), 3);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(102), fc.nat(40)), { maxLength: 8 }), async (reads) => {
        const rows = shuffled({ windowed });
        for (const [first, length] of reads) {
          const count = Math.min(length, 103 - first);
          const found = await rows.read(3, first, count, new Float32Array(2 * count));
          expect([...found]).toEqual(whole.slice(first, first + count));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('reads a large set in blocks, each once an epoch', async () => {
    const reads = { ranges: 0, rows: 0 };
    await epochOf(shuffled({ split: countingSplit(103, reads), windowed }), 0, 5);
    expect(reads).toEqual({ ranges: 26, rows: 0 });
  });

  it('chooses the two-level shuffle by the size of the stored set', async () => {
    const reads = { ranges: 0, rows: 0 };
    const large = { ...countingSplit(200_000, reads), storedBytes: 2 ** 30 };
    await shuffled({ split: large }).read(0, 0, 10, new Float32Array(20));
    expect(reads.rows).toBe(0);
    expect(reads.ranges).toBeGreaterThan(0);
  });

  it('refuses positions beyond the epoch', async () => {
    await expect(shuffled().read(0, 100, 4, new Float32Array(8))).rejects.toThrow(RangeError);
  });
});

describe('HoldOut', () => {
  it('takes the exact share, evenly over the rows', () => {
    for (const fraction of [0.1, 0.25, 0.3, 0.5, 0.9]) {
      const holdOut = new HoldOut(1, fraction);
      const chosen = Array.from({ length: 1000 }, (_, row) => (holdOut.split(row) === 'test' ? 1 : 0));
      for (const [start, end] of [
        [0, 1000],
        [0, 100],
        [400, 600],
      ] as const) {
        const share = chosen.slice(start, end).reduce((sum: number, one) => sum + one, 0);
        expect(Math.abs(share - fraction * (end - start))).toBeLessThanOrEqual(2);
      }
    }
  });

  it('depends on the seed and not on how often it is asked', () => {
    const pick = (seed: number, times: number) => {
      const holdOut = new HoldOut(seed, 0.2);
      return Array.from({ length: 50 * times }, (_, i) => holdOut.split(Math.floor(i / times))).filter(
        (_, i) => i % times === 0,
      );
    };
    expect(pick(3, 2)).toEqual(pick(3, 1));
    expect(pick(4, 1)).not.toEqual(pick(3, 1));
    const splitsOf = (holdOut: HoldOut) => Array.from({ length: 9 }, (_, row) => holdOut.split(row));
    expect(new Set(splitsOf(new HoldOut(1, 0)))).toEqual(new Set(['train']));
    expect(new Set(splitsOf(new HoldOut(1, 1)))).toEqual(new Set(['test']));
  });
});
