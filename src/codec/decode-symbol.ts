/** The decoder of a frequency table, apart from it: devices encode alone, and do without this. */

import type { FrequencyTable } from './frequency-table.ts';
import type { RangeDecoder } from './range-coder.ts';

export function decodeSymbol({ constant, min, frequencies, cumulative }: FrequencyTable, coder: RangeDecoder): number {
  if (constant) return min;
  const target = coder.peek();
  const escapeSlot = frequencies.length - 1;
  let [low, high] = [0, escapeSlot];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((cumulative[middle] as number) <= target) low = middle;
    else high = middle - 1;
  }
  coder.consume(cumulative[low] as number, frequencies[low] as number);
  if (low < escapeSlot) return min + low;
  const excess = decodeGamma(coder);
  return excess % 2 === 0 ? min - excess / 2 : min + escapeSlot - 1 + (excess + 1) / 2;
}

/** Reads at most 17 bits of value: symbols beyond that were never written, the checksum tells. */
function decodeGamma(coder: RangeDecoder): number {
  let length = 1;
  while (length < 18 && coder.decodeBits(1) === 0) length++;
  let value = 1;
  for (let i = 1; i < length; i++) value = (value << 1) | coder.decodeBits(1);
  return value;
}
