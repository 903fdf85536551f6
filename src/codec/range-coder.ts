/**
 * Range coder over static integer frequencies (Martin 1979; carry propagation into the bytes already written). Integers
 * only: what one device codes, every other device decodes. Invariants are in docs/frame.md.
 *
 *   low ├──────────────── range ────────────────┤ low + range
 *       ├─ start·r ─┼──── freq·r ────┼──────────┤     r = range >> totalBits
 */

/** Frequencies of a table sum to 2^totalBits. */
export const totalBits = 14;
export const total = 1 << totalBits;

const top = 2 ** 32;
const bottom = 2 ** 24;

/** Writes symbols; `finish` returns the shortest byte string inside the final interval. */
export class RangeEncoder {
  #low = 0;
  #range = top - 1;
  readonly #bytes: number[] = [];

  /** @param start sum of the frequencies of smaller symbols; @param freq ≥ 1; start + freq ≤ total */
  encode(start: number, freq: number): void {
    const r = this.#range >>> totalBits;
    this.#narrow(start * r, freq * r);
  }

  /** Codes the low `bits` (≤ 14) of `value` at one bit each. */
  encodeBits(value: number, bits: number): void {
    const r = this.#range >>> bits;
    this.#narrow((value & ((1 << bits) - 1)) * r, r);
  }

  /**
   * The number with the fewest significant bytes in [low, low + range); the decoder reads zeros past the end. Bytes that were
   * already shifted out stay, even zeros, so that the length bounds the number of symbols.
   */
  finish(): Uint8Array {
    const end = this.#low + this.#range;
    for (let kept = 0; kept <= 4; kept++) {
      const unit = 2 ** (32 - 8 * kept);
      const value = Math.ceil(this.#low / unit) * unit;
      if (value >= end) continue;
      if (value >= top) this.#carry();
      for (let i = 0; i < kept; i++) this.#bytes.push(Math.floor(value / 2 ** (24 - 8 * i)) & 0xff);
      break;
    }
    return Uint8Array.from(this.#bytes);
  }

  #narrow(offset: number, range: number): void {
    this.#low += offset;
    this.#range = range;
    if (this.#low >= top) {
      this.#low -= top;
      this.#carry();
    }
    while (this.#range < bottom) {
      this.#bytes.push(this.#low >>> 24);
      this.#low = (this.#low << 8) >>> 0;
      this.#range *= 256;
    }
  }

  #carry(): void {
    let i = this.#bytes.length - 1;
    while (this.#bytes[i] === 0xff) this.#bytes[i--] = 0;
    // the interval never leaves [0, 1), so there is a byte below 0xff
    this.#bytes[i] = (this.#bytes[i] as number) + 1;
  }
}

/** Reads symbols back. Any bytes decode to something; `overrun` tells that more was read than was ever written. */
export class RangeDecoder {
  #code = 0;
  #range = top - 1;
  #next = 0;
  #unit = 1;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (let i = 0; i < 4; i++) this.#shiftIn();
  }

  /** The cumulative frequency to look up in the table; call `consume` with the symbol found. */
  peek(): number {
    this.#unit = this.#range >>> totalBits;
    return Math.min(total - 1, Math.floor(this.#code / this.#unit));
  }

  consume(start: number, freq: number): void {
    this.#narrow(start * this.#unit, freq * this.#unit);
  }

  decodeBits(bits: number): number {
    const r = this.#range >>> bits;
    const value = Math.min((1 << bits) - 1, Math.floor(this.#code / r));
    this.#narrow(value * r, r);
    return value;
  }

  /** True when no encoder could have written so few bytes for what was read. */
  get overrun(): boolean {
    return this.#next > this.#bytes.length + 4;
  }

  #narrow(offset: number, range: number): void {
    this.#code -= offset;
    this.#range = range;
    while (this.#range < bottom) {
      this.#shiftIn();
      this.#range *= 256;
    }
  }

  #shiftIn(): void {
    this.#code = ((this.#code << 8) | (this.#bytes[this.#next] ?? 0)) >>> 0;
    this.#next++;
  }
}
