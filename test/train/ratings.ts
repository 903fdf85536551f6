// People of two tastes and the films of each, as triples and as an open data set of ratings.
import { type SparseMatrix, scatterRow, sparseFromTriples } from '../../src/base/sparse.ts';
import type { Dataset, SparseSplit } from '../../src/data/dataset.ts';

export const people = 40;
export const films = 12;

/** Everybody rates two of three films: high those of the own taste, low the others. */
export function tastes(): { person: number; film: number; rating: number; isTest: boolean }[] {
  const triples = [];
  for (let person = 0; person < people; person++) {
    for (let film = 0; film < films; film++) {
      if ((person * 7 + film * 5) % 3 === 0) continue;
      const agrees = person % 2 === film % 2;
      const rating = (agrees ? 4 : 1) + ((person + film) % 4 === 0 ? 1 : 0);
      triples.push({ person, film, rating, isTest: (person * 5 + film * 3) % 7 === 0 });
    }
  }
  return triples;
}

export function matrixOf(isTest: boolean): SparseMatrix {
  const own = tastes().filter((triple) => triple.isTest === isTest);
  return sparseFromTriples(
    {
      rows: Uint32Array.from(own, ({ person }) => person),
      columns: Uint32Array.from(own, ({ film }) => film),
      values: Float32Array.from(own, ({ rating }) => rating),
    },
    people,
    films,
  );
}

export function sparseSplit(matrix: SparseMatrix): SparseSplit {
  const readRows = async (rows: Iterable<number>, out: Float32Array) => {
    for (const [i, row] of [...rows].entries()) scatterRow(matrix, row, out, i * matrix.columns);
  };
  return {
    length: matrix.rows,
    inMemory: true,
    storedBytes: 0,
    rowSize: matrix.columns,
    matrix: async () => matrix,
    readRows,
    readRange: (start, end, out) =>
      readRows(
        Array.from({ length: end - start }, (_, i) => start + i),
        out,
      ),
    labels: async () => undefined,
  };
}

export function ratingsOfTastes(): Dataset {
  const splits = { train: sparseSplit(matrixOf(false)), test: sparseSplit(matrixOf(true)) };
  const entries = (isTest: boolean) => tastes().filter((triple) => triple.isTest === isTest).length;
  return {
    info: {
      name: 'tastes',
      hash: '0',
      shape: [films],
      range: [0, 5],
      scaling: { divisor: 1 },
      rows: { train: people, test: people },
      ratings: { range: [1, 5], train: entries(false), test: entries(true) },
      warnings: [],
      builtIn: false,
    },
    ratings: { ...splits, items: async () => Array.from({ length: films }, (_, i) => ({ id: `f${i}` })) },
    split: (name) => splits[name],
    close: async () => {},
  };
}

export const csvOf = (isTest: boolean): string =>
  `user_id,item_id,rating\n${tastes()
    .filter((triple) => triple.isTest === isTest)
    .map(({ person, film, rating }) => `p${person},f${film},${rating}`)
    .join('\n')}\n`;
