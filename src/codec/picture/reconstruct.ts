/**
 * Frames back to pictures: symbols of the tiles that are needed, windows of blocks with the margin that the network looks at, the
 * network, pixels. Windows lie on a fixed grid, so that a part of a picture has the very pixels of the whole, and memory does not grow with it.
 */

import { isLapped } from './lapping.ts';
import { bandOf, blockSide, coefficientsOf, stepValue } from './picture-codec.ts';
import { type OpenFrame, openPictureFrame, type PictureProfile } from './picture-frame.ts';
import type { PictureHeader } from './picture-header.ts';
import { dequantise } from './quantise.ts';
import { undoLapping, unlapping } from './synthesis.ts';
import { blocksOf, type Raster } from './transform.ts';

/** Values in steps [height, width, K] → pixels of each block [height − 2 · margin, width − 2 · margin, K]. */
export type RunDecoder = (window: {
  readonly y: Float32Array;
  readonly height: number;
  readonly width: number;
  /** where the step lies among all: see `stepPlace` */
  readonly place: number;
  readonly step: number;
}) => Promise<Float32Array>;

export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Reconstruction {
  readonly raster: Raster;
  readonly header: PictureHeader;
  /** parts of the picture, in its pixels, whose tiles were damaged or missing; what is shown there is made up */
  readonly lost: readonly Region[];
}

export interface ReconstructOptions {
  /** blocks that the network needs around each block */
  readonly margin: number;
  readonly run: RunDecoder;
  readonly maxPixels: number;
  /** default: the whole picture */
  readonly region?: Region;
}

/** Blocks of a window's side. */
const windowSide = 32;
/** Tiles kept: two rows of them for pictures of 8192 pixels width. */
const keptTiles = 36;

/** How networks are told of a step: 0 in the middle of those that are used, 1 one and a half octaves above. */
export const stepPlace = (step: number): number => (step - 36) / 12;

/** Throws what `openPictureFrame` throws, and RangeError for a region that is not inside of the picture. */
export async function reconstruct(
  profile: PictureProfile,
  frame: Uint8Array,
  options: ReconstructOptions,
): Promise<Reconstruction> {
  const open = openPictureFrame(profile, frame, options.maxPixels);
  const { header } = open;
  const { region = { x: 0, y: 0, width: header.width, height: header.height } } = options;
  checkRegion(region, header);
  const { channels } = profile.codec;
  const data = new Uint8Array(region.width * region.height * channels);
  const raster = { width: region.width, height: region.height, channels, data };
  const blocks = new Blocks(profile, open);
  const { codec } = profile;
  // undoing the lapping at a window's edges takes the blocks around it
  const ring = isLapped(codec.lapping) ? 1 : 0;
  const inverse = unlapping(codec.lapping);
  const [rows, columns] = [blocksOf(header.height), blocksOf(header.width)];
  const { margin, run } = options;
  const pixels = windowSide * blockSide;
  for (
    let top = Math.floor(region.y / pixels) * windowSide;
    top * blockSide < region.y + region.height;
    top += windowSide
  ) {
    for (
      let left = Math.floor(region.x / pixels) * windowSide;
      left * blockSide < region.x + region.width;
      left += windowSide
    ) {
      const wanted = windowOf(top, left, Math.min(rows, top + windowSide), Math.min(columns, left + windowSide));
      const made = windowOf(
        Math.max(0, top - ring),
        Math.max(0, left - ring),
        Math.min(rows, top + windowSide + ring),
        Math.min(columns, left + windowSide + ring),
      );
      const [height, width] = [made.height + 2 * margin, made.width + 2 * margin];
      const y = blocks.around(made.top - margin, made.left - margin, height, width);
      const step = stepValue(header.step);
      const blockPixels = await run({ y, height, width, place: stepPlace(header.step), step });
      const area = { top: 0, left: 0, height: made.height * blockSide, width: made.width * blockSide };
      const values = inRows(blockPixels, made, channels);
      if (ring > 0) undoLapping(values, area, channels, inverse);
      paint(values, made, wanted, raster, region);
    }
  }
  return { raster, header, lost: blocks.lost() };
}

function checkRegion({ x, y, width, height }: Region, size: { readonly width: number; readonly height: number }): void {
  const whole = [x, y, width, height].every(Number.isInteger);
  if (whole && x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= size.width && y + height <= size.height)
    return;
  throw new RangeError(
    `the region ${x},${y},${width},${height} is not inside of a picture of ${size.width} × ${size.height} pixels`,
  );
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

const windowOf = (top: number, left: number, bottom: number, right: number): Window => ({
  ...{ top, left },
  height: bottom - top,
  width: right - left,
});

/** Pixels of blocks [height, width, 8, 8, channels] → rows of pixels. */
function inRows(blockPixels: Float32Array, { height, width }: Window, channels: number): Float32Array {
  const line = blockSide * channels;
  const out = new Float32Array(height * width * blockSide * line);
  for (let row = 0, from = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let y = 0; y < blockSide; y++, from += line) {
        const to = ((row * blockSide + y) * width + column) * line;
        out.set(blockPixels.subarray(from, from + line), to);
      }
    }
  }
  return out;
}

