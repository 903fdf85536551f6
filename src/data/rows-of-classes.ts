/** A data set with the rows of some classes alone, in the same order. */

import type { Dataset, Split, SplitName } from './dataset.ts';

export async function rowsOfClasses(dataset: Dataset, names: readonly string[]): Promise<Dataset> {
  const { classNames = [], rows } = dataset.info;
  const wanted = new Set(names.map((name) => classNames.indexOf(name)));
  const open = async (name: SplitName): Promise<Split> => {
    const split = dataset.split(name);
    const labels = (await split.labels()) ?? new Int32Array(0);
    return new ChosenRows(
      split,
      Uint32Array.from(Array.from(labels.keys()).filter((row) => wanted.has(labels[row] as number))),
      labels,
    );
  };
  const splits = { train: await open('train'), test: await open('test') };
  return {
    ...dataset,
    info: { ...dataset.info, rows: { ...rows, train: splits.train.length, test: splits.test.length } },
    split: (name) => splits[name],
    close: () => dataset.close(),
  };
}

class ChosenRows implements Split {
  readonly length: number;
  readonly inMemory: boolean;
  readonly storedBytes: number;
  readonly rowSize: number;
  readonly #split: Split;
  readonly #rows: Uint32Array;
  readonly #labels: Int32Array;

  constructor(split: Split, rows: Uint32Array, labels: Uint8Array | Int32Array) {
    this.#split = split;
    this.#rows = rows;
    this.#labels = Int32Array.from(rows, (row) => labels[row] as number);
    this.length = rows.length;
    this.inMemory = split.inMemory;
    this.rowSize = split.rowSize;
    this.storedBytes = (split.storedBytes / Math.max(1, split.length)) * rows.length;
  }

  readRange(start: number, end: number, out: Float32Array): Promise<void> {
    return this.#split.readRows(this.#rows.subarray(start, end), out);
  }

  readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    return this.#split.readRows(
      Uint32Array.from(rows, (row) => this.#rows[row] as number),
      out,
    );
  }

  labels(): Promise<Int32Array> {
    return Promise.resolve(this.#labels);
  }
}
