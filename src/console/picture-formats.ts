/** What pictures take as PNG, WebP and JPEG, written by this browser: what the bytes of a frame are compared with. */

import type { Pixels } from '../sdk/picture.ts';

/**
 * Bytes of a lossless PNG, gray or RGB: the shortest of the five line filters used for the whole picture, without optional chunks.
 * A canvas would write four channels. Undefined in browsers that cannot deflate.
 */
export async function pngBytes({ width, height, data }: Pixels, isGray: boolean): Promise<number | undefined> {
  if (typeof CompressionStream === 'undefined') return undefined;
  const channels = isGray ? 1 : 3;
  const lines = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < channels; c++) lines[i * channels + c] = data[4 * i + c] as number;
  }
  const lengths = await Promise.all(
    predictors.map(async (_, filter) => (await deflated(filtered(lines, width * channels, channels, filter))).length),
  );
  return Math.min(...lengths) + pngFraming;
}

/** signature, IHDR, the frame of IDAT, IEND */
const pngFraming = 8 + 25 + 12 + 12;

const paeth = (left: number, up: number, corner: number): number => {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
};
/** PNG's filters 0 to 4: what a value is predicted to be. */
const predictors: readonly ((left: number, up: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  paeth,
];

function filtered(values: Uint8Array, lineLength: number, step: number, filter: number): Uint8Array<ArrayBuffer> {
  const height = values.length / lineLength;
  const out = new Uint8Array(height * (lineLength + 1));
  const predict = predictors[filter] as (typeof predictors)[number];
  for (let y = 0; y < height; y++) {
    const at = y * (lineLength + 1);
    out[at] = filter;
    for (let x = 0; x < lineLength; x++) {
      const from = y * lineLength + x;
      const left = x >= step ? (values[from - step] as number) : 0;
      const up = y > 0 ? (values[from - lineLength] as number) : 0;
      const corner = x >= step && y > 0 ? (values[from - lineLength - step] as number) : 0;
      out[at + 1 + x] = (values[from] as number) - predict(left, up, corner);
    }
  }
  return out;
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export interface RatePoint {
  readonly bytes: number;
  readonly psnr: number;
}

export type LossyType = 'image/webp' | 'image/jpeg';

/** What a file costs, and the picture that it holds. */
export interface LossyPicture extends RatePoint {
  readonly pixels: ImageData;
}

/** Writes a picture as a file of this browser and reads it back; undefined where the browser writes no such files. */
export async function lossyPicture(
  pixels: Pixels,
  type: LossyType,
  quality: number,
): Promise<LossyPicture | undefined> {
  const { width, height, data } = pixels;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return undefined;
  context.putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, quality));
  if (file?.type !== type) return undefined;
  context.drawImage(await createImageBitmap(file), 0, 0);
  const back = context.getImageData(0, 0, width, height);
  return { bytes: await imageBytes(file, type), psnr: psnrOfPixels(data, back.data), pixels: back };
}

/**
 * Bytes of a file without what a browser adds to it, such as colour profiles of 500 bytes: in WebP the chunk of the picture with
 * its header, in JPEG all but the APPn segments.
 */
async function imageBytes(file: Blob, type: LossyType): Promise<number> {
  const bytes = new DataView(await file.arrayBuffer());
  const size = bytes.byteLength;
  if (type === 'image/webp') {
    for (let at = 12; at + 8 <= size; ) {
      const length = bytes.getUint32(at + 4, true);
      const name = String.fromCharCode(...new Uint8Array(bytes.buffer, at, 4));
      if (name === 'VP8 ' || name === 'VP8L') return 12 + 8 + length + (length % 2);
      at += 8 + length + (length % 2);
    }
    return size;
  }
  let added = 0;
  for (let at = 2; at + 4 <= size && bytes.getUint8(at) === 0xff; ) {
    const marker = bytes.getUint8(at + 1);
    const length = 2 + bytes.getUint16(at + 2);
    if (marker >= 0xe0 && marker <= 0xef) added += length;
    // the picture itself follows
    if (marker === 0xda) break;
    at += length;
  }
  return size - added;
}

/** Bytes of the coarsest WebP that reaches a PSNR in dB; undefined where none does or the browser writes no WebP. */
export async function webpBytes(pixels: Pixels, psnr: number): Promise<number | undefined> {
  let found: number | undefined;
  for (let [low, high] = [1, 101]; low < high; ) {
    const quality = (low + high) >> 1;
    const point = await lossyPicture(pixels, 'image/webp', quality / 100);
    if (!point) return undefined;
    const reaches = point.psnr >= psnr;
    if (reaches) found = point.bytes;
    [low, high] = reaches ? [low, quality] : [quality + 1, high];
  }
  return found;
}

const qualities = [0.01, 0.2, 0.4, 0.6, 0.8, 0.92];

/** Mean bytes and PSNR of pictures, from coarse to fine; empty where this browser writes no such files. */
export async function ratesOf(pictures: readonly Pixels[], type: LossyType): Promise<readonly RatePoint[]> {
  const points: RatePoint[] = [];
  for (const quality of qualities) {
    const found = await Promise.all(pictures.map((picture) => lossyPicture(picture, type, quality)));
    const known = found.filter((point) => point !== undefined);
    if (known.length < pictures.length || known.length === 0) return [];
    const mean = (of: (point: RatePoint) => number): number =>
      known.reduce((sum, point) => sum + of(point), 0) / known.length;
    // the PSNR of the mean error, as for frames
    const error = mean(({ psnr }) => 10 ** (-psnr / 10));
    points.push({ bytes: mean(({ bytes }) => bytes), psnr: -10 * Math.log10(Math.max(error, 1e-10)) });
  }
  return points;
}

/** Mean bytes of pictures as lossless PNG files. */
export async function meanPngBytes(pictures: readonly Pixels[], isGray: boolean): Promise<number | undefined> {
  const sizes = await Promise.all(pictures.map((picture) => pngBytes(picture, isGray)));
  const known = sizes.filter((size) => size !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, size) => sum + size, 0) / known.length;
}

/** dB over the colours, alpha aside */
export function psnrOfPixels(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let error = 0;
  for (let i = 0; i < a.length; i++) if (i % 4 !== 3) error += ((a[i] as number) - (b[i] as number)) ** 2;
  return 10 * Math.log10((255 ** 2 * a.length * 0.75) / error);
}
