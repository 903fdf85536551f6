/** Between pictures as browsers and phones have them (RGBA pixels) and the rows that models take. */

import { HourglassError } from '../base/errors.ts';
import { showShape } from '../base/ndarray.ts';
import { grayScale, toPixels } from '../base/picture.ts';

/** Such as a canvas's ImageData: from the top left, four bytes each. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** A bundle's manifest has them. */
export interface RowFacts {
  readonly inputShape: readonly number[];
  readonly inputRange: readonly [number, number];
}

interface Size {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Undefined when rows of this shape are not pictures: [height, width] or [height, width, 1, 3 or 4]. */
export function pictureSize(shape: readonly number[]): Size | undefined {
  const [height = 0, width = 0, channels = 1] = shape;
  const fits = (shape.length === 2 || shape.length === 3) && [1, 3, 4].includes(channels);
  return fits ? { height, width, channels } : undefined;
}

function requireSize(shape: readonly number[]): Size {
  const size = pictureSize(shape);
  if (size) return size;
  throw new HourglassError(
    'shape-mismatch',
    `Rows of shape ${showShape(shape)} are not pictures. Encode numbers instead.`,
  );
}

/**
 * A row of the model's size: the part of the picture's middle that has its proportions, each value the mean of the pixels that
 * it covers. One channel is the luminance (BT.709). Transparency is laid on black unless four channels are wanted. Throws `shape-mismatch`.
 */
export function rowOfPixels(pixels: Pixels, { inputShape, inputRange }: RowFacts): Float32Array {
  const { height, width, channels } = requireSize(inputShape);
  const scale = Math.min(pixels.width / width, pixels.height / height);
  const [left, top] = [(pixels.width - width * scale) / 2, (pixels.height - height * scale) / 2];
  const [black, white] = grayScale(inputRange);
  const row = new Float32Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [x, y] = [left + (i % width) * scale, top + Math.floor(i / width) * scale];
    const [red, green, blue, alpha] = meanOf(pixels, x, y, scale);
    const values = channels === 1 ? [0.2126 * red + 0.7152 * green + 0.0722 * blue] : [red, green, blue, alpha];
    for (let c = 0; c < channels; c++) row[i * channels + c] = black + (values[c] as number) * (white - black);
  }
  return row;
}

/** Mean colour of a square, in [0, 1]; pixels at its edge count by the share that it covers. */
function meanOf(
  { width, height, data }: Pixels,
  left: number,
  top: number,
  size: number,
): [number, number, number, number] {
  const sums: [number, number, number, number] = [0, 0, 0, 0];
  let area = 0;
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, top + size); y++) {
    const tall = Math.min(y + 1, top + size) - Math.max(y, top);
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, left + size); x++) {
      const share = tall * (Math.min(x + 1, left + size) - Math.max(x, left));
      const at = 4 * (y * width + x);
      const alpha = (data[at + 3] as number) / 255;
      for (let c = 0; c < 3; c++) sums[c] = (sums[c] as number) + share * alpha * ((data[at + c] as number) / 255);
      sums[3] += share * alpha;
      area += share;
    }
  }
  return sums.map((sum) => (area > 0 ? sum / area : 0)) as [number, number, number, number];
}

/** A row as pixels to be shown. Throws `shape-mismatch`. */
export function pixelsOfRow(row: Float32Array, { inputShape, inputRange }: RowFacts): Pixels & Size {
  const { height, width, channels } = requireSize(inputShape);
  const values = toPixels(row, grayScale(inputRange));
  const data = new Uint8ClampedArray(4 * height * width).fill(255);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < Math.max(3, channels); c++) {
      data[4 * i + c] = values[i * channels + (channels === 1 ? 0 : c)] as number;
    }
  }
  return { height, width, channels, data };
}
