// Numbers as text: they come back bit by bit, take no more digits than needed, and nest by their shape.
import { describe, expect, it } from 'vitest';
import { float32 } from '../../../src/base/ndarray.ts';
import { writeNumbers } from '../../../src/gateway/json/write.ts';

const text = (shape: readonly number[], data: Float32Array): string =>
  Buffer.concat([...writeNumbers(float32(shape, data))]).toString();

/** Float32 values of all magnitudes: every exponent with mantissas at and beside the powers of two and in between. */
function everywhere(): Float32Array {
  const bits: number[] = [];
  for (let exponent = 0; exponent < 255; exponent++) {
    for (const mantissa of [0, 1, 2, 0x7f_ffff, 0x7f_fffe, 0x40_0000, 0x12_3456, 0x55_5555, 0x0f_4240]) {
      for (const sign of [0, 1]) bits.push(((sign << 31) | (exponent << 23) | mantissa) >>> 0);
    }
  }
  for (let i = 0; i < 60_000; i++) {
    const pattern = (i * 2_654_435_761 + 12_345) >>> 0;
    if (((pattern >>> 23) & 0xff) !== 0xff) bits.push(pattern);
  }
  const decimals = Array.from({ length: 2000 }, (_, i) => [i / 255, i / 1000, i, -i / 7, 10 ** ((i % 70) - 37)]).flat();
  const all = new Float32Array(bits.length + decimals.length);
  all.set(new Float32Array(Uint32Array.from(bits).buffer));
  all.set(Float32Array.from(decimals), bits.length);
  return all;
}

/** The fewest significant digits that give the value back. */
function fewestDigits(value: number): number {
  for (let digits = 1; digits < 9; digits++)
    if (Math.fround(Number(value.toPrecision(digits))) === value) return digits;
  return 9;
}

const significant = (number: string): number =>
  number.replace(/^-/, '').replace(/e.*/, '').replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length;

describe('writeNumbers', () => {
  const data = everywhere();

  it('gives every float32 back bit by bit', () => {
    const back = Float32Array.from(JSON.parse(text([data.length], data)) as number[]);
    expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(data.buffer))).toBe(0);
  });

  it('takes as few digits as there can be', () => {
    const numbers = text([data.length], data).slice(1, -1).split(',');
    const longer = numbers.filter((number, i) => significant(number) > fewestDigits(Math.abs(data[i] as number)));
    expect(longer.slice(0, 10)).toEqual([]);
  });

  it.each([
    [[1], [0.1], '[0.1]'],
    [[2, 2], [0, -0, 1, -1], '[[0,-0],[1,-1]]'],
    [[2, 1, 2], [0.5, 100, 0.000001, 123456], '[[[0.5,100]],[[0.000001,123456]]]'],
    [[1, 1, 1, 1], [16777216], '[[[[16777216]]]]'],
    [[3], [1e-7, 3.4028234663852886e38, 1e21], '[1e-7,3.4028235e+38,1e+21]'],
  ])('%j of %j', (shape, values, expected) => {
    expect(text(shape, Float32Array.from(values))).toBe(expected);
  });

  it('writes long tensors in pieces that fit together', () => {
    const rows = float32(
      [100, 784],
      Float32Array.from({ length: 78_400 }, (_, i) => Math.sin(i)),
    );
    const pieces = [...writeNumbers(rows)];
    expect(pieces.length).toBeGreaterThan(3);
    const parsed = JSON.parse(Buffer.concat(pieces).toString()) as number[][];
    expect(parsed.map((row) => row.length)).toEqual(Array(100).fill(784));
    expect(Float32Array.from(parsed.flat())).toEqual(rows.data);
  });
});
