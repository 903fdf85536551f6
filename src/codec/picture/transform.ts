/** Pixels → coefficients of the linear transform, in integers: the same on every device. */

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

/**
 * Coefficients [height, width, coefficients] of a rectangle of blocks, in units of 2^-14; beyond the edge the picture goes on
 * with its last row and column.
 */
export function analyse(
  codec: PictureCodec,
  raster: Raster,
  area: { readonly row: number; readonly column: number; readonly height: number; readonly width: number },
): Int32Array {
  const size = coefficientsOf(codec);
  const { channels, analysis } = codec;
  const line = raster.width * raster.channels;
  const out = new Int32Array(area.height * area.width * size);
  const block = new Int16Array(size);
  for (let row = 0, at = 0; row < area.height; row++) {
    for (let column = 0; column < area.width; column++, at += size) {
      const [top, left] = [(area.row + row) * blockSide, (area.column + column) * blockSide];
      for (let y = 0, i = 0; y < blockSide; y++) {
        const start = Math.min(top + y, raster.height - 1) * line;
        for (let x = 0; x < blockSide; x++) {
          const pixel = start + Math.min(left + x, raster.width - 1) * raster.channels;
          for (let c = 0; c < channels; c++) block[i++] = (raster.data[pixel + c] as number) - pixelOffset;
        }
      }
      multiply(analysis, block, size, out, at);
    }
  }
  return out;
}

/** Sums stay below 2^31: rows of the matrix have norm one. */
function multiply(matrix: Int16Array, block: Int16Array, size: number, out: Int32Array, at: number): void {
  for (let k = 0, m = 0; k < size; k++) {
    let a = 0;
    let b = 0;
    for (let i = 0; i < size; i += 2, m += 2) {
      a = (a + (matrix[m] as number) * (block[i] as number)) | 0;
      b = (b + (matrix[m + 1] as number) * (block[i + 1] as number)) | 0;
    }
    out[at + k] = (a + b) | 0;
  }
}