/** Rounds the wanted blocks of a window into the region. */
function paint(values: Float32Array, made: Window, wanted: Window, raster: Raster, region: Region): void {
  const { channels } = raster;
  const data = raster.data as Uint8Array;
  const line = made.width * blockSide * channels;
  const firstY = Math.max(region.y, wanted.top * blockSide);
  const firstX = Math.max(region.x, wanted.left * blockSide);
  const lastY = Math.min(region.y + raster.height, (wanted.top + wanted.height) * blockSide);
  const lastX = Math.min(region.x + raster.width, (wanted.left + wanted.width) * blockSide);
  for (let y = firstY; y < lastY; y++) {
    const from = (y - made.top * blockSide) * line + (firstX - made.left * blockSide) * channels;
    const to = ((y - region.y) * raster.width + firstX - region.x) * channels;
    for (let i = 0; i < (lastX - firstX) * channels; i++) {
      const value = Math.round(values[from + i] as number);
      data[to + i] = value < 0 ? 0 : Math.min(value, 255);
    }
  }
}

/** Values of any blocks of a frame, from the tiles read last. */
class Blocks {
  readonly #profile: PictureProfile;
  readonly #open: OpenFrame;
  readonly #size: number;
  readonly #kept = new Map<number, Float32Array>();
  readonly #lost = new Set<number>();

  constructor(profile: PictureProfile, open: OpenFrame) {
    this.#profile = profile;
    this.#open = open;
    this.#size = coefficientsOf(profile.codec);
  }

  lost(): Region[] {
    const { header } = this.#open;
    return [...this.#lost]
      .sort((a, b) => a - b)
      .map((index) => {
        const { row, column, height, width } = header.tiles[index] as PictureHeader['tiles'][number];
        const [x, y] = [column * blockSide, row * blockSide];
        return {
          x,
          y,
          width: Math.min(width * blockSide, header.width - x),
          height: Math.min(height * blockSide, header.height - y),
        };
      });
  }

  /** A block beyond the edge is the nearest one inside. */
  around(top: number, left: number, height: number, width: number): Float32Array {
    const { header } = this.#open;
    const size = this.#size;
    const side = 1 << header.tileLog;
    const [rows, columns] = [blocksOf(header.height), blocksOf(header.width)];
    const perRow = Math.ceil(columns / side);
    const out = new Float32Array(height * width * size);
    for (let i = 0, at = 0; i < height; i++) {
      const row = Math.max(0, Math.min(rows - 1, top + i));
      for (let j = 0; j < width; j++, at += size) {
        const column = Math.max(0, Math.min(columns - 1, left + j));
        const tile = Math.floor(row / side) * perRow + Math.floor(column / side);
        const values = this.#tile(tile);
        const { width: tileWidth } = header.tiles[tile] as PictureHeader['tiles'][number];
        const from = ((row % side) * tileWidth + (column % side)) * size;
        out.set(values.subarray(from, from + size), at);
      }
    }
    return out;
  }

  #tile(index: number): Float32Array {
    const known = this.#kept.get(index);
    if (known) return known;
    const symbols = this.#open.tile(index);
    if (!symbols) this.#lost.add(index);
    const { codec } = this.#profile;
    const values = symbols ? dequantise(codec, bandOf(codec, this.#open.header.step), symbols) : this.#conceal(index);
    this.#kept.set(index, values);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptTiles && oldest !== undefined) this.#kept.delete(oldest);
    return values;
  }

  /** A lost tile shows the means of the blocks left of it, or else of those above it, or grey. */
  #conceal(index: number): Float32Array {
    const { header } = this.#open;
    const { channels } = this.#profile.codec;
    const tile = header.tiles[index] as PictureHeader['tiles'][number];
    const values = new Float32Array(tile.width * tile.height * this.#size);
    const left = tile.column > 0 ? index - 1 : undefined;
    const above = tile.row > 0 ? index - Math.ceil(blocksOf(header.width) / (1 << header.tileLog)) : undefined;
    const source = left ?? above;
    if (source === undefined) return values;
    const from = this.#tile(source);
    const { width, height } = header.tiles[source] as PictureHeader['tiles'][number];
    for (let row = 0; row < tile.height; row++) {
      for (let column = 0; column < tile.width; column++) {
        const block = left === undefined ? (height - 1) * width + column : row * width + width - 1;
        for (let c = 0; c < channels; c++) {
          values[(row * tile.width + column) * this.#size + c] = from[block * this.#size + c] as number;
        }
      }
    }
    return values;
  }
}
