/** Which values of a row are black and white, and rows as 8-bit pixels. */

/**
 * The values of black and white. A model's range is that of the rows it was trained on, which need not have used all of
 * their scale: the darkest of all pictures may not be black.
 */
export function grayScale([low, high]: readonly [number, number]): readonly [number, number] {
  if (low >= 0 && high <= 1) return [0, 1];
  if (low >= 0 && high <= 255) return [0, 255];
  return [low, high];
}

/** The nearest of 256 steps from `low` (black) to `high` (white); values outside are clipped. */
export function toPixels(row: Float32Array, [low, high]: readonly [number, number] = [0, 1]): Uint8Array<ArrayBuffer> {
  const scale = high > low ? 255 / (high - low) : 0;
  return Uint8Array.from(row, (value) => Math.min(255, Math.max(0, Math.round((value - low) * scale))));
}

/** The inverse: 0 becomes `low` (black), 255 `high` (white). */
export function fromPixels(pixels: Uint8Array, [low, high]: readonly [number, number] = [0, 1]): Float32Array {
  return Float32Array.from(pixels, (value) => low + (value / 255) * (high - low));
}
