/**
 * Frames: symbols on the wire with what is needed to find their decoder and to trust them. docs/frame.md is the format.
 *
 *   compact      │ kind·quality │ id 2 │ crc-16 │ payload                            one row, 5 bytes of framing
 *   batch        │ kind·quality │ id 3 │ rows │ crc-16 │ payload                     many rows in one stream, 7–8 bytes
 *   standard     │ kind·quality │ id 8 │ rows │ rank │ dims │ crc-32 │ payload       says its shape, strong checksum
 *   progressive  │ kind·quality │ id 8 │ rows │ crc-16 │ part │ part …               any prefix decodes
 *
 * Checksums run over the decoder's whole hash, the head and the decoded symbols: a damaged frame, a wrong decoder and a
 * wrong table all fail.
 */

import { HourglassError } from '../base/errors.ts';
import { type FrameHeader, type FrameKind, parseHeader, truncated, writeHeader } from './frame-header.ts';
import { checksum, decodeSymbols, encodeSymbols } from './payload.ts';
import { leastBitsPerRow, type Profile, type Quality } from './profile.ts';
import { decodeProgressive, defaultParts, encodeProgressive } from './progressive.ts';

/** Progressive frames are for images on their way to an eye: few rows, so that a cut one cannot claim much memory. */
export const progressiveRows = 256;

const checksumWidth = { compact: 2, batch: 2, standard: 4 } as const;

export interface EncodeFrameOptions {
  readonly kind: FrameKind;
  /** index into the profile's qualities */
  readonly quality: number;
  /** progressive only: units per part, in the profile's order */
  readonly parts?: readonly number[];
}

export interface DecodedFrame {
  readonly header: FrameHeader;
  /** [rows, units] in the code's own order */
  readonly symbols: Int32Array;
  /** how many units of each row arrived; fewer than all only in a prefix of a progressive frame */
  readonly units: number;
}

/** @param symbols [rows, units] as `quantise` gives them. Throws RangeError on symbols or options that do not fit the profile. */
export function encodeFrame(
  profile: Profile,
  symbols: Int32Array,
  { kind, quality: index, parts }: EncodeFrameOptions,
): Uint8Array {
  const quality = profile.qualities[index];
  if (!quality) throw new RangeError(`quality ${index} of ${profile.qualities.length}`);
  const units = quality.units.length;
  const rows = symbols.length / units;
  if (!Number.isInteger(rows) || rows < 1) throw new RangeError('symbols are whole rows, at least one');
  if (kind === 'compact' && rows !== 1) throw new RangeError('a compact frame holds one row');
  if (kind === 'progressive' && rows > progressiveRows)
    throw new RangeError(`a progressive frame holds ${progressiveRows} rows at most`);
  if (kind === 'progressive') return encodeProgressive(profile, quality, index, symbols, parts ?? defaultParts(units));
  const head = writeHeader(kind, index, profile.hash, rows, profile.codeShape);
  const width = checksumWidth[kind];
  const crc = checksum(width, profile.hash, head, profile.order, symbols, units);
  const payload = encodeSymbols(quality, profile.order, symbols);
  const frame = new Uint8Array(head.length + width + payload.length);
  frame.set(head);
  for (let i = 0; i < width; i++) frame[head.length + i] = (crc >>> (8 * (width - 1 - i))) & 0xff;
  frame.set(payload, head.length + width);
  return frame;
}

/**
 * Decodes with the given profile. Throws `invalid-frame` (structure), `unsupported-frame-version`, `model-mismatch` (the id
 * is another decoder's), `batch-too-large` or `frame-checksum`. Allocates nothing that the frame's length does not justify.
 * @param maxRows rows accepted at most
 */
export function decodeFrame(profile: Profile, bytes: Uint8Array, maxRows = 65_536): DecodedFrame {
  const header = parseHeader(bytes);
  if (header.id.some((byte, i) => byte !== profile.hash[i])) {
    throw new HourglassError(
      'model-mismatch',
      'The frame was encoded for another model than the one asked to decode it.',
    );
  }
  const quality = profile.qualities[header.quality];
  if (!quality) {
    throw new HourglassError(
      'invalid-frame',
      `The frame has quality ${header.quality}; its decoder has ${profile.qualities.length}, counted from 0.`,
    );
  }
  boundRows(header, quality, bytes.length, maxRows);
  if (header.kind === 'progressive') return { header, ...decodeProgressive(profile, quality, header, bytes) };
  if (header.codeShape && header.codeShape.join() !== profile.codeShape.join()) {
    throw new HourglassError('invalid-frame', 'The frame states a code shape that its decoder does not have.', {
      expected: profile.codeShape,
      found: header.codeShape,
    });
  }
  const width = checksumWidth[header.kind];
  const start = header.length + width;
  if (bytes.length < start) throw truncated();
  let expected = 0;
  for (let i = 0; i < width; i++) expected = expected * 256 + (bytes[header.length + i] as number);
  const units = quality.units.length;
  const symbols = new Int32Array(header.rows * units);
  const fine = decodeSymbols(quality, profile.order, bytes.subarray(start), symbols);
  const head = bytes.subarray(0, header.length);
  if (!fine || checksum(width, profile.hash, head, profile.order, symbols, units) !== expected) {
    throw new HourglassError(
      'frame-checksum',
      'The frame was damaged on its way or coded with other tables; send it again.',
    );
  }
  return { header, symbols, units };
}

/** Refuses a head that claims more rows than are allowed, or than its bytes can hold. */
function boundRows({ rows, kind }: FrameHeader, quality: Quality, length: number, maxRows: number): void {
  if (rows > maxRows) {
    throw new HourglassError('batch-too-large', `The frame holds ${rows} rows; at most ${maxRows} are allowed.`, {
      expected: maxRows,
      found: rows,
    });
  }
  // the coder may stop up to 4 bytes early inside its final interval; a progressive prefix may have lost all its parts
  const possible =
    kind === 'progressive' ? rows <= progressiveRows : rows * leastBitsPerRow(quality) <= 8 * (length + 4);
  if (!possible) {
    throw new HourglassError('invalid-frame', `The frame claims ${rows} rows; its ${length} bytes cannot hold them.`);
  }
}
