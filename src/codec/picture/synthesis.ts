/** The inverse of the transform, in floats: what decoders begin with. The lapping is undone on pixels, after the decoder's network. */

import { lappedPixels, lappingShift, unlap } from './lapping.ts';
import { analysisShift, blockSide, type PictureCodec } from './picture-codec.ts';
import { edgesAcross, edgesDown, type PixelWindow } from './transform.ts';

const scale = 2 ** analysisShift;

/** Orthonormal DCT-II: [frequency, place]. */
export const cosines: Float64Array = Float64Array.from({ length: blockSide ** 2 }, (_, i) => {
  const [u, x] = [Math.floor(i / blockSide), i % blockSide];
  return Math.sqrt((u === 0 ? 1 : 2) / blockSide) * Math.cos(((2 * x + 1) * u * Math.PI) / (2 * blockSide));
});

/** [coefficients, pixels of a block · channels]: what one unit of each coefficient gives, before the lapping is undone. */
export function synthesisOf({
  channels,
  colours,
  order,
}: Pick<PictureCodec, 'channels' | 'colours' | 'order'>): Float32Array {
  const axes = invert(
    Float64Array.from(colours, (weight) => weight / scale),
    channels,
  );
  const size = order.length;
  const out = new Float32Array(size * size);
  for (const [k, index] of order.entries()) {
    const axis = index % channels;
    const [v, u] = [Math.floor(index / channels / blockSide), Math.floor(index / channels) % blockSide];
    for (let y = 0, i = k * size; y < blockSide; y++) {
      for (let x = 0; x < blockSide; x++) {
        const weight = (cosines[v * blockSide + y] as number) * (cosines[u * blockSide + x] as number);
        for (let c = 0; c < channels; c++, i++) out[i] = weight * (axes[c * channels + axis] as number);
      }
    }
  }
  return out;
}

/** The inverse of a codec's lapping, for `undoLapping`. */
export const unlapping = (lapping: Int16Array): Float64Array =>
  invert(
    Float64Array.from(lapping, (weight) => weight / 2 ** lappingShift),
    lappedPixels,
  );

/** Undoes the lapping across all edges between blocks inside of a window [height, width, channels]. */
export function undoLapping(pixels: Float32Array, window: PixelWindow, channels: number, inverse: Float64Array): void {
  for (const { at, count, step, stride } of [...edgesDown(window), ...edgesAcross(window)]) {
    for (let c = 0; c < channels; c++) {
      unlap(pixels, inverse, { at: at * channels + c, count, step: step * channels, stride: stride * channels });
    }
  }
}

/** Throws RangeError for a matrix [n, n] that has no inverse. */
export function invert(matrix: Float64Array, n: number): Float64Array {
  const a = matrix.slice();
  const out = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const at = (i: number, j: number): number => a[i * n + j] as number;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(at(r, i)) > Math.abs(at(pivot, i))) pivot = r;
    const head = at(pivot, i);
    if (Math.abs(head) < 1e-9) throw new RangeError('the matrix has no inverse');
    for (const m of [a, out]) {
      for (let j = 0; j < n; j++) {
        const moved = m[pivot * n + j] as number;
        m[pivot * n + j] = m[i * n + j] as number;
        m[i * n + j] = moved / head;
      }
    }
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = at(r, i);
      for (const m of [a, out]) {
        for (let j = 0; j < n; j++) m[r * n + j] = (m[r * n + j] as number) - factor * (m[i * n + j] as number);
      }
    }
  }
  return out;
}
