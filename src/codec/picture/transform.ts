/**
 * Pixels → coefficients of the linear transform, in integers: the same on every device.
 *
 *   pixels − 128 ─► colour axes ─► lapping across the edges of blocks ─► 8 × 8 cosines ─► coefficients in the order of coding
 *       units of        2^-5                   2^-5                    2^-4 between both passes       2^-14
 */

import { type Edges, isLapped, lap, lappedPixels } from './lapping.ts';
import { analysisShift, blockSide, coefficientsOf, type PictureCodec, pixelOffset } from './picture-codec.ts';

/** 8-bit values, rows from the top, channels together; `channels` of the data may be more than the model's, which then takes the first ones. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export const blocksOf = (pixels: number): number => Math.ceil(pixels / blockSide);

/** One coefficient is one 8-bit value times this. */
export const coefficientScale = 2 ** analysisShift;

const colourShift = 9;
const rowShift = 15;
const columnShift = 4;
const rounding = (shift: number): number => 1 << (shift - 1);

/** A rectangle of blocks of a picture. */
export interface BlockArea {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

export type LinearTransform = Pick<PictureCodec, 'channels' | 'colours' | 'lapping' | 'order'>;

/**
 * Coefficients [height, width, coefficients] of a rectangle of blocks, in units of 2^-14; beyond the edge the picture goes on
 * with its last row and column.
 */
export function analyse(transform: LinearTransform, raster: Raster, area: BlockArea): Int32Array {
  const out = new Int32Array(area.height * area.width * coefficientsOf(transform));
  const { channels, lapping } = transform;
  const isMixed = isLapped(lapping);
  const window = windowOf(raster, area, isMixed ? lappedPixels : 0);
  const plane = new Int32Array(window.height * window.width);
  for (let axis = 0; axis < channels; axis++) {
    fillPlane(transform, raster, window, axis, plane);
    if (isMixed) {
      for (const edges of edgesAcross(window)) lap(plane, lapping, edges);
      for (const edges of edgesDown(window)) lap(plane, lapping, edges);
    }
    transformBlocks(transform, axis, plane, window, area, out);
  }
  return out;
}

/** Pixels of an area with those around it that lapping mixes with them. */
export interface PixelWindow {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

function windowOf(raster: Raster, { row, column, height, width }: BlockArea, margin: number): PixelWindow {
  const along = (first: number, count: number, blocks: number): readonly [from: number, pixels: number] => {
    const from = first * blockSide - (first > 0 ? margin : 0);
    const to = (first + count) * blockSide + (first + count < blocks ? margin : 0);
    return [from, to - from];
  };
  const [top, rows] = along(row, height, blocksOf(raster.height));
  const [left, columns] = along(column, width, blocksOf(raster.width));
  return { top, left, height: rows, width: columns };
}

/** Pixels of the first edge in a window, and how many edges have their pixels on both sides inside. */
function edgesIn(from: number, pixels: number): readonly [first: number, count: number] {
  const first = Math.ceil((from + lappedPixels) / blockSide) * blockSide - from;
  return [first, pixels < first + lappedPixels ? 0 : Math.floor((pixels - first - lappedPixels) / blockSide) + 1];
}

/** Edges between blocks beside each other, by row of the window. */
export function edgesAcross({ left, width, height }: PixelWindow): Edges[] {
  const [at, count] = edgesIn(left, width);
  return Array.from({ length: height }, (_, y) => ({ at: y * width + at, count, step: blockSide, stride: 1 }));
}

/** Edges between blocks below each other. */
export function edgesDown({ top, width, height }: PixelWindow): Edges[] {
  const [first, count] = edgesIn(top, height);
  return Array.from({ length: count }, (_, i) => ({
    at: (first + i * blockSide) * width,
    count: width,
    step: 1,
    stride: width,
  }));
}

function fillPlane(
  { channels, colours }: LinearTransform,
  { data, width, height, channels: stride }: Raster,
  window: PixelWindow,
  axis: number,
  plane: Int32Array,
): void {
  const weight = (c: number): number => (c < channels ? (colours[axis * channels + c] as number) : 0);
  const [w0, w1, w2, w3] = [weight(0), weight(1), weight(2), weight(3)];
  const offset = rounding(colourShift) - pixelOffset * (w0 + w1 + w2 + w3);
  const inside = Math.max(0, Math.min(window.width, width - window.left));
  for (let y = 0, i = 0; y < window.height; y++, i += window.width) {
    let pixel = (Math.min(window.top + y, height - 1) * width + window.left) * stride;
    for (let x = 0; x < inside; x++, pixel += stride) {
      let sum = offset + w0 * (data[pixel] as number);
      if (channels > 1) sum += w1 * (data[pixel + 1] as number) + w2 * (data[pixel + 2] as number);
      if (channels > 3) sum += w3 * (data[pixel + 3] as number);
      plane[i + x] = sum >> colourShift;
    }
    plane.fill(plane[i + inside - 1] as number, i + inside, i + window.width);
  }
}

/** Rows, then columns, of every block of the area. */
function transformBlocks(
  { order, channels }: LinearTransform,
  axis: number,
  plane: Int32Array,
  window: PixelWindow,
  area: BlockArea,
  out: Int32Array,
): void {
  const size = order.length;
  // where the coefficients of this colour are in the order of coding, by v · 8 + u
  const places = new Uint8Array(blockSide ** 2);
  for (const [place, index] of order.entries()) {
    if (index % channels === axis) places[Math.floor(index / channels)] = place;
  }
  const rows = new Int32Array(blockSide ** 2);
  const line = new Int32Array(blockSide);
  const top = area.row * blockSide - window.top;
  const left = area.column * blockSide - window.left;
  for (let row = 0, block = 0; row < area.height; row++) {
    for (let column = 0; column < area.width; column++, block += size) {
      let from = (top + row * blockSide) * window.width + left + column * blockSide;
      for (let y = 0; y < blockSide; y++, from += window.width) {
        transformLine(rowShift, plane, from, rows, y, blockSide);
      }
      for (let u = 0; u < blockSide; u++) {
        transformLine(columnShift, rows, u * blockSide, line, 0, 1);
        for (let v = 0; v < blockSide; v++) out[block + (places[v * blockSide + u] as number)] = line[v] as number;
      }
    }
  }
}

/** Halves of cosines, cos(i · π / 16) / 2, in units of 2^-14. */
const c1 = 8035;
const c2 = 7568;
const c3 = 6811;
const c4 = 5793;
const c5 = 4551;
const c6 = 3135;
const c7 = 1598;

/** Orthonormal DCT-II of 8 values. Cosines are even or odd about their middle, so sums and differences of mirrored values are weighted. */
function transformLine(shift: number, values: Int32Array, at: number, out: Int32Array, to: number, step: number): void {
  const x0 = values[at] as number;
  const x1 = values[at + 1] as number;
  const x2 = values[at + 2] as number;
  const x3 = values[at + 3] as number;
  const x4 = values[at + 4] as number;
  const x5 = values[at + 5] as number;
  const x6 = values[at + 6] as number;
  const x7 = values[at + 7] as number;
  const s0 = x0 + x7;
  const s1 = x1 + x6;
  const s2 = x2 + x5;
  const s3 = x3 + x4;
  const d0 = x0 - x7;
  const d1 = x1 - x6;
  const d2 = x2 - x5;
  const d3 = x3 - x4;
  const e0 = s0 + s3;
  const e1 = s1 + s2;
  const f0 = s0 - s3;
  const f1 = s1 - s2;
  const round = 1 << (shift - 1);
  out[to] = (Math.imul(c4, e0 + e1) + round) >> shift;
  out[to + step] = (Math.imul(c1, d0) + Math.imul(c3, d1) + Math.imul(c5, d2) + Math.imul(c7, d3) + round) >> shift;
  out[to + 2 * step] = (Math.imul(c2, f0) + Math.imul(c6, f1) + round) >> shift;
  out[to + 3 * step] = (Math.imul(c3, d0) - Math.imul(c7, d1) - Math.imul(c1, d2) - Math.imul(c5, d3) + round) >> shift;
  out[to + 4 * step] = (Math.imul(c4, e0 - e1) + round) >> shift;
  out[to + 5 * step] = (Math.imul(c5, d0) - Math.imul(c1, d1) + Math.imul(c7, d2) + Math.imul(c3, d3) + round) >> shift;
  out[to + 6 * step] = (Math.imul(c6, f0) - Math.imul(c2, f1) + round) >> shift;
  out[to + 7 * step] = (Math.imul(c7, d0) - Math.imul(c5, d1) + Math.imul(c3, d2) - Math.imul(c1, d3) + round) >> shift;
}
