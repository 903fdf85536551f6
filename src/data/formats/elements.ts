/** Number formats of binary sources: bytes in either byte order to uint8 or float32 values. */

import { endianness } from 'node:os';
import type { RowValues, ValueKind } from '../writer.ts';

export interface ElementType {
  readonly kind: ValueKind;
  readonly bytes: number;
  /** one element at a byte offset, as a float32-convertible number */
  read(view: DataView, at: number, littleEndian: boolean): number;
}

const element = (kind: ValueKind, bytes: number, read: ElementType['read']): ElementType => ({ kind, bytes, read });

export const elementTypes = {
  bool: element('uint8', 1, (view, at) => (view.getUint8(at) === 0 ? 0 : 1)),
  uint8: element('uint8', 1, (view, at) => view.getUint8(at)),
  int8: element('whole', 1, (view, at) => view.getInt8(at)),
  uint16: element('whole', 2, (view, at, little) => view.getUint16(at, little)),
  int16: element('whole', 2, (view, at, little) => view.getInt16(at, little)),
  uint32: element('whole', 4, (view, at, little) => view.getUint32(at, little)),
  int32: element('whole', 4, (view, at, little) => view.getInt32(at, little)),
  uint64: element('whole', 8, (view, at, little) => Number(view.getBigUint64(at, little))),
  int64: element('whole', 8, (view, at, little) => Number(view.getBigInt64(at, little))),
  float16: element('float', 2, (view, at, little) => fromHalf(view.getUint16(at, little))),
  float32: element('float', 4, (view, at, little) => view.getFloat32(at, little)),
  float64: element('float', 8, (view, at, little) => view.getFloat64(at, little)),
} as const satisfies Record<string, ElementType>;

/** IEEE 754 binary16 to a number. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const nativeLittle = endianness() === 'LE';

/** `bytes` holds whole elements and is aligned. Doubles beyond float32 come out infinite. */
export function decodeElements(bytes: Uint8Array, type: ElementType, littleEndian: boolean): RowValues {
  if (type === elementTypes.uint8) return bytes;
  if (type === elementTypes.float32 && littleEndian === nativeLittle) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
  const count = bytes.byteLength / type.bytes;
  const out = type.kind === 'uint8' ? new Uint8Array(count) : new Float32Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < count; i++) out[i] = type.read(view, i * type.bytes, littleEndian);
  return out;
}
