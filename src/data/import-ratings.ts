/**
 * From spooled triples to stored ratings: a sparse matrix of people and items for each split, people in the same order in both,
 * and the items with their names. The test split holds ratings, not people: of each person those that were kept back.
 *
 *   set/train.rows   ratings to train on, as src/base/sparse.ts stores them
 *   set/test.rows    ratings held out
 *   set/items.json   [{"id": "50", "name": "Star Wars (1977)"}, …] in the order of the columns
 */

import path from 'node:path';
import { entriesOf, filterSparse, type SparseMatrix, sparseToBytes } from '../base/sparse.ts';
import { invalid, type ParseContext, type StoredPart } from './formats/source.ts';
import { readItemNames, readTriples } from './formats/triples.ts';
import { HoldOut } from './hold-out.ts';
import type { StoredContent } from './manifest.ts';
import type { RatedItem } from './rating-facts.ts';
import { writeSynced } from './sparse-file.ts';
import { Numbering, TripleList } from './triple-list.ts';

export interface RatingParts {
  readonly rows: StoredPart;
  readonly testRows?: StoredPart | undefined;
  readonly items?: StoredPart | undefined;
}

export async function importRatings(
  folder: string,
  { rows, testRows, items: itemsPart }: RatingParts,
  context: ParseContext,
): Promise<StoredContent> {
  const { options, limits, warn } = context;
  const { testFraction = 0.1, seed = 0 } = options;
  const people = new Numbering();
  const items = new Numbering();
  const lists = { train: new TripleList(), test: new TripleList() };
  const range: [number, number] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const read = async (part: StoredPart, holdOut: HoldOut): Promise<void> => {
    let line = 0;
    for await (const { person, item, rating } of readTriples(part, context)) {
      if (line >= limits.rows) throw invalid(part, `it has more than the ${limits.rows} ratings that are allowed.`);
      lists[holdOut.split(line++)].add(people.of(person), items.of(item), rating);
      range[0] = Math.min(range[0], Math.fround(rating));
      range[1] = Math.max(range[1], Math.fround(rating));
      if (items.names.length > limits.rowSize) {
        throw invalid(part, `it has more than ${limits.rowSize} items, as many as are allowed.`);
      }
    }
  };
  await read(rows, new HoldOut(seed, testRows ? 0 : testFraction));
  if (testRows) await read(testRows, new HoldOut(seed, 1));
  const size = [people.names.length, items.names.length] as const;
  const train = lists.train.matrix(...size);
  const held = lists.test.matrix(...size);
  const shared = sharedEntries(held, train);
  if (testRows && shared.size > 0) {
    const what = `${shared.size} ratings for testing are among those for training as well. Leave them out of one of the two.`;
    throw invalid(testRows, what, { field: 'test-rows', found: shared.size });
  }
  // A pair that is rated twice may have been drawn for both splits.
  const test = filterSparse(held, (entry) => !shared.has(entry));
  const repeated = lists.train.length + lists.test.length - entriesOf(train) - entriesOf(test);
  if (repeated > 0)
    warn(rows, `${repeated} ratings are of an item that the person has rated already: one of each counts.`);
  if (entriesOf(train) === 0)
    throw invalid(rows, 'no rating is left for training. Lower "testFraction", or upload more.');
  const titles = itemsPart ? await readItemNames(itemsPart, context) : new Map<string, string>();
  const rated = items.names.map((id): RatedItem => {
    const name = titles.get(id);
    return name === undefined ? { id } : { id, name };
  });
  if (itemsPart && !rated.some(({ name }) => name !== undefined)) {
    warn(itemsPart, 'none of its items is among those that are rated.');
  }
  const entry = async (split: 'train' | 'test', matrix: SparseMatrix) => ({
    rows: size[0],
    sha256: await writeSynced(path.join(folder, `${split}.rows`), sparseToBytes(matrix)),
  });
  return {
    shape: [size[1]],
    dtype: 'float32',
    divisor: 1,
    range: [0, range[1]],
    splits: { train: await entry('train', train), test: await entry('test', test) },
    ratings: {
      range,
      train: entriesOf(train),
      test: entriesOf(test),
      itemsSha256: await writeSynced(path.join(folder, 'items.json'), Buffer.from(JSON.stringify(rated))),
    },
    source: { format: 'csv' },
  };
}

/** Entries of `a` in whose place `b` has one as well. */
function sharedEntries(a: SparseMatrix, b: SparseMatrix): Set<number> {
  const shared = new Set<number>();
  for (let row = 0; row < a.rows; row++) {
    const own = new Set(b.indices.subarray(b.starts[row], b.starts[row + 1]));
    for (let entry = a.starts[row] as number; entry < (a.starts[row + 1] as number); entry++) {
      if (own.has(a.indices[entry] as number)) shared.add(entry);
    }
  }
  return shared;
}
