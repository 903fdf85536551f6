/** The head of a frame: its kind, its decoder and how much it holds. Wire numbers are never reused; docs/frame.md is the format. */

import { HourglassError } from '../base/errors.ts';
import { readVarint, writeVarint } from './varint.ts';

/** The upper four bits of a frame's first byte; the lower four are the quality. 0 is never used. */
export const frameKinds = { compact: 1, batch: 2, standard: 3, progressive: 4 } as const;
export type FrameKind = keyof typeof frameKinds;

/** Bytes of the decoder's hash that a frame carries. */
const idLength: Readonly<Record<FrameKind, number>> = { compact: 2, batch: 3, standard: 8, progressive: 8 };

const kindOfNumber = new Map<number, FrameKind>(
  Object.entries(frameKinds).map(([kind, number]) => [number, kind as FrameKind]),
);

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly quality: number;
  /** the first 2, 3 or 8 bytes of the decoder's hash */
  readonly id: Uint8Array;
  readonly rows: number;
  /** only in a standard frame */
  readonly codeShape?: readonly number[];
  /** length of the head in bytes; the checksum follows */
  readonly length: number;
}

/** @param quality 0–15; @param rows 1 – 2^28−1, 1 for a compact frame */
export function writeHeader(
  kind: FrameKind,
  quality: number,
  hash: Uint8Array,
  rows: number,
  codeShape: readonly number[],
): number[] {
  const out = [(frameKinds[kind] << 4) | quality, ...hash.subarray(0, idLength[kind])];
  if (kind !== 'compact') writeVarint(out, rows);
  if (kind === 'standard') {
    writeVarint(out, codeShape.length);
    for (const dim of codeShape) writeVarint(out, dim);
  }
  return out;
}

/** Reads a head without looking at the payload. Throws `invalid-frame`, `unsupported-frame-version`. */
export function parseHeader(bytes: Uint8Array): FrameHeader {
  const first = bytes[0];
  if (first === undefined) throw truncated();
  const kind = kindOfNumber.get(first >>> 4);
  if (!kind) {
    throw new HourglassError(
      'unsupported-frame-version',
      `The frame's format is ${first >>> 4}; this release reads 1 (compact), 2 (batch), 3 (standard) and 4 (progressive).`,
      { expected: Object.values(frameKinds), found: first >>> 4 },
    );
  }
  let at = 1 + idLength[kind];
  if (bytes.length < at) throw truncated();
  const number = (): number => {
    const read = readVarint(bytes, at);
    if (!read) throw truncated();
    at = read[1];
    return read[0];
  };
  const rows = kind === 'compact' ? 1 : number();
  if (rows < 1) throw new HourglassError('invalid-frame', 'The frame claims no rows.');
  const codeShape: number[] = [];
  if (kind === 'standard') {
    const rank = number();
    if (rank > 8)
      throw new HourglassError('invalid-frame', `The frame claims a code of rank ${rank}; at most 8 is possible.`);
    for (let i = 0; i < rank; i++) codeShape.push(number());
  }
  return {
    kind,
    quality: first & 0xf,
    id: bytes.slice(1, 1 + idLength[kind]),
    rows,
    ...(kind === 'standard' ? { codeShape } : {}),
    length: at,
  };
}

export const truncated = (): HourglassError =>
  new HourglassError('invalid-frame', 'The frame ends before it is complete; send it again.');
