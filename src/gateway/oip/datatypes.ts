/** Element types of the Open Inference Protocol. Models take float32: other numbers are converted, what is no number is refused. */

import { endianness } from 'node:os';
import { HourglassError } from '../../base/errors.ts';

/** little-endian bytes of one element → its value */
interface Datatype {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}

const datatypes: Readonly<Record<string, Datatype>> = {
  BOOL: { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  INT8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  UINT16: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  INT16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  UINT32: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  UINT64: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
  INT64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  FP16: { bytes: 2, read: (view, at) => halfOf(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => brainOf(view.getUint16(at, true)) },
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  FP64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** Throws `invalid-type` for a type that holds no numbers. `field` is where it stands in the request. */
export function checkDatatype(name: string, field: string): void {
  if (Object.hasOwn(datatypes, name)) return;
  throw new HourglassError(
    'invalid-type',
    `Inputs of the datatype ${JSON.stringify(name.slice(0, 40))} are not taken: models take numbers. Send FP32, or another numeric type to be converted to it.`,
    { field, expected: Object.keys(datatypes), found: name.slice(0, 40) },
  );
}

/** The elements as float32. Throws `invalid-type`, and `shape-mismatch` for bytes that are not whole elements. */
export function floatsOfRaw(bytes: Uint8Array, name: string, field: string): Float32Array {
  checkDatatype(name, field);
  const { bytes: size, read } = datatypes[name]!;
  if (bytes.length % size !== 0) {
    throw new HourglassError(
      'shape-mismatch',
      `${bytes.length} bytes are not whole elements of ${name}, ${size} bytes each.`,
      {
        field,
        expected: `a multiple of ${size}`,
        found: bytes.length,
      },
    );
  }
  if (name === 'FP32' && endianness() === 'LE') {
    if (bytes.byteOffset % size === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / size);
    // A copy: a Buffer's own slice() would be another view of the same memory.
    return new Float32Array(new Uint8Array(bytes).buffer);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float32Array.from({ length: bytes.length / size }, (_, i) => read(view, i * size));
}

/** IEEE 754 binary16. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));
function brainOf(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
