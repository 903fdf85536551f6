// Ratings from uploaded triples to sparse matrices, and what is refused on the way.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type SparseMatrix, scatterRow } from '../../src/base/sparse.ts';
import type { UploadPart } from '../../src/data/dataset.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { UploadOptions } from '../../src/data/upload.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';

const root = mkdtempSync(path.join(tmpdir(), 'hourglass-ratings-'));
const store = createDatasetStore({ files: new FolderDatasets(root) });
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const upload = (parts: Partial<Record<UploadPart['role'], string>>, options: UploadOptions = {}) =>
  store.create(`set-${count++}`, {
    parts: Object.entries(parts).map(([role, text]) => ({
      role: role as UploadPart['role'],
      content: (async function* () {
        yield Buffer.from(text);
      })(),
    })),
    options: { kind: 'ratings', ...options },
  });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    ({ code, message }) => `${code}: ${message}`,
  );
const rowsOf = (matrix: SparseMatrix) =>
  Array.from({ length: matrix.rows }, (_, row) => {
    const out = new Float32Array(matrix.columns);
    scatterRow(matrix, row, out, 0);
    return [...out];
  });

describe('ratings', () => {
  it('keep people and items in one order over both splits, with names of items', async () => {
    const info = await upload({
      rows: 'user_id:token\titem_id:token\trating:float\ttimestamp:float\nann\tx\t5\t1\nbob\ty\t2\t1\nann\ty\t4\t2\n',
      'test-rows': 'user_id:token\titem_id:token\trating:float\ttimestamp:float\nbob\tx\t3\t9\ncid\tz\t1\t9\n',
      items: 'item_id:token\tmovie_title:token_seq\ny\tYojimbo\nx\tX-Men\n',
    });
    expect(info).toMatchObject({
      shape: [3],
      range: [0, 5],
      rows: { train: 3, test: 3 },
      ratings: { range: [1, 5], train: 3, test: 2 },
    });
    const { ratings, close } = await store.open(info.name);
    expect(rowsOf((await ratings?.train.matrix()) as SparseMatrix)).toEqual([
      [5, 4, 0],
      [0, 2, 0],
      [0, 0, 0],
    ]);
    expect(rowsOf((await ratings?.test.matrix()) as SparseMatrix)).toEqual([
      [0, 0, 0],
      [3, 0, 0],
      [0, 0, 1],
    ]);
    expect(await ratings?.items()).toEqual([{ id: 'x', name: 'X-Men' }, { id: 'y', name: 'Yojimbo' }, { id: 'z' }]);
    await close();
  });

  it('are held out by the seed, and are 1 where nothing is rated', async () => {
    const lines = Array.from({ length: 200 }, (_, i) => `p${i % 20},i${Math.floor(i / 20)}`).join('\n');
    const options = { header: false, testFraction: 0.2 };
    const [first, again, other] = [
      await upload({ rows: lines }, options),
      await upload({ rows: lines }, options),
      await upload({ rows: lines }, { ...options, seed: 1 }),
    ];
    expect(first.ratings).toMatchObject({ range: [1, 1], train: 160, test: 40 });
    expect(again.hash).toBe(first.hash);
    expect(other.hash).not.toBe(first.hash);
  });

  it('are found under the names of their columns, in any order', async () => {
    const info = await upload({ rows: 'stars;movieId;userId\n3;m1;7\n5;m2;7\n' }, { testFraction: 0 });
    const { ratings } = await store.open(info.name);
    expect(rowsOf((await ratings?.train.matrix()) as SparseMatrix)).toEqual([[3, 5]]);
    expect(await ratings?.items()).toEqual([{ id: 'm1' }, { id: 'm2' }]);
  });

  it('say which line is wrong and why', async () => {
    expect(await failure(upload({ rows: 'a,x,5\nb,y,0\n' }, { header: false }))).toMatch(
      /invalid-dataset: rows: rating 2 is 0\. .*above 0/,
    );
    expect(await failure(upload({ rows: 'a,x,5\nb,y,good\n' }, { header: false }))).toMatch(
      /rating 2 is "good", which is not a number/,
    );
    expect(await failure(upload({ rows: 'a,x,5\nb,,3\n' }, { header: false }))).toMatch(/rating 2 names no item/);
    expect(await failure(upload({ rows: 'a,x,5\nb,y\n' }, { header: false }))).toMatch(
      /rating 2 has 2 columns, the first line has 3/,
    );
    expect(await failure(upload({ rows: 'a\nb\n' }))).toMatch(/one column/);
    const leak = { rows: 'a,x,5\na,y,3\n', 'test-rows': 'a,x,4\n' };
    expect(await failure(upload(leak, { header: false }))).toMatch(
      /1 ratings for testing are among those for training/,
    );
    expect(await failure(upload({ rows: 'a,x,5\n', labels: '1\n' }))).toMatch(/ratings have no classes/);
    expect(await failure(upload({ rows: '1,2\n', items: 'a,b\n' }, { kind: 'rows' }))).toMatch(
      /only ratings have items/,
    );
  });
});
