/**
 * The context of each symbol, in integers: a weighted sum of magnitudes that both sides know already says how large the next one
 * is expected to be, and that picks one of the static tables.
 *
 *        TL  T  TR        the same coefficient of four blocks, and those near it of L and T
 *         L  ▣            earlier coefficients of the block: the last 4, 16 and 64, and up to three "parents"
 */

import { decodeSymbol } from '../decode-symbol.ts';
import type { RangeDecoder, RangeEncoder } from '../range-coder.ts';
import {
  type Band,
  coefficientsOf,
  contextLevels,
  countLevels,
  features,
  groupOf,
  lastGroup,
  mostMagnitude,
  type PictureCodec,
} from './picture-codec.ts';

/** Half-width of the window over neighbouring coefficients of the blocks left and above. */
const reach = 8;

/** Quarter octaves of v ≥ 16: 16 → 0, 20 → 1, 24 → 2, 28 → 3, 32 → 4 … */
export function levelOf(value: number): number {
  const v = Math.max(value, 16);
  const exponent = 31 - Math.clz32(v);
  const level = ((exponent << 2) | ((v >> (exponent - 2)) & 3)) - 16;
  return level < contextLevels ? level : contextLevels - 1;
}

/** Half octaves of 1 + the expected count, which is given in units of 1/256. */
export function countLevelOf(expected: number): number {
  const v = 256 + Math.max(expected, 0);
  const exponent = 31 - Math.clz32(v);
  const level = ((exponent << 1) | ((v >> (exponent - 1)) & 1)) - 16;
  return level < countLevels ? level : countLevels - 1;
}

/** Contexts of the blocks of one tile, in raster order. Call `begin`, then `tableOf` and `set` for each coded coefficient, then `end`. */
export class TileContexts {
  readonly #width: number;
  readonly #size: number;
  readonly #weights: Int16Array;
  readonly #floors: Uint16Array;
  readonly #countWeights: Int16Array;
  readonly #parents: Int16Array;
  /** group of each coefficient, as the first table of its group */
  readonly #firstTable: Uint16Array;
  /** magnitudes of the row above and of this one, one block of zeros at either end */
  #above: Uint8Array;
  #here: Uint8Array;
  #countsAbove: Uint16Array;
  #countsHere: Uint16Array;
  /** sums of the magnitudes before each coefficient of this block, and of the blocks left and above */
  readonly #sums: Int32Array;
  readonly #around: Int32Array;
  #column = 0;
  #at = 0;
  #count = 0;

  constructor(codec: PictureCodec, band: Band, width: number) {
    const size = coefficientsOf(codec);
    this.#width = width;
    this.#size = size;
    this.#weights = band.weights;
    this.#floors = band.floors;
    this.#countWeights = band.countWeights;
    this.#parents = codec.parents;
    this.#firstTable = Uint16Array.from({ length: size }, (_, k) => groupOf(k, codec.channels) * contextLevels);
    this.#above = new Uint8Array((width + 2) * size);
    this.#here = new Uint8Array((width + 2) * size);
    this.#countsAbove = new Uint16Array(width + 2);
    this.#countsHere = new Uint16Array(width + 2);
    this.#sums = new Int32Array(size + 1);
    this.#around = new Int32Array(size + 1);
  }

