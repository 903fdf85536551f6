/** Rows of a TensorFlow Serving request: nested numbers, objects of named tensors, or encoded pictures as `{"b64": "…"}`. */

import { HourglassError } from '../../base/errors.ts';
import { float32, type NdArray } from '../../base/ndarray.ts';
import type { RowSource } from '../../serve/prediction-service.ts';
import { rowsOfPictures } from '../row-conversion.ts';

type Rows = NdArray<'float32'>;

/** Numbers were read into float32 already; whatever else came is as JSON has it. */
const isRows = (value: unknown): value is Rows =>
  typeof value === 'object' &&
  value !== null &&
  'dtype' in value &&
  'data' in value &&
  value.data instanceof Float32Array;

/** `inputs`: the tensor, or an object with it under its name. Throws `invalid-type`, `invalid-request`, `shape-mismatch`. */
export function rowsOfInputs(value: unknown, name: string): Rows {
  return isRows(value) ? value : tensorOf(named(value, name, '/inputs'), `/inputs/${name}`);
}

/** `instances`: a list of rows, each of them numbers, a picture, or an object with that under the input's name. */
export function rowsOfInstances(value: unknown, name: string, maxPixels: number): RowSource {
  if (isRows(value)) return value;
  if (!Array.isArray(value)) throw wrong('/instances', 'a list of rows');
  if (value.length === 0)
    throw new HourglassError('empty-batch', 'There are no instances. Send at least one.', { field: '/instances' });
  const rows = value.map((row, i) => (encoded(row) === undefined ? named(row, name, `/instances/${i}`) : row));
  const pictures = rows.map(encoded);
  if (pictures.every((picture) => picture !== undefined)) {
    return (target) => rowsOfPictures(pictures, target, { resize: false, maxPixels });
  }
  return tensorOf(rows, '/instances');
}

/** The bytes of `{"b64": "…"}`. */
function encoded(value: unknown): Buffer | undefined {
  if (typeof value !== 'object' || value === null || !('b64' in value)) return undefined;
  if (typeof value.b64 !== 'string') throw wrong('b64', 'a string in base64');
  return Buffer.from(value.b64, 'base64');
}

function named(value: unknown, name: string, field: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(field, `numbers, or {"${name}": …}`);
  const [only, second] = Object.keys(value);
  if (only === name && second === undefined) return (value as Record<string, unknown>)[name];
  throw new HourglassError(
    'invalid-request',
    `${field} has ${Object.keys(value).slice(0, 5).join(', ') || 'no members'}; the input is "${name}".`,
    {
      field,
      expected: [name],
      found: Object.keys(value).slice(0, 5),
    },
  );
}

/** Nested lists of numbers, all alike. */
function tensorOf(value: unknown, field: string): Rows {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const numbers: number[] = [];
  const collect = (part: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof part !== 'number') throw wrong(field, 'numbers');
      numbers.push(part);
      return;
    }
    if (!Array.isArray(part) || part.length !== shape[depth]) {
      throw new HourglassError('shape-mismatch', `The rows of ${field} are not all alike.`, { field, expected: shape });
    }
    for (const entry of part) collect(entry, depth + 1);
  };
  if (shape.length < 2) throw wrong(field, 'a list of rows of numbers');
  collect(value, 0);
  return float32(shape, Float32Array.from(numbers));
}

const wrong = (field: string, expected: string): HourglassError =>
  new HourglassError('invalid-type', `${field} must be ${expected}.`, { field, expected });
