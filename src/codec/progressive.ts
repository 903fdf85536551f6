/**
 * Progressive frames: the code's units in parts, the most important first. Every part stands alone, so any prefix of the
 * frame decodes to an image, better with each part.
 *
 *   head │ crc-16 of head │ units │ bytes │ crc-16 │ payload │ units │ bytes │ …
 */

import { HourglassError } from '../base/errors.ts';
import { crc16 } from './crc.ts';
import { type FrameHeader, truncated, writeHeader } from './frame-header.ts';
import { checksum, decodeSymbols, encodeSymbols } from './payload.ts';
import type { Profile, Quality, Unit } from './profile.ts';
import { readVarint, writeVarint } from './varint.ts';

/** Units per part when the caller does not say: five parts, the first of which is already an image. */
export function defaultParts(units: number): number[] {
  const count = Math.min(5, units);
  return Array.from(
    { length: count },
    (_, i) => Math.floor(((i + 1) * units) / count) - Math.floor((i * units) / count),
  );
}

export function encodeProgressive(
  profile: Profile,
  quality: Quality,
  index: number,
  symbols: Int32Array,
  parts: readonly number[],
): Uint8Array {
  const units = quality.units.length;
  if (parts.some((n) => !Number.isInteger(n) || n < 1) || parts.reduce((a, b) => a + b, 0) !== units) {
    throw new RangeError(`the parts' units must be at least 1 each and sum to ${units}`);
  }
  const head = writeHeader('progressive', index, profile.hash, symbols.length / units, profile.codeShape);
  const out = [...head, ...twoBytes(crc16(profile.hash, crc16(Uint8Array.from(head))))];
  let from = 0;
  for (const count of parts) {
    const order = profile.order.subarray(from, from + count);
    from += count;
    const payload = encodeSymbols(withoutClusters(quality), order, symbols);
    const partHead: number[] = [];
    writeVarint(partHead, count);
    writeVarint(partHead, payload.length);
    out.push(...partHead, ...twoBytes(checksum(2, profile.hash, partHead, order, symbols, units)));
    for (const byte of payload) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Decodes the whole parts that are there; units that did not arrive hold their likeliest symbol. */
export function decodeProgressive(
  profile: Profile,
  quality: Quality,
  header: FrameHeader,
  bytes: Uint8Array,
): { symbols: Int32Array; units: number } {
  const units = quality.units.length;
  let at = header.length + 2;
  if (bytes.length < at) throw truncated();
  const headCrc = crc16(profile.hash, crc16(bytes.subarray(0, header.length)));
  if (headCrc !== readTwo(bytes, header.length)) throw damaged();
  const symbols = new Int32Array(header.rows * units);
  for (let i = 0; i < symbols.length; i++) symbols[i] = likeliest(quality.units[i % units] as Unit);
  let decoded = 0;
  while (decoded < units) {
    const count = readVarint(bytes, at);
    const length = count && readVarint(bytes, count[1]);
    if (!count || !length) break;
    const start = length[1] + 2;
    const end = start + length[0];
    if (count[0] < 1 || decoded + count[0] > units) throw damaged();
    if (end > bytes.length) break;
    const order = profile.order.subarray(decoded, decoded + count[0]);
    const fine = decodeSymbols(withoutClusters(quality), order, bytes.subarray(start, end), symbols);
    const crc = checksum(2, profile.hash, bytes.subarray(at, length[1]), order, symbols, units);
    if (!fine || crc !== readTwo(bytes, length[1])) throw damaged();
    decoded += count[0];
    at = end;
  }
  if (decoded === units && at !== bytes.length) throw damaged();
  return { symbols, units: decoded };
}

/** A part has too few units to tell clusters apart by. */
const withoutClusters = ({ clusters: _, ...quality }: Quality): Quality => quality;

function likeliest({ table }: Unit): number {
  if (table.constant) return table.min;
  const inside = table.frequencies.slice(0, -1);
  return table.min + inside.indexOf(Math.max(...inside));
}

const twoBytes = (value: number): [number, number] => [value >>> 8, value & 0xff];
const readTwo = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
const damaged = (): HourglassError =>
  new HourglassError('frame-checksum', 'The frame was damaged on its way or coded with other tables; send it again.');
