/**
 * Checks the rows of a request against the model they are for; every refusal says what was expected and found. Finite values
 * outside of the allowed range are no error: they are reported, and range-warning.ts puts them into words.
 */

import { HourglassError } from '../base/errors.ts';
import { type NdArray, type Shape, sameShape, showShape, sizeOf } from '../base/ndarray.ts';

export interface RowRule {
  /** who asks, such as `digits@2` */
  readonly model: string;
  /** what a row is: an input or a code */
  readonly noun: 'input' | 'code';
  readonly shape: Shape;
  readonly maxBatch: number;
  /** NaN stands for what was not observed, and is no fault */
  readonly mayMiss?: boolean;
  /** values outside of it are reported; default: every finite float32 is inside */
  readonly range?: ValueRange;
}

export type ValueRange = readonly [low: number, high: number];

export interface CheckedRows {
  readonly rows: number;
  readonly outside?: OutsideRange;
}

/** What was found of values outside of the range. */
export interface OutsideRange {
  /** the smallest and largest value among them */
  readonly low: number;
  readonly high: number;
  /** the first row that has one, counted from 0 */
  readonly row: number;
}

/** the largest float32, so that only NaN and the infinities are outside */
const largest = 3.4028234663852886e38;
const everyFinite: ValueRange = [-largest, largest];

/**
 * Takes [batch, …row], where a row is flat or has the model's shape, of which trailing dimensions of 1 may
 * be left out. Throws `shape-mismatch`, `empty-batch`, `batch-too-large`, `non-finite`.
 */
export function checkRows({ shape, data }: NdArray<'float32'>, rule: RowRule): CheckedRows {
  const [rows, ...row] = shape;
  const size = sizeOf(rule.shape);
  if (rows === 0) throw new HourglassError('empty-batch', 'The batch has no rows. Send at least one.', where(rule));
  if (rows === undefined || !fits(row, rule.shape)) {
    const own = rule.shape.length > 1 ? `, flat or as ${showShape(rule.shape)}` : '';
    throw new HourglassError(
      'shape-mismatch',
      `${rule.model} takes a batch of ${rule.noun}s of ${size} values each${own}; got the shape ${showShape(shape)}.`,
      { ...where(rule), expected: ['batch', ...rule.shape], found: shape },
    );
  }
  if (rows > rule.maxBatch) {
    throw new HourglassError(
      'batch-too-large',
      `The batch has ${rows} rows; at most ${rule.maxBatch} are allowed. Send it in parts.`,
      { ...where(rule), expected: rule.maxBatch, found: rows },
    );
  }
  if (data.length !== rows * size) throw new TypeError(`${data.length} values for ${showShape(shape)}`);
  const range = rule.range ?? everyFinite;
  const first = rule.mayMiss ? findObservedOutside(data, range) : findOutside(data, range);
  if (first < 0) return { rows };
  const bad = rule.mayMiss ? data.findIndex((value) => Math.abs(value) > largest) : findNonFinite(data, first);
  if (bad >= 0) {
    const [r, column] = [Math.floor(bad / size), bad % size];
    throw new HourglassError(
      'non-finite',
      `Row ${r} has ${data[bad]} at position ${column}; every value must be a finite float32 number.`,
      { field: `/${rule.noun}s/${r}/${column}`, expected: 'a finite number', found: String(data[bad]) },
    );
  }
  return { rows, outside: { ...extremesOutside(data, range, first), row: Math.floor(first / size) } };
}

/** The first position of a NaN or infinity, −1 when all are finite. */
export function findNonFinite(values: Float32Array, start = 0): number {
  for (let i = start; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** The first position of a value outside of the range or of NaN, −1 when there is none: the only loop of ordinary requests. */
function findOutside(values: Float32Array, [low, high]: ValueRange): number {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= low && value <= high)) return i;
  }
  return -1;
}

/** The same, where NaN is a gap. */
const findObservedOutside = (values: Float32Array, [low, high]: ValueRange): number =>
  values.findIndex((value) => value < low || value > high);

/** Of values that are finite or gaps, of which the one at `first` is outside. */
function extremesOutside(values: Float32Array, range: ValueRange, first: number): { low: number; high: number } {
  let low = values[first] as number;
  let high = low;
  for (let i = first + 1; i < values.length; i++) {
    const value = values[i] as number;
    if (value >= range[0] && value <= range[1]) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

const where = ({ noun }: RowRule) => ({ field: `/${noun}s` });

function fits(row: Shape, own: Shape): boolean {
  if (row.length === 1 && row[0] === sizeOf(own)) return true;
  const full = [...row, ...own.slice(row.length).filter((dim) => dim === 1)];
  return sameShape(full, own);
}
