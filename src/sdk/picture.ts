/** Between pictures as browsers and phones have them (RGBA pixels) and the rows that models take. */

import { HourglassError } from '../base/errors.ts';
import { showShape } from '../base/ndarray.ts';
import { fromPixels, grayScale, toPixels } from '../picture/gray-scale.ts';
import { type PictureShape, type Preprocessing, pictureShapeOf } from '../picture/preprocessing.ts';
import { rowOfRaster } from '../picture/row.ts';

export type { Preprocessing };

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
  /** how the model's pictures become rows; default: as those of new models */
  readonly preprocessing?: Preprocessing;
}

/** Undefined when rows of this shape are not pictures: [height, width] or [height, width, 1, 3 or 4]. */
export const pictureSize = pictureShapeOf;

function requireSize(shape: readonly number[]): PictureShape {
  const size = pictureShapeOf(shape);
  if (size) return size;
  throw new HourglassError(
    'shape-mismatch',
    `Rows of shape ${showShape(shape)} are not pictures. Encode numbers instead.`,
  );
}

/** A row of the model's size, as the server makes it from the same pixels: docs/pictures.md. Throws `shape-mismatch`. */
export function rowOfPixels(pixels: Pixels, { inputShape, inputRange, preprocessing }: RowFacts): Float32Array {
  return fromPixels(rowOfRaster(pixels, requireSize(inputShape), preprocessing), grayScale(inputRange));
}

/** A row as pixels to be shown. Throws `shape-mismatch`. */
export function pixelsOfRow(row: Float32Array, { inputShape, inputRange }: RowFacts): Pixels & PictureShape {
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
