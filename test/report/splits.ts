// Data sets in memory for tests of evaluation.

import { sizeOf } from '../../src/base/ndarray.ts';
import type { Dataset, Split } from '../../src/data/dataset.ts';

export function memorySplit(values: Float32Array, rowSize: number): Split {
  return {
    length: values.length / rowSize,
    inMemory: true,
    storedBytes: values.byteLength,
    rowSize,
    async readRange(start, end, out) {
      out.set(values.subarray(start * rowSize, end * rowSize));
    },
    async readRows(rows, out) {
      for (const [i, row] of rows.entries()) out.set(values.subarray(row * rowSize, (row + 1) * rowSize), i * rowSize);
    },
    labels: () => Promise.resolve(undefined),
  };
}

export function memoryDataset(shape: readonly number[], train: Float32Array, test: Float32Array, hash = '00'): Dataset {
  const size = sizeOf(shape);
  const all = [...train, ...test];
  const splits = { train: memorySplit(train, size), test: memorySplit(test, size) };
  return {
    info: {
      name: 'memory',
      hash,
      shape,
      range: [Math.min(...all), Math.max(...all)],
      rows: { train: splits.train.length, test: splits.test.length },
      scaling: { divisor: 1 },
      warnings: [],
      builtIn: false,
    },
    split: (name) => splits[name],
    close: () => Promise.resolve(),
  };
}
