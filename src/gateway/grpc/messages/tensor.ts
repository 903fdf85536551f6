/**
 * Tensors as messages. What a header claims is checked against what is there before anything is allocated, so that a small
 * message cannot ask for much memory.
 */

import { endianness } from 'node:os';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { HourglassError } from '../../../base/errors.ts';
import { float32, type NdArray, showShape } from '../../../base/ndarray.ts';
import type { Tensor, TensorSchema } from '../../../gen/hourglass/v1/inference_pb.ts';
import { bytesOfRows } from '../../row-conversion.ts';

const bytesPerValue = 4;
/** [batch, height, width, channels] and some more */
const maxRank = 8;

/**
 * `field` is where the tensor stands in the request. Throws `shape-mismatch`, `empty-batch`, `batch-too-large`,
 * `invalid-request`.
 */
export function tensorArray(tensor: Tensor | undefined, field: string, maxRows: number): NdArray<'float32'> {
  if (!tensor) {
    throw new HourglassError('invalid-request', `The request has no "${field}". It takes rows of numbers.`, {
      field: `/${field}`,
      expected: 'rows of numbers',
    });
  }
  const { shape, values, raw } = tensor;
  if (values.length > 0 && raw.length > 0) {
    throw new HourglassError('invalid-request', `"${field}" has both \`values\` and \`raw\`. Send one of them.`, {
      field: `/${field}`,
      expected: ['values', 'raw'],
    });
  }
  if (shape.length === 0) {
    throw mismatch(field, `"${field}" has no shape. Give it as [batch, …row], such as [1, 784].`, '[batch, …row]', []);
  }
  if (shape.length > maxRank) {
    throw mismatch(
      field,
      `"${field}" has ${shape.length} dimensions; at most ${maxRank} are allowed.`,
      `at most ${maxRank} dimensions`,
      shape.length,
    );
  }
  checkRowCount(shape[0] ?? 0, field, maxRows);
  if (raw.length % bytesPerValue !== 0) {
    throw mismatch(
      field,
      `"${field}" has ${raw.length} raw bytes, which are not whole float32 values of ${bytesPerValue} bytes.`,
      `a multiple of ${bytesPerValue}`,
      raw.length,
    );
  }
  const count = raw.length > 0 ? raw.length / bytesPerValue : values.length;
  // Multiplied as doubles: a product beyond what can be sent is only ever compared.
  const claimed = shape.reduce((product, dim) => product * dim, 1);
  if (claimed !== count) {
    throw mismatch(
      field,
      `"${field}" of shape ${showShape(shape)} needs ${claimed} values, but has ${count}.`,
      claimed,
      count,
    );
  }
  return float32(shape, raw.length > 0 ? floatsOf(raw) : Float32Array.from(values));
}

/** Throws `empty-batch`, `batch-too-large`. */
export function checkRowCount(rows: number, field: string, maxRows: number): void {
  if (rows === 0) {
    throw new HourglassError('empty-batch', `"${field}" has no rows. Send at least one.`, {
      field: `/${field}`,
      expected: 'at least one row',
      found: [],
    });
  }
  if (rows > maxRows) {
    throw new HourglassError(
      'batch-too-large',
      `"${field}" has more than ${maxRows} rows. Send them in several requests.`,
      { field: `/${field}`, expected: maxRows },
    );
  }
}

function mismatch(field: string, message: string, expected: unknown, found: unknown): HourglassError {
  return new HourglassError('shape-mismatch', message, { field: `/${field}`, expected, found });
}

/** A copy: inside of a message the bytes rarely begin where floats may. */
function floatsOf(littleEndian: Uint8Array): Float32Array {
  const floats = new Float32Array(littleEndian.length / bytesPerValue);
  const bytes = Buffer.from(floats.buffer);
  bytes.set(littleEndian);
  if (endianness() === 'BE') bytes.swap32();
  return floats;
}

/** The rows as bytes or as numbers. */
export function tensorMessage(rows: NdArray<'float32'>, raw: boolean): MessageInitShape<typeof TensorSchema> {
  const shape = [...rows.shape];
  return raw ? { shape, raw: bytesOfRows(rows) } : { shape, values: Array.from(rows.data) };
}
