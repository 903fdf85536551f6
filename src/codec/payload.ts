/**
 * Symbols ↔ range-coded bytes, and the checksum over what was coded. Rows one after the other, units in the profile's order; where
 * rows fall into clusters, each row's cluster first.
 */

import { crc16, crc32 } from './crc.ts';
import { decodeSymbol } from './decode-symbol.ts';
import { type FrequencyTable, maxSymbol } from './frequency-table.ts';
import { cheapestCoding, type Quality, tablesOf } from './profile.ts';
import { RangeDecoder, RangeEncoder } from './range-coder.ts';

/**
 * @param symbols [rows, units] in the code's own order; @param order the units to code, in this order; @param clusters of the
 * rows, the cheapest by default
 */
export function encodeSymbols(
  quality: Quality,
  order: Uint16Array,
  symbols: Int32Array,
  clusters?: Uint16Array,
): Uint8Array {
  const width = quality.units.length;
  const plain = tablesOf(quality, 0);
  const coder = new RangeEncoder();
  for (let from = 0, row = 0; from < symbols.length; from += width, row++) {
    let tables = plain;
    if (quality.clusters) {
      const cluster = clusters?.[row] ?? cheapestCoding(quality, symbols, from).cluster;
      quality.clusters.table.encode(coder, cluster);
      tables = tablesOf(quality, cluster);
    }
    for (const unit of order) (tables[unit] as FrequencyTable).encode(coder, symbols[from + unit] as number);
  }
  return coder.finish();
}

/**
 * Writes the units of `order` into `symbols` [rows, units]. False when the bytes are not what an encoder wrote: they end too
 * early, hold impossible symbols, or are not the one form that these symbols have.
 */
export function decodeSymbols(quality: Quality, order: Uint16Array, payload: Uint8Array, symbols: Int32Array): boolean {
  const width = quality.units.length;
  const plain = tablesOf(quality, 0);
  const coder = new RangeDecoder(payload);
  const clusters = quality.clusters && new Uint16Array(symbols.length / width);
  for (let from = 0, row = 0; from < symbols.length; from += width, row++) {
    let tables = plain;
    if (quality.clusters && clusters) {
      const cluster = decodeSymbol(quality.clusters.table, coder);
      if (cluster < 0 || cluster >= quality.clusters.units.length) return false;
      clusters[row] = cluster;
      tables = tablesOf(quality, cluster);
    }
    for (const unit of order) {
      const symbol = decodeSymbol(tables[unit] as FrequencyTable, coder);
      if (symbol > maxSymbol || symbol < -maxSymbol) return false;
      symbols[from + unit] = symbol;
    }
    if (coder.overrun) return false;
  }
  const again = encodeSymbols(quality, order, symbols, clusters);
  return again.length === payload.length && again.every((byte, i) => byte === payload[i]);
}

/** CRC over the decoder's hash, the bytes of the head, and the symbols of `order` as 16-bit little-endian numbers. */
export function checksum(
  width: 2 | 4,
  hash: Uint8Array,
  head: ArrayLike<number>,
  order: Uint16Array,
  symbols: Int32Array,
  units: number,
): number {
  const bytes = new Uint8Array(2 * order.length * (symbols.length / units));
  let at = 0;
  for (let row = 0; row < symbols.length; row += units) {
    for (const unit of order) {
      const symbol = symbols[row + unit] as number;
      bytes[at++] = symbol & 0xff;
      bytes[at++] = (symbol >> 8) & 0xff;
    }
  }
  const parts = [hash, Uint8Array.from(head), bytes];
  return width === 2
    ? parts.reduce((crc, part) => crc16(part, crc), 0xffff)
    : parts.reduce((crc, part) => crc32(part, crc), 0);
}
