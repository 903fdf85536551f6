/**
 * Float32 tensors as JSON text: each number in the fewest digits (at most 9) from which a reader gets the same float32
 * again, nested by the shape. Written in pieces, so that a large answer neither keeps others waiting nor lies in memory
 * as a whole.
 */

import type { NdArray } from '../../base/ndarray.ts';

/** numbers written at a stretch, in less than a millisecond; with as many or fewer there is one piece */
export const numbersAPiece = 8192;
/** the longest number is -1.23456789e-38; brackets and commas of up to 8 dimensions come on top */
const bytesPerNumber = 40;

/** Written into and copied from: a buffer for the longest text would stay as long as the text, which is much shorter. */
const scratch = Buffer.allocUnsafeSlow(numbersAPiece * bytesPerNumber);

const powers = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const zero = 0x30;

/** Yields the text of the nested array. */
export function* writeNumbers({ shape, data }: NdArray<'float32'>): Generator<Buffer> {
  // a border of dimension d closes and opens its brackets after every blocks[d] numbers
  const blocks = shape.map((_, d) => shape.slice(d).reduce((size, dim) => size * dim, 1));
  const buffer = scratch;
  let at = buffer.write('['.repeat(shape.length), 0, 'latin1');
  for (let i = 0; i < data.length; i++) {
    if (i > 0) {
      let closed = 0;
      while (closed < shape.length - 1 && i % blocks[shape.length - 1 - closed]! === 0) closed++;
      for (let k = 0; k < closed; k++) buffer[at++] = 0x5d;
      buffer[at++] = 0x2c;
      for (let k = 0; k < closed; k++) buffer[at++] = 0x5b;
    }
    at = writeFloat(buffer, at, data[i]!);
    if ((i + 1) % numbersAPiece === 0 && i + 1 < data.length) {
      yield Buffer.from(buffer.subarray(0, at));
      at = 0;
    }
  }
  at += buffer.write(']'.repeat(shape.length), at, 'latin1');
  yield Buffer.from(buffer.subarray(0, at));
}

/**
 * Writes a finite float32 as a JSON number and returns the place after it. Candidates m · 10^-k are tried with 6, 7, 8 and
 * 9 digits: 6 always come back from a float32, 9 always tell it apart. m / 10^k is correctly rounded, thus exactly what a
 * reader of the text computes.
 */
function writeFloat(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  if (value < 0 || Object.is(value, -0)) {
    buffer[at++] = 0x2d;
    rest = -value;
  }
  if (rest === 0) {
    buffer[at++] = zero;
    return at;
  }
  if (rest < 1e-6 || rest >= 1e9) return at + buffer.write(shortest(rest), at, 'latin1');
  // digits before the point; negative: zeros after it
  let magnitude = 0;
  if (rest >= 1) while (rest >= powers[magnitude]!) magnitude++;
  else while (rest * powers[-magnitude]! < 0.1) magnitude--;
  for (let digits = 6; digits <= 9; digits++) {
    const decimals = digits - magnitude;
    const mantissa =
      decimals >= 0 ? Math.round(rest * powers[decimals]!) : Math.round(rest / powers[-decimals]!) * powers[-decimals]!;
    const candidate = decimals >= 0 ? mantissa / powers[decimals]! : mantissa;
    if (Math.fround(candidate) === rest) return writeDecimal(buffer, at, mantissa, Math.max(0, decimals));
  }
  return at + buffer.write(shortest(rest), at, 'latin1');
}

/** mantissa · 10^-decimals without trailing zeros */
function writeDecimal(buffer: Buffer, start: number, mantissa: number, decimals: number): number {
  // The mantissa is below 10^9 and fits in an int32: use integer arithmetic.
  let whole = mantissa | 0;
  let scale = decimals;
  for (let next = (whole / 10) | 0; scale > 0 && next * 10 === whole; next = (whole / 10) | 0) {
    whole = next;
    scale--;
  }
  let length = 1;
  for (let bound = 10; whole >= bound; bound *= 10) length++;
  const digits = Math.max(length, scale + 1);
  const end = start + digits + (scale > 0 ? 1 : 0);
  let at = end;
  for (let i = 0; i < digits; i++) {
    if (i === scale && scale > 0) buffer[--at] = 0x2e;
    const next = (whole / 10) | 0;
    buffer[--at] = zero + (whole - next * 10);
    whole = next;
  }
  return end;
}

/** For very small and very large numbers, which are rare. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}
