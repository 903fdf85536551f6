/**
 * The head of a picture's frame: size, step, and where each tile's bytes lie. docs/frame.md is the format.
 *
 *   │ kind·0 │ id 4 │ width │ height │ step │ tile side │ crc-16 │ length, crc-16 of each tile │ payloads …
 */

import { HourglassError } from '../../base/errors.ts';
import { crc16 } from '../crc.ts';
import { readVarint, writeVarint } from '../varint.ts';
import { stepCount } from './picture-codec.ts';
import { blocksOf } from './transform.ts';

/** In the upper four bits of the first byte; the lower four are 0. Rows have kinds 1 to 4: frame-header.ts. */
export const pictureKind = 5;
export const pictureIdLength = 4;
/** Pixels of a side. */
export const longestSide = 65_535;
/** Tiles have a side of 2^0 to 2^8 blocks. */
const largestTile = 8;
export const defaultTileLog = 6;

/** A rectangle of blocks that is coded by itself. */
export interface Tile {
  readonly index: number;
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

/** In pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

export interface PictureHeader extends PictureSize {
  /** the first bytes of the decoder's hash */
  readonly id: Uint8Array;
  readonly step: number;
  readonly tileLog: number;
  readonly tiles: readonly (Tile & { readonly from: number; readonly bytes: number; readonly crc: number })[];
  /** bytes up to the first payload */
  readonly length: number;
}

export const isPictureFrame = (bytes: Uint8Array): boolean => (bytes[0] ?? 0) >>> 4 === pictureKind;

/** By rows. */
export function tilesOf({ width, height }: PictureSize, tileLog: number): Tile[] {
  const [columns, rows, side] = [blocksOf(width), blocksOf(height), 1 << tileLog];
  const tiles: Tile[] = [];
  for (let row = 0; row < rows; row += side) {
    for (let column = 0; column < columns; column += side) {
      tiles.push({
        index: tiles.length,
        row,
        column,
        height: Math.min(side, rows - row),
        width: Math.min(side, columns - column),
      });
    }
  }
  return tiles;
}

export interface HeadOptions extends PictureSize {
  readonly step: number;
  readonly tileLog: number;
}

/** Of one tile: over the decoder's hash, the head, the tile's number and its payload. */
function tileChecksum(start: number, index: number, payload: Uint8Array): number {
  const number: number[] = [];
  writeVarint(number, index);
  return crc16(payload, crc16(Uint8Array.from(number), start));
}

/** @param hash of the decoder, 32 bytes */
export function writePictureFrame(hash: Uint8Array, options: HeadOptions, payloads: readonly Uint8Array[]): Uint8Array {
  const head = [pictureKind << 4, ...hash.subarray(0, pictureIdLength)];
  writeVarint(head, options.width);
  writeVarint(head, options.height);
  head.push(options.step, options.tileLog);
  const start = crc16(Uint8Array.from(head), crc16(hash));
  const index: number[] = [];
  for (const [i, payload] of payloads.entries()) {
    writeVarint(index, payload.length);
    const crc = tileChecksum(start, i, payload);
    index.push(crc >>> 8, crc & 0xff);
  }
  const crc = crc16(Uint8Array.from(index), start);
  const first = [...head, crc >>> 8, crc & 0xff];
  const frame = new Uint8Array(first.length + index.length + payloads.reduce((sum, { length }) => sum + length, 0));
  frame.set(first);
  frame.set(index, first.length);
  let at = first.length + index.length;
  for (const payload of payloads) {
    frame.set(payload, at);
    at += payload.length;
  }
  return frame;
}

const invalid = (what: string): HourglassError => new HourglassError('invalid-frame', `${what} Send it again.`);

/**
 * Reads a head without its decoder. Throws `unsupported-frame-version`, `invalid-frame`, and `batch-too-large` for a picture of more
 * than `maxPixels`. Allocates no more than the frame's own length allows.
 */
export function parsePictureHeader(bytes: Uint8Array, maxPixels: number): PictureHeader {
  if (bytes.length === 0) throw invalid('The frame is empty.');
  if (bytes[0] !== pictureKind << 4) {
    throw new HourglassError(
      'unsupported-frame-version',
      'The frame is not a picture of a format that this release reads.',
      {
        expected: pictureKind << 4,
        found: bytes[0],
      },
    );
  }
  let at = 1 + pictureIdLength;
  const varint = (): number => {
    const read = readVarint(bytes, at);
    if (!read) throw invalid('The frame ends before its head is complete.');
    at = read[1];
    return read[0];
  };
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw invalid('The frame ends before its head is complete.');
    return value;
  };
  const [width, height] = [varint(), varint()];
  const [step, tileLog] = [byte(), byte()];
  if (
    width < 1 ||
    height < 1 ||
    width > longestSide ||
    height > longestSide ||
    step >= stepCount ||
    tileLog > largestTile
  ) {
    throw invalid(`The frame claims a picture of ${width} × ${height} pixels in step ${step}, which cannot be.`);
  }
  if (width * height > maxPixels) {
    throw new HourglassError(
      'image-too-large',
      `The picture has ${width} × ${height} = ${width * height} pixels; at most ${maxPixels} are allowed.`,
      { expected: maxPixels, found: width * height },
    );
  }
  at += 2;
  const side = 1 << tileLog;
  // each tile takes three bytes of the index at least
  if (Math.ceil(blocksOf(width) / side) * Math.ceil(blocksOf(height) / side) * 3 > bytes.length - at) {
    throw invalid('The frame is too short for the number of its tiles.');
  }
  let from = 0;
  const tiles = tilesOf({ width, height }, tileLog).map((tile) => {
    const length = varint();
    const crc = (byte() << 8) | byte();
    from += length;
    return { ...tile, from: from - length, bytes: length, crc };
  });
  const id = bytes.slice(1, 1 + pictureIdLength);
  return {
    id,
    width,
    height,
    step,
    tileLog,
    tiles: tiles.map((tile) => ({ ...tile, from: tile.from + at })),
    length: at,
  };
}

/** Whether head and index are as they were written for the decoder of this hash. */
export function headIsWhole(hash: Uint8Array, bytes: Uint8Array, header: PictureHeader): boolean {
  const end = fixedLength(header);
  const start = crc16(bytes.subarray(0, end), crc16(hash));
  const crc = crc16(bytes.subarray(end + 2, header.length), start);
  return bytes[end] === crc >>> 8 && bytes[end + 1] === (crc & 0xff);
}

/** A tile's bytes, or undefined when they are cut off or damaged. */
export function tilePayload(
  hash: Uint8Array,
  bytes: Uint8Array,
  header: PictureHeader,
  tile: PictureHeader['tiles'][number],
): Uint8Array | undefined {
  const payload = bytes.subarray(tile.from, tile.from + tile.bytes);
  if (payload.length < tile.bytes) return undefined;
  const start = crc16(bytes.subarray(0, fixedLength(header)), crc16(hash));
  return tileChecksum(start, tile.index, payload) === tile.crc ? payload : undefined;
}

const varintLength = (value: number): number => (value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : 4);
const fixedLength = ({ width, height }: PictureSize): number =>
  1 + pictureIdLength + varintLength(width) + varintLength(height) + 2;
