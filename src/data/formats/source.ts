/** What every format parser hands over: a stream of checked rows, and the words for what can be wrong with them. */

import { HourglassError } from '../../base/errors.ts';
import { type Shape, showShape, sizeOf } from '../../base/ndarray.ts';
import type { Preprocessing } from '../../picture/preprocessing.ts';
import type { SourceFacts } from '../source-facts.ts';
import type { UploadLimits, UploadOptions } from '../upload.ts';
import type { RowValues, ValueKind } from '../writer.ts';

/** Whole rows, one after the other, every value finite. */
export interface RowBlock {
  readonly values: RowValues;
  /** the block is one picture of this size: of a source whose pictures keep their own */
  readonly size?: { readonly height: number; readonly width: number };
  /** class of each row, as the source calls it */
  readonly labels?: readonly string[];
}

export interface RowSource {
  readonly kind: ValueKind;
  /** one row's shape as the source has it */
  readonly shape: Shape;
  /** each block is one picture with a size of its own; `shape` is that of the first */
  readonly sizes?: 'mixed';
  /** what was found out about the part, for the answer; asked for after the blocks */
  readonly facts: SourceFacts;
  /** of all columns, the label's among them */
  readonly names?: readonly string[];
  /** where the labels of the blocks come from; absent: they have none */
  readonly labels?: 'column' | 'folders';
  /** how pictures became these rows */
  readonly preprocessing?: Preprocessing;
  readonly blocks: AsyncIterable<RowBlock>;
}

/** Bytes of one part on disk: can be read again and, for zip, at any place. */
export interface StoredPart {
  /** what the client calls it, for messages: `rows (digits.csv)` */
  readonly label: string;
  readonly path: string;
  readonly bytes: number;
  /** from its beginning, decompressed when it was gzip; throws `decompressed-too-large` */
  stream(): AsyncIterable<Uint8Array>;
}

export interface ParseContext {
  readonly options: UploadOptions;
  readonly limits: UploadLimits;
  /** Tells the client of something that it may not have meant. */
  readonly warn: (part: StoredPart, text: string) => void;
  /** what the rows for training turned out to be, when those for testing are parsed */
  readonly training?: { readonly names: readonly string[] | undefined };
}

/** values converted at a time: a few milliseconds of the thread */
export const blockValues = 2 ** 18;

export const invalid = (part: StoredPart, what: string, facts = {}): HourglassError =>
  new HourglassError('invalid-dataset', `${part.label}: ${what}`, facts);

export const unsupported = (part: StoredPart, what: string): HourglassError =>
  new HourglassError(
    'unsupported-dataset',
    `${part.label}: ${what} Taken are .npy, idx and .csv (each also .gz), and zip or tar of PNG, JPEG or WebP pictures.`,
  );

export function nonFinite(part: StoredPart, where: string, found: number): HourglassError {
  const value = Number.isNaN(found) ? 'NaN' : 'infinite or beyond float32';
  return new HourglassError('non-finite', `${part.label}: ${where} is ${value}. Every value must be a finite number.`, {
    field: where,
    found: String(found),
  });
}

/** Throws `non-finite` with row and place in the row for the first value that is infinite, or NaN where that is no gap. */
export function checkFinite(
  part: StoredPart,
  values: Float32Array,
  firstRow: number,
  rowSize: number,
  nan?: 'gaps',
): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]) || (nan === 'gaps' && Number.isNaN(values[i]))) continue;
    const row = firstRow + Math.floor(i / rowSize);
    throw nonFinite(part, `row ${row}, value ${i % rowSize}`, values[i]!);
  }
}

/** Refuses a header whose numbers cannot be: checked before anything is allocated from them. */
export function checkExtent(part: StoredPart, rows: number, shape: Shape, { limits }: ParseContext): void {
  const size = sizeOf(shape);
  if (rows < 1 || size < 1) {
    throw invalid(part, `it has ${rows} rows of shape ${showShape(shape)}; at least one row with one value is needed.`);
  }
  if (rows > limits.rows) throw invalid(part, `it has ${rows} rows; at most ${limits.rows} are allowed.`);
  if (size > limits.rowSize) {
    throw invalid(
      part,
      `a row of shape ${showShape(shape)} has ${size} values; at most ${limits.rowSize} are allowed.`,
    );
  }
}
