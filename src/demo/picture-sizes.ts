/** What a picture takes as PNG and as WebP: the honest comparison for a frame's bytes. */

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

/** Bytes of the coarsest WebP that reaches a PSNR in dB; undefined where none does or the browser writes no WebP. */
export async function webpBytes(pixels: Pixels, psnr: number): Promise<number | undefined> {
  const { width, height } = pixels;
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return undefined;
  const image = new ImageData(new Uint8ClampedArray(pixels.data), width, height);
  let found: number | undefined;
  for (let [low, high] = [1, 101]; low < high; ) {
    const quality = (low + high) >> 1;
    context.putImageData(image, 0, 0);
    const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/webp', quality / 100));
    if (file?.type !== 'image/webp') return undefined;
    context.drawImage(await createImageBitmap(file), 0, 0);
    const reaches = psnrOfPixels(pixels.data, context.getImageData(0, 0, width, height).data) >= psnr;
    if (reaches) found = file.size;
    [low, high] = reaches ? [low, quality] : [quality + 1, high];
  }
  return found;
}

/** dB over the colours, alpha aside */
function psnrOfPixels(a: Uint8ClampedArray, b: Uint8ClampedArray): number {
  let error = 0;
  for (let i = 0; i < a.length; i++) if (i % 4 !== 3) error += ((a[i] as number) - (b[i] as number)) ** 2;
  return 10 * Math.log10((255 ** 2 * a.length * 0.75) / error);
}
