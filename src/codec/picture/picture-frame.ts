/**
 * Pictures ↔ frames of kind 5: symbols of every tile with what is needed to find their decoder and to trust them. One damaged
 * tile does not touch the others.
 */

import { HourglassError } from '../../base/errors.ts';
import { bandOf, coefficientsOf, type PictureCodec } from './picture-codec.ts';
import {
  defaultTileLog,
  headIsWhole,
  type PictureHeader,
  parsePictureHeader,
  type Tile,
  tilePayload,
  tilesOf,
  writePictureFrame,
} from './picture-header.ts';
import { quantiseTile, squaredErrors } from './quantise.ts';
import { decodeTile, encodeTile } from './tile-coder.ts';
import { analyse, type Raster } from './transform.ts';

/** A codec with the SHA-256 over its decoder and its file, which frames carry the beginning of. */
export interface PictureProfile {
  readonly hash: Uint8Array;
  readonly codec: PictureCodec;
}

export interface PictureFrameOptions {
  /** number of the step: see picture-codec.ts */
  readonly step: number;
  /** 0: without looking for symbols that cost less; absent: as the codec's makers chose */
  readonly trade?: number;
  readonly tileLog?: number;
}

export interface EncodedPicture {
  readonly frame: Uint8Array;
  /** mean squared error of the values that decoding begins with; what the network makes of them is better as a rule */
  readonly squaredError: number;
}

export type CoefficientSource = (tile: Tile) => Int32Array;

/** Analyses tiles when asked; keeps them for the next time where all of them together are small. */
export function coefficientsIn(codec: PictureCodec, raster: Raster): CoefficientSource {
  const keeps = raster.width * raster.height <= 2 ** 22;
  const kept = new Map<number, Int32Array>();
  return (tile) => {
    const known = kept.get(tile.index);
    if (known) return known;
    const made = analyse(codec, raster, tile);
    if (keeps) kept.set(tile.index, made);
    return made;
  };
}

/** @param coefficients default: of the raster; given where several steps are tried */
export function encodePicture(
  { hash, codec }: PictureProfile,
  raster: Raster,
  { step, tileLog = defaultTileLog, ...options }: PictureFrameOptions,
  coefficients: CoefficientSource = coefficientsIn(codec, raster),
): EncodedPicture {
  const { width, height } = raster;
  const band = bandOf(codec, step);
  let squares = 0;
  let count = 0;
  const payloads = tilesOf({ width, height }, tileLog).map((tile) => {
    const source = coefficients(tile);
    const quantised = quantiseTile(codec, band, source, tile, { step, ...options });
    squares += squaredErrors(codec, band, quantised.symbols, source, step);
    count += source.length;
    return encodeTile(codec, band, quantised);
  });
  return { frame: writePictureFrame(hash, { width, height, step, tileLog }, payloads), squaredError: squares / count };
}

/** A frame that was found whole as far as its head goes. */
export interface OpenFrame {
  readonly header: PictureHeader;
  /** Symbols [height, width, coefficients] of a tile; undefined when the tile is damaged or cut off. */
  tile(index: number): Int16Array | undefined;
}

/** A number of tables is looked at for each block, and none costs less than log2(64/63) bits. */
const leastBitsPerBlock = 0.0227;

/**
 * Throws `invalid-frame`, `unsupported-frame-version`, `image-too-large`, and `frame-checksum` when the head is damaged or the frame
 * was made for another decoder.
 */
export function openPictureFrame({ hash, codec }: PictureProfile, bytes: Uint8Array, maxPixels: number): OpenFrame {
  const header = parsePictureHeader(bytes, maxPixels);
  if (!headIsWhole(hash, bytes, header)) {
    throw new HourglassError(
      'frame-checksum',
      'The head of the frame is damaged, or another model made it. Send it again.',
    );
  }
  const band = bandOf(codec, header.step);
  return {
    header,
    tile(index) {
      const tile = header.tiles[index];
      if (!tile) throw new RangeError(`there is no tile ${index}`);
      const payload = tilePayload(hash, bytes, header, tile);
      const { width, height } = tile;
      // checked before anything is allocated: a few bytes cannot hold many blocks
      if (!payload || 8 * payload.length + 64 < leastBitsPerBlock * width * height) return undefined;
      const symbols = new Int16Array(width * height * coefficientsOf(codec));
      return decodeTile(codec, band, payload, { width, height, symbols }) ? symbols : undefined;
    },
  };
}
