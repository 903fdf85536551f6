/**
 * The only door to sharp: PNG, JPEG and WebP to rows of 8-bit values and back. Every picture's header is read and its number
 * of pixels checked before anything is decoded. Knows nothing of data sets or models.
 */

import sharp from 'sharp';
import { HourglassError } from '../base/errors.ts';
import { type Shape, showShape } from '../base/ndarray.ts';
import { grayScale, toPixels } from '../base/picture.ts';

// pictures are small and many: caches only hold memory, and parallel work comes from decoding several at once
sharp.cache(false);
sharp.concurrency(1);

export interface PictureShape {
  readonly height: number;
  readonly width: number;
  /** 1 gray, 3 red green blue, 4 with alpha */
  readonly channels: number;
}

export interface DecodeOptions {
  /** the row that is wanted */
  readonly shape: PictureShape;
  /** scale (not keeping the aspect) to the wanted height and width instead of refusing another size */
  readonly resize?: boolean;
  readonly maxPixels: number;
}

/** Throws `shape-mismatch` when rows of this shape are not pictures: [height, width] or [height, width, 1, 3 or 4]. */
export function pictureShape(shape: Shape): PictureShape {
  const [height = 0, width = 0, channels = 1] = shape;
  if ((shape.length === 2 || shape.length === 3) && [1, 3, 4].includes(channels)) return { height, width, channels };
  throw new HourglassError(
    'shape-mismatch',
    `Rows of shape ${showShape(shape)} are not pictures; those are [height, width, 1, 3 or 4]. Send numbers instead.`,
    { expected: ['height', 'width', 'channels'], found: shape },
  );
}

const unreadable = (what: string, cause?: unknown): HourglassError =>
  new HourglassError('image-unreadable', `${what} Send a whole PNG, JPEG or WebP picture.`, {}, { cause });

/** By its first bytes, so that no other decoder (SVG, TIFF, GIF …) is ever started. */
export function imageFormat(bytes: Uint8Array): 'png' | 'jpeg' | 'webp' | undefined {
  const text = (from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 3) === '\xff\xd8\xff') return 'jpeg';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  return undefined;
}

/** Size and channels as shown (turned as its EXIF says), from the header alone. Throws `image-too-large`, `image-unreadable`. */
export async function inspectImage(bytes: Uint8Array, maxPixels: number): Promise<PictureShape> {
  if (!imageFormat(bytes)) throw unreadable('This is not a PNG, JPEG or WebP picture.');
  const facts = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause) => {
      throw unreadable('The header of the picture is damaged.', cause);
    });
  const pixels = facts.width * facts.height;
  if (pixels > maxPixels) {
    throw new HourglassError(
      'image-too-large',
      `The picture has ${facts.width} × ${facts.height} = ${pixels} pixels; at most ${maxPixels} are allowed. Send it smaller.`,
      { expected: maxPixels, found: pixels },
    );
  }
  const { width, height } = facts.autoOrient;
  return { height, width, channels: facts.space === 'b-w' || facts.space === 'grey16' ? 1 : 3 };
}

/**
 * Pixels in rows from the top left, channels together: height × width × channels values. Color becomes gray by its luminance
 * where one channel is wanted; transparency is laid on black unless four are.
 * Throws `image-too-large`, `image-unreadable`, `shape-mismatch`.
 */
export async function decodeImage(bytes: Uint8Array, { shape, resize, maxPixels }: DecodeOptions): Promise<Uint8Array> {
  const found = await inspectImage(bytes, maxPixels);
  const { height, width, channels } = shape;
  if (!resize && (found.height !== height || found.width !== width)) {
    throw new HourglassError(
      'shape-mismatch',
      `The picture is ${found.height} high and ${found.width} wide; ${height} × ${width} is needed. Send that size, or ask for "resize".`,
      { expected: [height, width], found: [found.height, found.width] },
    );
  }
  let picture = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error' }).autoOrient();
  picture = channels === 4 ? picture.ensureAlpha() : picture.flatten({ background: '#000' });
  if (resize) picture = picture.resize({ width, height, fit: 'fill' });
  picture = picture.toColourspace(channels === 1 ? 'b-w' : 'srgb');
  const { data, info } = await picture
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause) => {
      throw unreadable('The picture is damaged or cut.', cause);
    });
  if (info.height !== height || info.width !== width || info.channels !== channels) {
    throw unreadable(`The picture decodes to ${info.height} × ${info.width} × ${info.channels}.`);
  }
  return data;
}

/** `decodeImage` as a row of values in [0, 1]. */
export async function imageToRow(bytes: Uint8Array, options: DecodeOptions): Promise<Float32Array> {
  return Float32Array.from(await decodeImage(bytes, options), (value) => value / 255);
}

/** 8-bit values as a PNG. */
export async function encodePng(pixels: Uint8Array, { height, width, channels }: PictureShape): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width, height, channels: channels as 1 | 3 | 4 }, limitInputPixels: false })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png({ compressionLevel: 6 })
    .toBuffer();
}

/** One row of a model's output as a PNG. Throws `shape-mismatch` when rows of this shape are not pictures. */
export async function rowToPng(
  row: Float32Array,
  shape: Shape,
  range: readonly [number, number] = [0, 1],
): Promise<Uint8Array> {
  return encodePng(toPixels(row, range), pictureShape(shape));
}

export interface WebpOptions {
  /** of a row */
  readonly shape: Shape;
  /** of the values */
  readonly range: readonly [number, number];
  /** dB to reach, of the squared error's mean over all rows */
  readonly psnr: number;
}

/** Rows as WebP pictures at the lowest quality that reaches a PSNR; undefined when they are no pictures, or none reaches it. */
export async function rowsToWebp(
  rows: Float32Array,
  { shape, range, psnr }: WebpOptions,
): Promise<{ quality: number; bytes: number; psnr: number } | undefined> {
  const [height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || ![1, 3, 4].includes(channels)) return undefined;
  const size = height * width * channels;
  const pictures = Array.from({ length: rows.length / size }, (_, i) =>
    toPixels(rows.subarray(i * size, (i + 1) * size), grayScale(range)),
  );
  let [low, high] = [1, 101];
  let found: { quality: number; bytes: number; psnr: number } | undefined;
  while (low < high) {
    const quality = (low + high) >> 1;
    const tried = await measureWebp(pictures, { height, width, channels }, quality);
    if (tried.psnr >= psnr) found = { quality, ...tried };
    [low, high] = tried.psnr >= psnr ? [low, quality] : [quality + 1, high];
  }
  return found;
}

async function measureWebp(
  pictures: readonly Uint8Array[],
  shape: PictureShape,
  quality: number,
): Promise<{ bytes: number; psnr: number }> {
  const { height, width, channels } = shape;
  const raw = { width, height, channels: channels as 1 | 3 | 4 };
  let [bytes, error, values] = [0, 0, 0];
  for (const pixels of pictures) {
    const file = await sharp(pixels, { raw, limitInputPixels: false }).webp({ quality }).toBuffer();
    const back = await decodeImage(file, { shape, maxPixels: height * width });
    bytes += file.length;
    values += pixels.length;
    for (const [i, pixel] of pixels.entries()) error += (((back[i] ?? 0) - pixel) / 255) ** 2;
  }
  return { bytes, psnr: error === 0 ? 99 : Math.round(-1000 * Math.log10(error / values)) / 100 };
}
