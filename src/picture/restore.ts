/**
 * Restores a whole picture by a network that looks at squares of `stride` × `stride` pixels. It runs on windows of a fixed grid, each with
 * the margin that the network looks at, so that seams cannot be seen and memory does not grow with the picture.
 */

import type { Raster as AnyRaster } from './row.ts';

type Raster = AnyRaster & { readonly channels: number };

export interface RestorerShape {
  readonly channels: number;
  /** pixels of a square's side */
  readonly stride: number;
  /** squares around each square that the network looks at */
  readonly margin: number;
  /** the network is told of holes: one value of each pixel, 0 in a hole */
  readonly hasMask: boolean;
}

/** Values of squares in [0, 1] [height, width, stride² · channels (+ stride²)] → restored ones [height, width, stride² · channels]. */
export type RunRestorer = (window: {
  readonly x: Float32Array;
  readonly height: number;
  readonly width: number;
}) => Promise<Float32Array>;

/** Squares of a window's side without its margin. */
const windowSide = 128;

/**
 * `holes`: of each pixel, 1 where it is missing; pixels that are not come back as they were. `raster` may have more channels than the
 * network, which takes the first ones.
 */
export async function restorePicture(
  shape: RestorerShape,
  raster: Raster,
  run: RunRestorer,
  holes?: Uint8Array,
): Promise<Raster & { readonly data: Uint8Array }> {
  const { width, height } = raster;
  const { channels, stride, margin } = shape;
  const out = new Uint8Array(width * height * channels);
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  for (let top = 0; top < rows; top += windowSide) {
    for (let left = 0; left < columns; left += windowSide) {
      const area = {
        top: Math.max(0, top - margin),
        left: Math.max(0, left - margin),
        bottom: Math.min(rows, top + windowSide + margin),
        right: Math.min(columns, left + windowSide + margin),
      };
      const inner = {
        top,
        left,
        bottom: Math.min(rows, top + windowSide),
        right: Math.min(columns, left + windowSide),
      };
      if (holes && !hasHole(holes, raster, inner, stride)) {
        copy(raster, inner, stride, channels, out);
        continue;
      }
      const [h, w] = [area.bottom - area.top, area.right - area.left];
      const made = await run({ x: squares(shape, raster, area, holes), height: h, width: w });
      paint(made, { shape, raster, area, inner, holes }, out);
    }
  }
  return { width, height, channels, data: out };
}

/** In squares; bottom and right are the first ones outside. */
interface Area {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Beyond the edge the picture goes on with its last row and column. */
function squares(
  { channels, stride, hasMask }: RestorerShape,
  { width, height, channels: step, data }: Raster,
  { top, left, bottom, right }: Area,
  holes: Uint8Array | undefined,
): Float32Array {
  const values = channels * stride ** 2;
  const size = values + (hasMask ? stride ** 2 : 0);
  const out = new Float32Array((bottom - top) * (right - left) * size);
  let to = 0;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++, to += size) {
      for (let i = 0; i < stride ** 2; i++) {
        const y = Math.min(height - 1, row * stride + Math.floor(i / stride));
        const x = Math.min(width - 1, column * stride + (i % stride));
        const pixel = y * width + x;
        for (let c = 0; c < channels; c++) out[to + i * channels + c] = (data[pixel * step + c] as number) / 255;
        if (hasMask) out[to + values + i] = holes?.[pixel] ? 0 : 1;
      }
    }
  }
  return out;
}

interface Painting {
  readonly shape: RestorerShape;
  readonly raster: Raster;
  readonly area: Area;
  readonly inner: Area;
  readonly holes: Uint8Array | undefined;
}

function paint(made: Float32Array, { shape, raster, area, inner, holes }: Painting, out: Uint8Array): void {
  const { channels, stride } = shape;
  const { width, height, channels: step, data } = raster;
  const values = channels * stride ** 2;
  const lastY = Math.min(height, inner.bottom * stride);
  const lastX = Math.min(width, inner.right * stride);
  for (let y = inner.top * stride; y < lastY; y++) {
    for (let x = inner.left * stride; x < lastX; x++) {
      const pixel = y * width + x;
      const square =
        (Math.floor(y / stride) - area.top) * (area.right - area.left) + Math.floor(x / stride) - area.left;
      const from = square * values + ((y % stride) * stride + (x % stride)) * channels;
      const isKept = holes && holes[pixel] === 0;
      for (let c = 0; c < channels; c++) {
        const value = isKept ? (data[pixel * step + c] as number) : Math.round(255 * (made[from + c] as number));
        out[pixel * channels + c] = value < 0 ? 0 : Math.min(value, 255);
      }
    }
  }
}

function hasHole(holes: Uint8Array, { width, height }: Raster, area: Area, stride: number): boolean {
  const [from, to] = [area.left * stride, Math.min(width, area.right * stride)];
  for (let y = area.top * stride; y < Math.min(height, area.bottom * stride); y++) {
    if (holes.subarray(y * width + from, y * width + to).includes(1)) return true;
  }
  return false;
}

function copy(
  { width, height, channels: step, data }: Raster,
  area: Area,
  stride: number,
  channels: number,
  out: Uint8Array,
) {
  for (let y = area.top * stride; y < Math.min(height, area.bottom * stride); y++) {
    for (let x = area.left * stride; x < Math.min(width, area.right * stride); x++) {
      const pixel = y * width + x;
      for (let c = 0; c < channels; c++) out[pixel * channels + c] = data[pixel * step + c] as number;
    }
  }
}