  /** Expected number of coded coefficients of the next block, in units of 1/256. */
  expectedCount(): number {
    const w = this.#countWeights;
    const i = this.#column + 1;
    const sum =
      (w[0] as number) * (this.#countsHere[i - 1] as number) +
      (w[1] as number) * (this.#countsAbove[i] as number) +
      (w[2] as number) * (this.#countsAbove[i - 1] as number) +
      (w[3] as number) * (this.#countsAbove[i + 1] as number);
    return sum + (w[4] as number) * 64;
  }

  /** Goes to the next block, of which `count` coefficients are coded. */
  begin(count: number): void {
    const size = this.#size;
    this.#at = (this.#column + 1) * size;
    this.#count = count;
    const around = this.#around;
    const left = this.#at - size;
    const last = Math.min(size, count + reach + 1);
    let sum = 0;
    for (let k = 0; k < last; k++) {
      sum += (this.#here[left + k] as number) + (this.#above[this.#at + k] as number);
      around[k + 1] = sum;
    }
    for (let k = last; k < size; k++) around[k + 1] = sum;
  }

  /** The number of the table that coefficient k is coded with. */
  tableOf(k: number): number {
    const size = this.#size;
    const at = this.#at + k;
    const above = this.#above;
    const here = this.#here;
    const sums = this.#sums;
    const w = this.#weights;
    const f = k * features;
    const p = k * 3;
    const now = sums[k] as number;
    const [a, b, c] = [this.#parents[p] as number, this.#parents[p + 1] as number, this.#parents[p + 2] as number];
    const rest = this.#count - 1 - k;
    const expected =
      (w[f] as number) * (here[at - size] as number) +
      (w[f + 1] as number) * (above[at] as number) +
      (w[f + 2] as number) * (above[at - size] as number) +
      (w[f + 3] as number) * (above[at + size] as number) +
      (w[f + 4] as number) * (now - (sums[k > 4 ? k - 4 : 0] as number)) +
      (w[f + 5] as number) * (now - (sums[k > 16 ? k - 16 : 0] as number)) +
      (w[f + 6] as number) * (now - (sums[k > 64 ? k - 64 : 0] as number)) +
      (w[f + 7] as number) *
        ((this.#around[k + reach < size ? k + reach + 1 : size] as number) -
          (this.#around[k > reach ? k - reach : 0] as number)) +
      (a < 0 ? 0 : (w[f + 8] as number) * (here[this.#at + a] as number)) +
      (b < 0 ? 0 : (w[f + 9] as number) * (here[this.#at + b] as number)) +
      (c < 0 ? 0 : (w[f + 10] as number) * (here[this.#at + c] as number)) +
      (w[f + 11] as number) * Math.min(rest, 15) +
      (w[f + 12] as number) * (rest < 63 ? rest >> 2 : 15) +
      (w[f + 13] as number);
    const floor = this.#floors[k] as number;
    const first = rest === 0 ? lastGroup * contextLevels : (this.#firstTable[k] as number);
    return first + levelOf(Math.max(expected, floor));
  }

  /** The inputs of the weighted sum of coefficient k, for fitting its weights. */
  inputs(k: number, out: Float64Array): void {
    const size = this.#size;
    const at = this.#at + k;
    const now = this.#sums[k] as number;
    const before = (n: number): number => now - (this.#sums[Math.max(0, k - n)] as number);
    const parent = (i: number): number => {
      const index = this.#parents[3 * k + i] as number;
      return index < 0 ? 0 : (this.#here[this.#at + index] as number);
    };
    const around =
      (this.#around[Math.min(size, k + reach + 1)] as number) - (this.#around[Math.max(0, k - reach)] as number);
    const rest = this.#count - 1 - k;
    out[0] = this.#here[at - size] as number;
    out[1] = this.#above[at] as number;
    out[2] = this.#above[at - size] as number;
    out[3] = this.#above[at + size] as number;
    out[4] = before(4);
    out[5] = before(16);
    out[6] = before(64);
    out[7] = around;
    for (let i = 0; i < 3; i++) out[8 + i] = parent(i);
    out[11] = Math.min(rest, 15);
    out[12] = rest < 63 ? rest >> 2 : 15;
    out[13] = 1;
  }

  /** The counts of the blocks around, for fitting `countWeights`. */
  countInputs(out: Float64Array): void {
    const i = this.#column + 1;
    out[0] = this.#countsHere[i - 1] as number;
    out[1] = this.#countsAbove[i] as number;
    out[2] = this.#countsAbove[i - 1] as number;
    out[3] = this.#countsAbove[i + 1] as number;
    out[4] = 1;
  }

  /** Notes the coded value of coefficient k; those from 0 on, each once. */
  set(k: number, value: number): void {
    const magnitude = value < 0 ? -value : value;
    const kept = Math.min(magnitude, mostMagnitude);
    this.#here[this.#at + k] = kept;
    this.#sums[k + 1] = (this.#sums[k] as number) + kept;
  }

  /** Ends the block. */
  end(): void {
    this.#here.fill(0, this.#at + this.#count, this.#at + this.#size);
    this.#countsHere[this.#column + 1] = this.#count;
    this.#column++;
    if (this.#column < this.#width) return;
    this.#column = 0;
    [this.#above, this.#here] = [this.#here, this.#above];
    [this.#countsAbove, this.#countsHere] = [this.#countsHere, this.#countsAbove];
  }
}

/**
 * Classes of the number of coded coefficients: one for each up to 16, then 2, 4, 8 and 16 numbers a class, told apart by bits of
 * equal probability.
 */
export const countClasses = 49;
const classStarts = [17, 33, 65, 129, 257] as const;

export function countClass(count: number): readonly [number: number, bits: number, rest: number] {
  if (count < 17) return [count, 0, 0];
  let first = 17;
  for (let bits = 1; ; bits++) {
    const start = classStarts[bits - 1] as number;
    const end = classStarts[bits] as number;
    if (count < end || bits === 4)
      return [first + ((count - start) >> bits), bits, (count - start) & ((1 << bits) - 1)];
    first += (end - start) >> bits;
  }
}

/** The least count of a class, and the bits that follow. */
export function countsOfClass(number: number): readonly [least: number, bits: number] {
  if (number < 17) return [number, 0];
  const beyond = number - 17;
  if (beyond < 8) return [17 + 2 * beyond, 1];
  if (beyond < 16) return [33 + 4 * (beyond - 8), 2];
  if (beyond < 24) return [65 + 8 * (beyond - 16), 3];
  return [129 + 16 * (beyond - 24), 4];
}

export function encodeCount(coder: RangeEncoder, band: Band, level: number, count: number): void {
  const [number, bits, rest] = countClass(count);
  (band.countTables[level] as Band['countTables'][number]).encode(coder, number);
  if (bits > 0) coder.encodeBits(rest, bits);
}

export function decodeCount(coder: RangeDecoder, band: Band, level: number): number {
  const [least, bits] = countsOfClass(decodeSymbol(band.countTables[level] as Band['countTables'][number], coder));
  return bits > 0 ? least + coder.decodeBits(bits) : least;
}

/** Cost in bits, rounded as in costs.ts. */
export function countBits(band: Band, level: number, count: number): number {
  const [number, bits] = countClass(count);
  return Math.round(4096 * (band.countTables[level] as Band['countTables'][number]).bits(number)) / 4096 + bits;
}
