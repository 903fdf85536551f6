/**
 * Ratings as rows to train on. A row is a pair, [seen | asked], twice as wide as the ratings (src/models/recommender.ts):
 *
 *   rows 0 … n − 1      to train on: what was kept, twice
 *   rows n … 2n − 1     held out: what was kept, and what was held out from it
 *
 * Rows are people or items, by the model. Held-out ratings are drawn by the job's seed, so that a resumed job holds out the same.
 */

import { RandomStream } from '../base/random.ts';
import {
  entriesOf,
  filterSparse,
  type SparseMatrix,
  scatterRow,
  sparseBytes,
  transposeSparse,
} from '../base/sparse.ts';
import type { Dataset, Ratings, Split } from '../data/dataset.ts';
import type { JobSpec } from '../jobspec/job.ts';
import type { RowRange } from './feeder.ts';

export interface RatingRows {
  /** of pairs */
  readonly dataset: Dataset;
  readonly training: RowRange;
  readonly heldOut: RowRange;
  /** people and items that the model is to know: all ratings but those held out */
  readonly kept: SparseMatrix;
}

export async function ratingRows(spec: JobSpec, dataset: Dataset, ratings: Ratings): Promise<RatingRows> {
  const all = await ratings.train.matrix();
  const { fraction } = spec.training.validation;
  const random = new RandomStream(spec.training.seed, 'ratings/held-out');
  const isHeldOut = random.bernoulli(new Float32Array(entriesOf(all)), fraction);
  const kept = fraction > 0 ? filterSparse(all, (entry) => isHeldOut[entry] === 0) : all;
  const held = fraction > 0 ? filterSparse(all, (entry) => isHeldOut[entry] === 1) : undefined;
  const { model } = spec;
  const turned = model.type === 'autorec' && model.by === 'item' ? transposeSparse : (matrix: SparseMatrix) => matrix;
  const seen = turned(kept);
  const asked = held && turned(held);
  const { rows, columns } = seen;
  const split = new PairSplit(seen, asked);
  return {
    dataset: {
      info: { ...dataset.info, shape: [2 * columns], rows: { train: split.length, test: 0 } },
      split: () => split,
      close: () => dataset.close(),
    },
    training: { start: 0, end: rows },
    heldOut: { start: rows, end: split.length },
    kept,
  };
}

class PairSplit implements Split {
  readonly length: number;
  readonly inMemory = true;
  readonly storedBytes: number;
  readonly rowSize: number;
  readonly #seen: SparseMatrix;
  readonly #asked: SparseMatrix | undefined;

  constructor(seen: SparseMatrix, asked: SparseMatrix | undefined) {
    this.#seen = seen;
    this.#asked = asked;
    this.length = seen.rows * (asked ? 2 : 1);
    this.rowSize = 2 * seen.columns;
    this.storedBytes =
      sparseBytes(seen.rows, entriesOf(seen)) + (asked ? sparseBytes(asked.rows, entriesOf(asked)) : 0);
  }

  async readRange(start: number, end: number, out: Float32Array): Promise<void> {
    for (let row = start; row < end; row++) this.#write(row, out, (row - start) * this.rowSize);
  }

  async readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    for (const [i, row] of rows.entries()) this.#write(row, out, i * this.rowSize);
  }

  labels(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  #write(row: number, out: Float32Array, at: number): void {
    const { rows, columns } = this.#seen;
    scatterRow(this.#seen, row % rows, out, at);
    scatterRow(row < rows ? this.#seen : (this.#asked ?? this.#seen), row % rows, out, at + columns);
  }
}
