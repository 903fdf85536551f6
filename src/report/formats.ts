/** What the same test pictures take as WebP, JPEG and PNG files: what frames are compared with. */

import type { Static } from 'typebox';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import { compressPicture, encodePng, pictureShape, rowsToWebp } from '../data/image.ts';
import type { FileRate, FileRates } from '../figures/report.ts';
import { toPixels } from '../picture/gray-scale.ts';

/** from coarse to fine */
const qualities = [1, 20, 40, 60, 80, 92];
const mostPictures = 16;
const mostPixels = 1_000_000;

export interface FormatOptions {
  /** test rows, as pictures of this shape */
  readonly rows: Float32Array;
  readonly shape: Shape;
  readonly range: readonly [number, number];
  /** dB of the finest frames; absent: the model has no frames */
  readonly psnr: number | undefined;
  /** lets messages in; a throw ends the measurement */
  readonly breathe: () => Promise<void>;
}

/** Undefined where pictures are so large that even one would take long. */
export async function measureFormats(options: FormatOptions): Promise<Static<typeof FileRates> | undefined> {
  const { rows, shape, range, psnr, breathe } = options;
  const size = sizeOf(shape);
  const picture = pictureShape(shape);
  const fit = Math.floor(mostPixels / (picture.height * picture.width));
  const count = Math.min(mostPictures, fit, rows.length / size);
  if (count < 1) return undefined;
  const pictures = Array.from({ length: count }, (_, row) => ({
    ...picture,
    data: toPixels(rows.subarray(row * size, (row + 1) * size), range),
  }));
  const curve = async (format: 'webp' | 'jpeg'): Promise<Static<typeof FileRate>[]> => {
    const points: Static<typeof FileRate>[] = [];
    for (const quality of qualities) {
      let [bytes, error] = [0, 0];
      for (const one of pictures) {
        await breathe();
        const coded = await compressPicture(one, format, quality);
        bytes += coded.bytes / count;
        error += meanError(one.data, coded.raster.data) / count;
      }
      points.push({ bytes: round(bytes), psnr: round(10 * Math.log10(255 ** 2 / Math.max(error, 1e-4))) });
    }
    return points;
  };
  let png = 0;
  for (const { data, ...shapeOf } of pictures) png += (await encodePng(data, shapeOf)).length / count;
  const asGood =
    psnr === undefined ? undefined : await rowsToWebp(rows.subarray(0, count * size), { shape, range, psnr });
  return {
    pictures: count,
    png: round(png),
    webp: await curve('webp'),
    jpeg: await curve('jpeg'),
    ...(asGood && { webpAsGood: { bytes: round(asGood.bytes / count), psnr: asGood.psnr } }),
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;

function meanError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}
