/**
 * Static frequencies of one code unit's symbols: consecutive integers from `min`, then an escape for all others. Fixed when
 * a model is published; integers only, so that coder and decoder agree on every device.
 */

import { type RangeEncoder, total } from './range-coder.ts';

/** No symbol is cheaper than log2(64/63) = 0.0227 bits, so that a payload's length bounds how many symbols it can hold. */
export const maxFrequency = total - total / 64;

/** Largest magnitude of a symbol. Quantisers clamp to it. */
export const maxSymbol = 0x7fff;

/** A table with one symbol and no escape: the unit is constant and costs nothing. */
export const constantTable = (symbol: number): FrequencyTable => new FrequencyTable(symbol, [total]);

export class FrequencyTable {
  readonly min: number;
  /** of symbols min, min + 1, …, and at last the escape's */
  readonly frequencies: readonly number[];
  /** sum of the frequencies before each slot, and of all at last */
  readonly cumulative: Uint16Array;
  /** by slot; made when first asked for: quantisers ask often, decoders never */
  #slotBits: Float64Array | undefined;

  /** Throws RangeError unless frequencies are integers ≥ 1 that sum to 2^14, none above `maxFrequency`. */
  constructor(min: number, frequencies: readonly number[]) {
    const constant = frequencies.length === 1;
    const sum = frequencies.reduce((a, b) => a + b, 0);
    const valid = (f: number): boolean => Number.isInteger(f) && f >= 1 && (constant || f <= maxFrequency);
    const symbols = constant ? 1 : frequencies.length - 1;
    if (sum !== total || !frequencies.every(valid)) {
      throw new RangeError(`a table's frequencies are integers from 1 to ${maxFrequency} that sum to ${total}`);
    }
    if (!Number.isInteger(min) || min < -maxSymbol || min + symbols - 1 > maxSymbol) {
      throw new RangeError(`a table's symbols lie between ${-maxSymbol} and ${maxSymbol}`);
    }
    this.min = min;
    this.frequencies = frequencies;
    this.cumulative = new Uint16Array(frequencies.length + 1);
    for (const [i, f] of frequencies.entries()) this.cumulative[i + 1] = (this.cumulative[i] as number) + f;
  }

  get constant(): boolean {
    return this.frequencies.length === 1;
  }

  /** Ideal cost of a symbol in bits, escapes included. */
  bits(symbol: number): number {
    if (this.constant) return 0;
    const index = symbol - this.min;
    const escapeSlot = this.frequencies.length - 1;
    this.#slotBits ??= Float64Array.from(this.frequencies, (frequency) => Math.log2(total / frequency));
    if (index >= 0 && index < escapeSlot) return this.#slotBits[index] as number;
    return (this.#slotBits[escapeSlot] as number) + 2 * bitLength(this.#excess(symbol)) - 1;
  }

  encode(coder: RangeEncoder, symbol: number): void {
    if (this.constant) {
      if (symbol !== this.min) throw new RangeError(`symbol ${symbol} in a unit that is always ${this.min}`);
      return;
    }
    const escapeSlot = this.frequencies.length - 1;
    const index = symbol - this.min;
    const inside = index >= 0 && index < escapeSlot;
    const slot = inside ? index : escapeSlot;
    coder.encode(this.cumulative[slot] as number, this.frequencies[slot] as number);
    if (!inside) encodeGamma(coder, this.#excess(symbol));
  }

  /** Escaped symbols count outwards: 1, 3, 5 … above the table, 2, 4, 6 … below. */
  #excess(symbol: number): number {
    const last = this.min + this.frequencies.length - 2;
    return symbol > last ? 2 * (symbol - last) - 1 : 2 * (this.min - symbol);
  }
}

const bitLength = (value: number): number => 32 - Math.clz32(value);

/** Elias gamma code of a value ≥ 1: its length in unary, then its bits below the leading one. */
function encodeGamma(coder: RangeEncoder, value: number): void {
  const length = bitLength(value);
  for (let i = 1; i < length; i++) coder.encodeBits(0, 1);
  coder.encodeBits(1, 1);
  for (let bit = length - 2; bit >= 0; bit--) coder.encodeBits((value >>> bit) & 1, 1);
}

/**
 * Integer frequencies for observed or modelled weights of consecutive symbols and an escape: each at least 1, none above
 * `maxFrequency`, summing to 2^14, minimising the expected code length greedily (each unit goes where it saves most bits).
 * @param weights non-negative, of symbols min, min + 1, …; @param escapeWeight expected share of all others
 */
export function fitTable(min: number, weights: readonly number[], escapeWeight: number): FrequencyTable {
  const all = [...weights, escapeWeight];
  const sum = all.reduce((a, b) => a + b, 0);
  if (!(sum > 0) || all.some((w) => !(w >= 0) || !Number.isFinite(w))) {
    throw new RangeError('weights are finite, not negative, and not all zero');
  }
  if (all.length > total / 8) throw new RangeError(`a table has at most ${total / 8} symbols`);
  const frequencies = all.map((w) => Math.min(maxFrequency, Math.max(1, Math.floor((w / sum) * total))));
  let rest = total - frequencies.reduce((a, b) => a + b, 0);
  // gain of raising, or loss of lowering, a frequency by one is weight · log of the ratio
  while (rest !== 0) {
    const step = Math.sign(rest);
    let best = -1;
    let bestGain = Number.NEGATIVE_INFINITY;
    for (const [i, f] of frequencies.entries()) {
      if (f + step < 1 || f + step > maxFrequency) continue;
      const gain = (all[i] as number) * Math.log((f + step) / f);
      if (gain > bestGain) {
        bestGain = gain;
        best = i;
      }
    }
    frequencies[best] = (frequencies[best] as number) + step;
    rest -= step;
  }
  return new FrequencyTable(min, frequencies);
}

/** Cost of a table's cheapest symbol in bits; 0 for a constant. */
export const minBits = (table: FrequencyTable): number =>
  table.constant ? 0 : Math.log2(total / Math.max(...table.frequencies));
