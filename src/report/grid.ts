/** Pictures side by side as one PNG: a line for each form of the rows, a column for each row; what is between is transparent. */

import type { Shape } from '../base/ndarray.ts';
import { encodePng, pictureShape } from '../data/image.ts';
import { toPixels } from '../picture/gray-scale.ts';

/** pixels between pictures, and the least size that a small picture is enlarged to */
const gap = 4;
const leastSide = 56;

export const isPicture = (shape: Shape): boolean =>
  shape.length === 3 && [1, 3, 4].includes(shape[2] ?? 0) && shape[0]! * shape[1]! > 1;

/** `lines` hold at least one row each; the first `columns` rows are drawn, from black at `range[0]` to white at `range[1]`. */
export async function pictureGrid(
  lines: readonly Float32Array[],
  columns: number,
  shape: Shape,
  range: readonly [number, number],
): Promise<Uint8Array> {
  const { height, width, channels } = pictureShape(shape);
  const size = height * width * channels;
  const count = Math.min(columns, ...lines.map((line) => line.length / size));
  const scale = Math.max(1, Math.floor(leastSide / Math.max(height, width)));
  const full = {
    height: lines.length * (height * scale + gap) - gap,
    width: count * (width * scale + gap) - gap,
    channels: 4,
  };
  const canvas = new Uint8Array(full.height * full.width * 4);
  for (const [i, line] of lines.entries()) {
    for (let j = 0; j < count; j++) {
      const pixels = toPixels(line.subarray(j * size, (j + 1) * size), range);
      const top = i * (height * scale + gap);
      const left = j * (width * scale + gap);
      for (let y = 0; y < height * scale; y++) {
        for (let x = 0; x < width * scale; x++) {
          const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
          const to = ((top + y) * full.width + left + x) * 4;
          for (let c = 0; c < 3; c++) canvas[to + c] = pixels[from + (channels === 1 ? 0 : c)]!;
          canvas[to + 3] = channels === 4 ? pixels[from + 3]! : 255;
        }
      }
    }
  }
  return encodePng(canvas, full);
}
