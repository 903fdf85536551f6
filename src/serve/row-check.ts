/** Checks the rows of a request against the model they are for; every refusal says what was expected and found. */

import { HourglassError } from '../base/errors.ts';
import { type NdArray, type Shape, sameShape, showShape, sizeOf } from '../base/ndarray.ts';

export interface RowRule {
  /** who asks, such as `digits@2` */
  readonly model: string;
  /** what a row is: an input or a code */
  readonly noun: 'input' | 'code';
  readonly shape: Shape;
  readonly maxBatch: number;
}

/**
 * The number of rows of [batch, …row], where a row is flat or has the model's shape, of which trailing dimensions of 1 may
 * be left out. Throws `shape-mismatch`, `empty-batch`, `batch-too-large`, `non-finite`.
 */
export function checkRows({ shape, data }: NdArray<'float32'>, rule: RowRule): number {
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
  const bad = findNonFinite(data);
  if (bad >= 0) {
    const [r, column] = [Math.floor(bad / size), bad % size];
    throw new HourglassError(
      'non-finite',
      `Row ${r} has ${data[bad]} at position ${column}; every value must be a finite float32 number.`,
      { field: `/${rule.noun}s/${r}/${column}`, expected: 'a finite number', found: String(data[bad]) },
    );
  }
  return rows;
}

/** The first position of a NaN or infinity, −1 when all are finite. */
export function findNonFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

const where = ({ noun }: RowRule) => ({ field: `/${noun}s` });

function fits(row: Shape, own: Shape): boolean {
  if (row.length === 1 && row[0] === sizeOf(own)) return true;
  const full = [...row, ...own.slice(row.length).filter((dim) => dim === 1)];
  return sameShape(full, own);
}
