/**
 * Rows of a data set as people look at them: values, and where numbers tell little also a text for each row. Pictures of several sizes
 * are shown as squares of one size.
 */

import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { textOf } from '../base/symbols.ts';
import type { Dataset, DatasetInfo, DatasetStore, Pictures, SplitName } from '../data/dataset.ts';
import { type Raster, rowOfRaster } from '../picture/row.ts';

/** values of one answer */
const maxValues = 1_000_000;
/** side of the squares that pictures of several sizes are shown as */
const squareSide = 96;
/** pixels of a picture that are read for its square */
const mostPixels = 2 ** 18;
/** words or items that the text of a row names */
const namedEntries = 8;

export interface RowsWanted {
  readonly split: SplitName;
  readonly offset: number;
  readonly limit: number;
}

export interface DatasetSlice {
  readonly info: DatasetInfo;
  readonly split: SplitName;
  readonly offset: number;
  readonly rows: number;
  /** of one row; of pictures of several sizes that of the squares */
  readonly shape: readonly number[];
  readonly values: Float32Array;
  readonly labels?: readonly number[];
  /** rows of each class, in the whole split */
  readonly classCounts?: readonly number[];
  /** of documents, pairs and ratings: each row in words */
  readonly texts?: readonly string[];
}

/**
 * Rows of a data set from `offset` on; none beyond its end. Throws `batch-too-large` for more than a million values, and what
 * `DatasetStore.open` throws.
 */
export async function readRows(
  datasets: Pick<DatasetStore, 'info' | 'open'>,
  name: string,
  { split, offset, limit }: RowsWanted,
): Promise<DatasetSlice> {
  const { shape: stored, sizes, rows: counts } = await datasets.info(name);
  const shape = sizes === 'mixed' ? [squareSide, squareSide, stored[2] ?? 3] : stored;
  const rows = Math.max(0, Math.min(limit, counts[split] - offset));
  const most = Math.max(1, Math.floor(maxValues / sizeOf(shape)));
  if (rows > most) {
    throw new HourglassError(
      'batch-too-large',
      `${rows} rows of this data set are too many at once. Ask for at most ${most}.`,
      { field: 'limit', expected: most, found: rows },
    );
  }
  const dataset = await datasets.open(name);
  try {
    const slice = {
      ...{ info: dataset.info, split, offset, rows, shape },
      values: new Float32Array(rows * sizeOf(shape)),
    };
    if (dataset.pictures) {
      await readSquares(dataset, slice);
      return slice;
    }
    const source = dataset.split(split);
    if (rows > 0) await source.readRange(offset, offset + rows, slice.values);
    const labels = await source.labels();
    const texts = await textsOf(dataset, slice);
    return {
      ...slice,
      ...(labels && {
        labels: Array.from(labels.subarray(offset, offset + rows)),
        classCounts: countsOf(labels, dataset.info.classes ?? 0),
      }),
      ...(texts && { texts }),
    };
  } finally {
    await dataset.close();
  }
}

async function readSquares(
  dataset: Dataset,
  { split, offset, rows, values, info, shape }: DatasetSlice,
): Promise<void> {
  const pictures = dataset.pictures?.(split);
  if (!pictures) return;
  const size = sizeOf(shape);
  const square = { height: squareSide, width: squareSide, channels: pictures.channels };
  for (let row = 0; row < rows; row++) {
    const pixels = rowOfRaster(await readSmall(pictures, offset + row), square);
    for (let i = 0; i < size; i++) values[row * size + i] = (pixels[i] ?? 0) / info.scaling.divisor;
  }
}

/** Of a large picture some pixels at equal distances: as a whole it may take 200 MB, and long to make small on the event loop. */
async function readSmall(pictures: Pictures, index: number): Promise<Raster> {
  const { height, width } = pictures.size(index);
  const { channels } = pictures;
  const step = Math.ceil(Math.sqrt((height * width) / mostPixels));
  if (step <= 1) return pictures.read(index);
  const [lines, columns] = [Math.ceil(height / step), Math.ceil(width / step)];
  const data = new Uint8Array(lines * columns * channels);
  for (let y = 0; y < lines; y++) {
    const line = await pictures.read(index, { top: y * step, left: 0, height: 1, width });
    for (let x = 0; x < columns; x++) {
      const from = x * step * channels;
      data.set(line.data.subarray(from, from + channels), (y * columns + x) * channels);
    }
  }
  return { width: columns, height: lines, channels, data };
}

async function textsOf(dataset: Dataset, slice: DatasetSlice): Promise<readonly string[] | undefined> {
  const { split, offset, rows, values } = slice;
  const size = sizeOf(slice.shape);
  const rowOf = (row: number): Float32Array => values.subarray(row * size, (row + 1) * size);
  const each = (text: (row: number) => string): string[] => Array.from({ length: rows }, (_, row) => text(row));
  const { documents, ratings, pairs, info } = dataset;
  if (documents) {
    const [{ words }, names] = await Promise.all([documents.vocabulary(), documents.names(split)]);
    return each((row) => {
      const { document = '', begins } = names[offset + row] ?? {};
      const most = largest(rowOf(row)).map(([word, times]) => (times > 1 ? `${words[word]} × ${times}` : words[word]));
      return `${begins ?? document}: ${most.join(', ')}`;
    });
  }
  if (ratings) {
    const items = await ratings.items();
    const called = (column: number): string => items[column]?.name ?? items[column]?.id ?? '';
    return each((row) =>
      largest(rowOf(row))
        .map(([column, rating]) => `${called(column)}: ${rating}`)
        .join(', '),
    );
  }
  if (pairs && info.pairs) {
    const { source, target } = await pairs.symbols();
    const { sourceLength } = info.pairs;
    const written = (numbers: Float32Array, { symbols, units }: typeof source): string =>
      textOf(
        Array.from(numbers)
          .filter((number) => number > 0)
          .map((number) => symbols[number - 1] ?? ''),
        units,
      );
    return each(
      (row) =>
        `${written(rowOf(row).subarray(0, sourceLength), source)} → ${written(rowOf(row).subarray(sourceLength), target)}`,
    );
  }
  return undefined;
}

/** Columns with the largest values of a row that is mostly zeros, the largest first. */
const largest = (row: Float32Array): (readonly [column: number, value: number])[] =>
  Array.from(row, (value, column) => [column, value] as const)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, namedEntries);

function countsOf(labels: Uint8Array | Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
