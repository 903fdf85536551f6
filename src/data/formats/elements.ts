/** Element formats of binary sources: bytes in either byte order to uint8 or float32 values, or exactly to the names of classes. */

import { endianness } from 'node:os';
import type { RowValues, ValueKind } from '../writer.ts';
import { decodeWindows1252 } from './text.ts';

export interface ByteOrder {
  readonly littleEndian: boolean;
}

export interface ElementType {
  /** `text` can only be a label */
  readonly kind: ValueKind | 'text';
  readonly bytes: number;
  /** one element at a byte offset, as a float32-convertible number */
  read(view: DataView, at: number, littleEndian: boolean): number;
  /** one element, exactly, as a class is called; undefined when it is not a whole number */
  name(view: DataView, at: number, littleEndian: boolean): string | undefined;
}

const number = (kind: ValueKind, bytes: number, read: ElementType['read']): ElementType => ({
  kind,
  bytes,
  read,
  name: (view, at, little) => {
    const value = read(view, at, little);
    return Number.isInteger(value) ? BigInt(value).toString() : undefined;
  },
});

const wide = (read: (view: DataView, at: number, littleEndian: boolean) => bigint): ElementType => ({
  kind: 'whole',
  bytes: 8,
  read: (view, at, little) => Number(read(view, at, little)),
  name: (view, at, little) => read(view, at, little).toString(),
});

export const elementTypes = {
  bool: number('uint8', 1, (view, at) => (view.getUint8(at) === 0 ? 0 : 1)),
  uint8: number('uint8', 1, (view, at) => view.getUint8(at)),
  int8: number('whole', 1, (view, at) => view.getInt8(at)),
  uint16: number('whole', 2, (view, at, little) => view.getUint16(at, little)),
  int16: number('whole', 2, (view, at, little) => view.getInt16(at, little)),
  uint32: number('whole', 4, (view, at, little) => view.getUint32(at, little)),
  int32: number('whole', 4, (view, at, little) => view.getInt32(at, little)),
  uint64: wide((view, at, little) => view.getBigUint64(at, little)),
  int64: wide((view, at, little) => view.getBigInt64(at, little)),
  float16: number('float', 2, (view, at, little) => fromHalf(view.getUint16(at, little))),
  float32: number('float', 4, (view, at, little) => view.getFloat32(at, little)),
  float64: number('float', 8, (view, at, little) => view.getFloat64(at, little)),
} as const satisfies Record<string, ElementType>;

/** NumPy's text of fixed width, NULs at its end: `U` in UCS-4, `S` in bytes that are UTF-8, else windows-1252. */
export function textType(code: 'U' | 'S', length: number): ElementType {
  const characters = (view: DataView, at: number, little: boolean) =>
    Array.from({ length }, (_, i) => view.getUint32(at + 4 * i, little));
  return {
    kind: 'text',
    bytes: length * (code === 'U' ? 4 : 1),
    read: () => Number.NaN,
    name: (view, at, little) => {
      if (code === 'S') return fromBytes(new Uint8Array(view.buffer, view.byteOffset + at, length));
      const points = characters(view, at, little);
      const isValid = points.every((point) => point <= 0x10ffff && (point < 0xd800 || point > 0xdfff));
      return isValid ? String.fromCodePoint(...points).replace(/\0+$/, '') : undefined;
    },
  };
}

function fromBytes(padded: Uint8Array): string {
  const bytes = padded.subarray(0, padded.findLastIndex((byte) => byte !== 0) + 1);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return decodeWindows1252(bytes);
  }
}

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
