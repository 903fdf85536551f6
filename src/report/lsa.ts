/**
 * What documents are compared by without a network: TF-IDF, each document a vector of its words, the rare ones counting more; and
 * latent semantic analysis, the best plane through these vectors (Deerwester et al. 1990).
 */

import { RandomStream } from '../base/random.ts';
import type { SparseMatrix } from '../base/sparse.ts';

/** ln(1 + count) · ln((n + 1)/(documents + 1)) + 1, of length 1 in each row; `having` of `n` documents have each word. */
export function weighted(counts: SparseMatrix, having: readonly number[], n: number): SparseMatrix {
  const values = new Float32Array(counts.values.length);
  for (let row = 0; row < counts.rows; row++) {
    const [from, to] = [counts.starts[row] as number, counts.starts[row + 1] as number];
    let squares = 0;
    for (let entry = from; entry < to; entry++) {
      const rare = Math.log((n + 1) / ((having[counts.indices[entry] as number] as number) + 1)) + 1;
      const value = Math.log1p(counts.values[entry] as number) * rare;
      values[entry] = value;
      squares += value * value;
    }
    const length = Math.sqrt(squares) || 1;
    for (let entry = from; entry < to; entry++) values[entry] = (values[entry] as number) / length;
  }
  return { ...counts, values };
}

const rounds = 8;

/** A basis of the plane, [columns, size], by iterating a random plane; the seed is fixed, so the same data gives the same basis. */
export function fitPlane(matrix: SparseMatrix, size: number, tick: () => void): Float32Array {
  const width = Math.min(size, matrix.rows, matrix.columns);
  let basis = new RandomStream(1, 'lsa').normal(new Float32Array(matrix.columns * width));
  for (let round = 0; round < rounds; round++) {
    tick();
    orthonormalise(basis, matrix.columns, width);
    const projected = project(matrix, basis, width);
    basis = new Float32Array(matrix.columns * width);
    for (let row = 0; row < matrix.rows; row++) {
      for (let entry = matrix.starts[row] as number; entry < (matrix.starts[row + 1] as number); entry++) {
        const [value, to] = [matrix.values[entry] as number, (matrix.indices[entry] as number) * width];
        const from = row * width;
        for (let i = 0; i < width; i++)
          basis[to + i] = (basis[to + i] as number) + value * (projected[from + i] as number);
      }
    }
  }
  orthonormalise(basis, matrix.columns, width);
  return basis;
}

/** Coordinates of each row in the plane: [rows, width]. */
export function project(matrix: SparseMatrix, basis: Float32Array, width: number): Float32Array {
  const projected = new Float32Array(matrix.rows * width);
  for (let row = 0; row < matrix.rows; row++) {
    const to = row * width;
    for (let entry = matrix.starts[row] as number; entry < (matrix.starts[row + 1] as number); entry++) {
      const [value, from] = [matrix.values[entry] as number, (matrix.indices[entry] as number) * width];
      for (let i = 0; i < width; i++)
        projected[to + i] = (projected[to + i] as number) + value * (basis[from + i] as number);
    }
  }
  return projected;
}

/** Gram & Schmidt on columns, twice over for float32. A column that depends on the others becomes 0. */
function orthonormalise(basis: Float32Array, rows: number, width: number): void {
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < width; j++) {
      const along = new Float64Array(j);
      for (let row = 0, at = 0; row < rows; row++, at += width) {
        const value = basis[at + j] as number;
        for (let i = 0; i < j; i++) along[i] = (along[i] as number) + value * (basis[at + i] as number);
      }
      let squares = 0;
      for (let row = 0, at = 0; row < rows; row++, at += width) {
        let value = basis[at + j] as number;
        for (let i = 0; i < j; i++) value -= (along[i] as number) * (basis[at + i] as number);
        basis[at + j] = value;
        squares += value * value;
      }
      const factor = squares > 1e-20 ? 1 / Math.sqrt(squares) : 0;
      for (let row = 0, at = 0; row < rows; row++, at += width) basis[at + j] = (basis[at + j] as number) * factor;
    }
  }
}
