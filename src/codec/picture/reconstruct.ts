/**
 * Frames back to pictures: symbols of the tiles that are needed, windows of blocks with the margin that the network looks at, the
 * network, pixels. Windows lie on a fixed grid, so that a part of a picture has the very pixels of the whole, and memory does not grow with it.
 */

import { bandOf, blockSide, coefficientsOf, stepValue } from './picture-codec.ts';
import { type OpenFrame, openPictureFrame, type PictureProfile } from './picture-frame.ts';
import type { PictureHeader } from './picture-header.ts';
import { dequantise } from './quantise.ts';
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
      const height = Math.min(windowSide, blocksOf(header.height) - top);
      const width = Math.min(windowSide, blocksOf(header.width) - left);
      const { margin, run } = options;
      const y = blocks.around(top - margin, left - margin, height + 2 * margin, width + 2 * margin);
      const place = stepPlace(header.step);
      const made = await run({
        y,
        height: height + 2 * margin,
        width: width + 2 * margin,
        place,
        step: stepValue(header.step),
      });
      paint(made, { top, left, height, width }, raster, region);
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

function paint(made: Float32Array, window: Window, raster: Raster, region: Region): void {
  const { channels } = raster;
  const data = raster.data as Uint8Array;
  const size = blockSide * blockSide * channels;
  const [top, left] = [window.top * blockSide - region.y, window.left * blockSide - region.x];
  const lastY = Math.min(window.height * blockSide, raster.height - top);
  const lastX = Math.min(window.width * blockSide, raster.width - left);
  for (let y = Math.max(0, -top); y < lastY; y++) {
    for (let x = Math.max(0, -left); x < lastX; x++) {
      const block = (y >> 3) * window.width + (x >> 3);
      const from = block * size + ((y & 7) * blockSide + (x & 7)) * channels;
      const to = ((top + y) * raster.width + left + x) * channels;
      for (let c = 0; c < channels; c++) {
        const value = Math.round(made[from + c] as number);
        data[to + c] = value < 0 ? 0 : Math.min(value, 255);
      }
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
