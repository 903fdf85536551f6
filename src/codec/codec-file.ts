/** What the files `codec.bin` are made of: signed and unsigned integers, floats and frequency tables. Readers are strict. */

import { HourglassError } from '../base/errors.ts';
import { FrequencyTable } from './frequency-table.ts';
import { readVarint, writeVarint } from './varint.ts';

const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

export const corrupt = (): HourglassError =>
  new HourglassError(
    'model-corrupt',
    'The model’s codec tables are damaged or of a newer release; publish the model again.',
  );

export function writeSigned(out: number[], value: number): void {
  writeVarint(out, value < 0 ? -2 * value - 1 : 2 * value);
}

export function writeFloat(out: number[], value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  out.push(...bytes);
}

export function writeTable(out: number[], { min, frequencies }: FrequencyTable): void {
  writeSigned(out, min);
  writeVarint(out, frequencies.length);
  for (const frequency of frequencies) writeVarint(out, frequency);
}

/** Every call throws `model-corrupt` where the bytes say something else. */
export class CodecReader {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw corrupt();
    return byte;
  }

  varint(most: number): number {
    const read = readVarint(this.#bytes, this.#at);
    if (!read || read[0] > most) throw corrupt();
    this.#at = read[1];
    return read[0];
  }

  signed(most: number, least = -most - 1): number {
    const value = unzigzag(this.varint(2 * most + 1));
    if (value > most || value < least) throw corrupt();
    return value;
  }

  /** A symbol of a frequency table. */
  symbol(): number {
    return this.signed(32_767, -32_767);
  }

  /** finite, little-endian */
  float(): number {
    if (this.#at + 4 > this.#bytes.length) throw corrupt();
    const value = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#at).getFloat32(0, true);
    this.#at += 4;
    if (!Number.isFinite(value)) throw corrupt();
    return value;
  }

  times<T>(count: number, read: () => T): T[] {
    const out: T[] = [];
    for (let i = 0; i < count; i++) out.push(read());
    return out;
  }

  /** Of more than one symbol, and of at most `mostSymbols`. */
  table(mostSymbols = 16_384): FrequencyTable {
    const min = this.symbol();
    const frequencies = this.times(this.varint(mostSymbols), () => this.varint(16_384));
    try {
      const table = new FrequencyTable(min, frequencies);
      if (table.constant) throw corrupt();
      return table;
    } catch (error) {
      if (error instanceof RangeError) throw corrupt();
      throw error;
    }
  }
}
