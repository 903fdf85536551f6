// Series to rows of one length: every format, gaps, classes, windows, what is held out, and what is refused on the way.
import { describe, expect, it } from 'vitest';
import type { SplitName } from '../../src/data/dataset.ts';
import { rowsOfClasses } from '../../src/data/rows-of-classes.ts';
import { failure, uploads } from './uploads.ts';

const { store, upload } = uploads({ kind: 'series', testFraction: 0 });

/** Rows with null where nothing was observed. */
async function rowsOf(name: string, split: SplitName = 'train'): Promise<(number | null)[][]> {
  const source = (await store.open(name)).split(split);
  const values = new Float32Array(source.length * source.rowSize);
  await source.readRange(0, source.length, values);
  return Array.from({ length: source.length }, (_, row) =>
    Array.from(values.subarray(row * source.rowSize, (row + 1) * source.rowSize), (value) =>
      Number.isNaN(value) ? null : value,
    ),
  );
}

/** A NumPy array of float32. */
function npy(shape: readonly number[], values: readonly number[]): Uint8Array {
  const header = `${`{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},)}`.padEnd(117)}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), Buffer.from(Float32Array.from(values).buffer)]);
}

describe('series', () => {
  it('are lines of a table, of any length, with gaps and a class', async () => {
    const info = await upload({ rows: 'a\t1\t2\t3\nb\t4\t\tNaN\t7\na\t8\t9\t\t\n' }, { labelColumn: 0, header: false });
    expect(info).toMatchObject({
      ...{ shape: [4, 1], rows: { train: 3, test: 0 }, classNames: ['a', 'b'], range: [1, 9], format: 'csv' },
      series: { shortest: 2, longest: 4, train: 7, test: 0, missing: 2, means: [34 / 7] },
    });
    expect(info.preprocessing).toBeUndefined();
    expect(await rowsOf(info.name)).toEqual([
      [1, 2, 3, null],
      [4, null, null, 7],
      [8, 9, null, null],
    ]);
    const chosen = await rowsOfClasses(await store.open(info.name), ['a']);
    const rows = new Float32Array(8);
    await chosen.split('train').readRange(0, 2, rows);
    expect([...rows.slice(0, 3), ...rows.slice(4, 6)]).toEqual([1, 2, 3, 8, 9]);
    expect([...((await chosen.split('train').labels()) ?? [])]).toEqual([0, 0]);
    expect(chosen.info.rows).toEqual({ train: 2, test: 0 });
  });

  it('are JSON Lines, of one channel or several', async () => {
    const flat = await upload({
      rows: '[1, null, 2.5]\n\n{"values": [4], "label": "x"}\n'
        .replace('[1', '{"label": "y", "values": [1')
        .replace('2.5]', '2.5]}'),
    });
    expect(flat).toMatchObject({ shape: [3, 1], classNames: ['x', 'y'], format: 'jsonl' });
    const wide = await upload({ rows: '[[1, 10], [2, null]]\n[[3, 30], [4, 40], [5, 50]]\n' });
    expect(wide).toMatchObject({ shape: [3, 2], series: { missing: 1, means: [3, (10 + 30 + 40 + 50) / 4] } });
    expect(await rowsOf(wide.name)).toEqual([
      [1, 10, 2, null, null, null],
      [3, 30, 4, 40, 5, 50],
    ]);
  });

  it('are arrays of NumPy, in which NaN is a gap', async () => {
    const one = await upload({ rows: npy([2, 3], [1, 2, Number.NaN, 4, 5, 6]), labels: 'up\ndown\n' });
    expect(one).toMatchObject({ shape: [3, 1], classNames: ['down', 'up'], format: 'npy' });
    expect(await rowsOf(one.name)).toEqual([
      [1, 2, null],
      [4, 5, 6],
    ]);
    const two = await upload({ rows: npy([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]) });
    expect(two).toMatchObject({ shape: [2, 2], series: { means: [4, 5] } });
    expect(await failure(upload({ rows: npy([1, 2], [1, Number.POSITIVE_INFINITY]) }))).toMatch(
      /^non-finite: .*infinite/,
    );
  });

  it('are tables of time steps, in the order of their times', async () => {
    const rows = 'device,when,load,heat\nb,2,20,5\na,2024-01-02,2,7\na,2024-01-01,1,\nb,1,10,6\n';
    const info = await upload({ rows }, { seriesColumn: 'device', timeColumn: 'when' });
    expect(info).toMatchObject({ shape: [2, 2], series: { channels: ['load', 'heat'], missing: 1 } });
    expect(await rowsOf(info.name)).toEqual([
      [10, 6, 20, 5],
      [1, null, 2, 7],
    ]);
  });

  it('are cut into windows, of which the last are held out', async () => {
    const rows = `${Array.from({ length: 20 }, (_, t) => t).join(',')}\n`;
    const info = await upload({ rows }, { window: { steps: 4, stride: 3 }, testFraction: 0.25, header: false });
    expect(info.rows).toEqual({ train: 4, test: 1 });
    expect((await rowsOf(info.name)).map(([first, , , last]) => [first, last])).toEqual([
      [0, 3],
      [3, 6],
      [6, 9],
      [9, 12],
    ]);
    expect(await rowsOf(info.name, 'test')).toEqual([[15, 16, 17, 18]]);
  });

  it('have test series of their own, or some held out by the seed', async () => {
    const own = await upload({ rows: '1,2\n3,4\n', 'test-rows': '5,6,7\n' }, { header: false });
    expect(own).toMatchObject({ shape: [3, 1], rows: { train: 2, test: 1 }, series: { train: 4, test: 3 } });
    const rows = Array.from({ length: 20 }, (_, i) => `${i},${i + 1}`).join('\n');
    const held = await upload({ rows }, { header: false, testFraction: 0.1 });
    expect(held.rows).toEqual({ train: 18, test: 2 });
    expect((await upload({ rows }, { header: false, testFraction: 0.1 })).hash).toBe(held.hash);
  });

  it('say what is wrong with them', async () => {
    expect(await failure(upload({ rows: '1,2\nx,4\n' }, { header: false }))).toMatch(/step 0 of series 2 is "x"/);
    expect(await failure(upload({ rows: '1,2\n' }, { header: false }))).toMatch(/1 series are left for training/);
    expect(await failure(upload({ rows: '[1, 2]\n[[1, 2]]\n' }))).toMatch(
      /^shape-mismatch: .*2 channels, others have 1/,
    );
    expect(await failure(upload({ rows: '[[1, 2], [3]]\n' }))).toMatch(/step 1 of line 1 has 1 values/);
    expect(await failure(upload({ rows: '[1, "2"]\n' }))).toMatch(/step 1 of line 1 has "2", which is no number/);
    expect(await failure(upload({ rows: '{"x": 1}\n' }))).toMatch(/line 1 holds no series/);
    expect(await failure(upload({ rows: '[1, 2\n' }))).toMatch(/line 1 is not JSON/);
    expect(await failure(upload({ rows: 'a,b\n1,2\n' }, { seriesColumn: 'id' }))).toMatch(/no column "id"/);
    expect(await failure(upload({ rows: '1,2\n3,4\n' }, { labelColumn: 'class' }))).toMatch(/no label column "class"/);
    expect(await failure(upload({ rows: '[1]\n{"values": [2], "label": "x"}\n' }))).toMatch(/some series have a class/);
    expect(await failure(upload({ rows: '1,2\n3,4\n', items: 'a,b\n' }, { header: false }))).toMatch(
      /series have none/,
    );
    expect(await failure(upload({ rows: 'PK\x03\x04' }))).toMatch(/series are .npy, CSV or JSON Lines/);
  });
});
