/** Nearest documents by several measures of likeness, and how many of them are of the right class. */

import { bestOf } from '../base/recommender.ts';
import type { SparseMatrix } from '../base/sparse.ts';
import { transposeSparse } from '../base/sparse.ts';

/** Nearest training rows of a test row, by its number. */
export type Search = (row: number, count: number) => readonly number[];

export interface Classes {
  readonly train: ArrayLike<number>;
  readonly test: ArrayLike<number>;
}

export const neighboursCounted = 10;

/** Mean over test rows of the share of the nearest that are of the same class. */
export function precision(search: Search, rows: number, { train, test }: Classes, tick: () => void): number {
  let hits = 0;
  let found = 0;
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0) tick();
    for (const near of search(row, neighboursCounted)) {
      found++;
      if (train[near] === test[row]) hits++;
    }
  }
  return hits / Math.max(1, found);
}

/** By the cosine of sparse rows of length 1. */
export function sparseSearch(train: SparseMatrix, test: SparseMatrix): Search {
  const byWord = transposeSparse(train);
  return (row, count) => {
    const scores = new Float32Array(train.rows);
    for (let entry = test.starts[row] as number; entry < (test.starts[row + 1] as number); entry++) {
      const [word, value] = [test.indices[entry] as number, test.values[entry] as number];
      for (let at = byWord.starts[word] as number; at < (byWord.starts[word + 1] as number); at++) {
        const document = byWord.indices[at] as number;
        scores[document] = (scores[document] as number) + value * (byWord.values[at] as number);
      }
    }
    return bestOf(scores, count, () => false);
  };
}

/** By the cosine of dense rows [rows, width]. */
export function cosineSearch(train: Float32Array, test: Float32Array, width: number): Search {
  const lengths = Float32Array.from({ length: train.length / width }, (_, row) => {
    let squares = 0;
    for (let i = row * width; i < (row + 1) * width; i++) squares += (train[i] as number) ** 2;
    return Math.sqrt(squares) || 1;
  });
  return (row, count) => {
    const scores = lengths.map((length, document) => {
      let sum = 0;
      for (let i = 0; i < width; i++)
        sum += (train[document * width + i] as number) * (test[row * width + i] as number);
      return sum / length;
    });
    return bestOf(scores, count, () => false);
  };
}
