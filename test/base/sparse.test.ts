import { describe, expect, it } from 'vitest';
import { easeWeights } from '../../src/base/ease.ts';
import { cholesky, invertPositiveDefinite } from '../../src/base/positive-definite.ts';
import { bestOf } from '../../src/base/recommender.ts';
import {
  filterSparse,
  scatterRow,
  sparseFromBytes,
  sparseFromTriples,
  sparseToBytes,
  transposeSparse,
} from '../../src/base/sparse.ts';

const dense = (matrix: Parameters<typeof scatterRow>[0]): number[][] =>
  Array.from({ length: matrix.rows }, (_, row) => {
    const out = new Float32Array(matrix.columns);
    scatterRow(matrix, row, out, 0);
    return [...out];
  });
const triples = (...all: [number, number, number][]) => ({
  rows: Uint32Array.from(all, ([row]) => row),
  columns: Uint32Array.from(all, ([, column]) => column),
  values: Float32Array.from(all, ([, , value]) => value),
});

describe('a sparse matrix', () => {
  const matrix = sparseFromTriples(triples([2, 1, 5], [0, 2, 1], [2, 0, 4], [0, 2, 3]), 3, 3);

  it('sorts triples, of which the last one for a place counts', () => {
    const rows = [
      [0, 0, 3],
      [0, 0, 0],
      [4, 5, 0],
    ];
    expect(dense(matrix)).toEqual(rows);
    expect([...matrix.indices]).toEqual([2, 0, 1]);
    expect(dense(transposeSparse(matrix))).toEqual(rows.map((_, i) => rows.map((row) => row[i])));
    expect(dense(filterSparse(matrix, (entry) => (matrix.values[entry] as number) > 3))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [4, 5, 0],
    ]);
  });

  it('comes back from its bytes, and not from damaged ones', () => {
    const bytes = sparseToBytes(matrix);
    expect(sparseFromBytes(bytes, 3, 3, 3)).toEqual(matrix);
    expect(() => sparseFromBytes(bytes, 3, 2, 3)).toThrow(RangeError);
    expect(() => sparseFromBytes(bytes.subarray(4), 3, 3, 3)).toThrow(RangeError);
    expect(() =>
      sparseFromBytes(
        Uint8Array.from(bytes, (byte, i) => (i === 4 ? 9 : byte)),
        3,
        3,
        3,
      ),
    ).toThrow(RangeError);
  });
});

describe('positive definite matrices', () => {
  const n = 101;
  const root = Float64Array.from({ length: n * n }, (_, i) => Math.sin(1 + i * 12.9898) * 3);
  const product = (a: Float64Array, b: Float64Array, transposed = false) =>
    Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * (transposed ? b[j * n + k]! : b[k * n + j]!);
      return sum;
    });
  const matrix = product(root, root, true).map((value, i) => value + (i % (n + 1) === 0 ? 1 : 0));

  it('are the product of their Cholesky factor with itself', () => {
    const lower = cholesky(matrix.slice(), n);
    const worst = product(lower, lower, true).reduce(
      (most, value, i) => Math.max(most, Math.abs(value - matrix[i]!)),
      0,
    );
    expect(worst).toBeLessThan(1e-9);
    expect(() =>
      cholesky(
        matrix.map((value) => -value),
        n,
      ),
    ).toThrow(RangeError);
  });

  it('times their inverse are the identity', () => {
    const identity = product(matrix, invertPositiveDefinite(matrix.slice(), n));
    const worst = identity.reduce((most, v, i) => Math.max(most, Math.abs(v - (i % (n + 1) === 0 ? 1 : 0))), 0);
    expect(worst).toBeLessThan(1e-8);
  });
});

describe('EASE', () => {
  it('is where the gradient of its loss vanishes off a diagonal of zeros', () => {
    const liked = sparseFromTriples(
      triples([0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 2, 1], [2, 0, 1], [2, 2, 1], [2, 3, 1], [3, 1, 1]),
      4,
      4,
    );
    const [x, lambda, n] = [dense(liked), 0.7, 4];
    const b = easeWeights(liked, lambda);
    for (let i = 0; i < n; i++) {
      expect(b[i * n + i]).toBe(0);
      for (let j = 0; j < n; j++) {
        if (i === j) continue;
        // ½ ∂/∂b_ij (‖X − XB‖² + λ‖B‖²)
        let gradient = lambda * b[i * n + j]!;
        for (const row of x) {
          const answer = row.reduce((sum, value, k) => sum + value * b[k * n + j]!, 0);
          gradient += row[i]! * (answer - row[j]!);
        }
        expect(gradient).toBeCloseTo(0, 5);
      }
    }
  });
});

describe('the best of many scores', () => {
  it('are those that sorting would find, the first of equals first', () => {
    const scores = Float32Array.from({ length: 500 }, (_, i) => Math.floor(Math.sin(i * 78.233) * 20));
    const sorted = [...scores.keys()].filter((i) => i % 3 !== 0).sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (const count of [0, 1, 7, 400]) {
      expect(bestOf(scores, count, (i) => i % 3 === 0)).toEqual(sorted.slice(0, count));
    }
  });
});
