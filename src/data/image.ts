/**
 * The only door to sharp: PNG, JPEG and WebP to rows of 8-bit values and back. sharp only decodes; what becomes of the pixels
 * is defined in src/picture, the same for devices. The number of pixels is checked before anything is decoded.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type sharp from 'sharp';
import { HourglassError } from '../base/errors.ts';
import { type Shape, showShape } from '../base/ndarray.ts';
import { fromPixels, grayScale, toPixels } from '../picture/gray-scale.ts';
import {
  currentPreprocessing,
  type PictureShape,
  type Preprocessing,
  pictureShapeOf,
} from '../picture/preprocessing.ts';
import { type Raster, rowSteps } from '../picture/row.ts';
import { findPngDamage } from './png-check.ts';

export type { PictureShape };

let loading: Promise<typeof sharp> | undefined;

/** Loaded with the first picture: a service whose rows are numbers does without its memory. */
function loadSharp(): Promise<typeof sharp> {
  loading ??= import('sharp').then(({ default: loaded }) => {
    // pictures are small and many: caches only hold memory, and parallel work comes from decoding several at once
    loaded.cache(false);
    loaded.concurrency(1);
    return loaded;
  });
  return loading;
}

export interface DecodeOptions {
  /** the row that is wanted */
  readonly shape: PictureShape;
  /** fit a picture of another size, as `preprocessing` says, instead of refusing it */
  readonly resize?: boolean;
  readonly maxPixels: number;
  /** default: that of new models */
  readonly preprocessing?: Preprocessing;
}

/** Throws `shape-mismatch` when rows of this shape are not pictures: [height, width] or [height, width, 1, 3 or 4]. */
export function pictureShape(shape: Shape): PictureShape {
  const found = pictureShapeOf(shape);
  if (found) return found;
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

/** Pixels; that of JPEG. A line is converted in one go and the weights grow with a side, so that one of millions would block others. */
const longestSide = 65_535;

/** Size and channels as shown (turned as its EXIF says), from the header alone. Throws `image-too-large`, `image-unreadable`. */
export async function inspectImage(bytes: Uint8Array, maxPixels: number): Promise<PictureShape> {
  if (!imageFormat(bytes)) throw unreadable('This is not a PNG, JPEG or WebP picture.');
  const facts = await (await loadSharp())(bytes, { limitInputPixels: false })
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
  if (Math.max(width, height) > longestSide) {
    throw new HourglassError(
      'image-too-large',
      `The picture is ${width} wide and ${height} high; a side may have at most ${longestSide} pixels. Send it smaller.`,
      { expected: longestSide, found: Math.max(width, height) },
    );
  }
  return { height, width, channels: facts.space === 'b-w' || facts.space === 'grey16' ? 1 : 3 };
}

/** `decodeImage`'s answer with what was done about transparency. */
export interface DecodedPicture {
  readonly pixels: Uint8Array;
  /** #rrggbb that its transparent pixels were laid on; absent where nothing is transparent or alpha is kept */
  readonly background?: string;
}

/**
 * Pixels in rows from the top left, channels together: height × width × channels values.
 * Throws `image-too-large`, `image-unreadable`, `shape-mismatch`.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions): Promise<Uint8Array> {
  return (await decodePicture(bytes, options)).pixels;
}

/** Throws what `decodeImage` throws. */
export async function decodePicture(
  bytes: Uint8Array,
  { shape, resize, maxPixels, preprocessing = currentPreprocessing }: DecodeOptions,
): Promise<DecodedPicture> {
  const found = await inspectImage(bytes, maxPixels);
  const { height, width } = shape;
  if (!resize && (found.height !== height || found.width !== width)) {
    throw new HourglassError(
      'shape-mismatch',
      `The picture is ${found.height} high and ${found.width} wide; ${height} × ${width} is needed. Send that size, or ask for "resize".`,
      { expected: [height, width], found: [found.height, found.width] },
    );
  }
  const damage = imageFormat(bytes) === 'png' ? await findPngDamage(bytes) : undefined;
  if (damage !== undefined) throw unreadable(damage);
  const release = found.height * found.width > largePixels ? await largePictures.enter() : undefined;
  try {
    const raster = await decodeRaster(bytes, maxPixels);
    const steps = rowSteps(raster, shape, preprocessing);
    for (;;) {
      const { done, value } = steps.next();
      if (done) {
        const { pixels, background } = value;
        return { pixels, ...(background && { background: `#${Buffer.from(background).toString('hex')}` }) };
      }
      await nextTurn();
    }
  } finally {
    release?.();
  }
}

/** As it is shown: turned as EXIF says, in sRGB, 8 bits a value (of 16 the upper ones, which only sRGB gives exactly). */
async function decodeRaster(bytes: Uint8Array, maxPixels: number): Promise<Raster> {
  const { data, info } = await (await loadSharp())(bytes, { limitInputPixels: maxPixels, failOn: 'error' })
    .autoOrient()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause) => {
      throw unreadable('The picture is damaged or cut.', cause);
    });
  return { width: info.width, height: info.height, channels: info.channels, data };
}

/** Beyond this many pixels a picture waits its turn, since all of its pixels are in memory at once. */
const largePixels = 2 ** 20;

/** Lets a number of tasks run at a time; the others wait in order. */
class Turnstile {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  /** Resolves to the function that gives the place back. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
  }
}

const largePictures = new Turnstile(2);

/** `decodeImage` as a row of values, by default in [0, 1]. */
export async function imageToRow(
  bytes: Uint8Array,
  options: DecodeOptions,
  range?: readonly [number, number],
): Promise<Float32Array> {
  return fromPixels(await decodeImage(bytes, options), range);
}

/** 8-bit values, rows from the top, channels together. */
export interface WholePicture {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A whole picture, colours in RGB, with alpha only where four channels are wanted: transparency is laid on white else. */
export async function decodeWhole(bytes: Uint8Array, channels: 1 | 3 | 4, maxPixels: number): Promise<WholePicture> {
  const { height, width } = await inspectImage(bytes, maxPixels);
  const preprocessing: Preprocessing = { ...currentPreprocessing, transparency: 'white' };
  const data = await decodeImage(bytes, { shape: { height, width, channels }, maxPixels, preprocessing });
  return { width, height, channels, data };
}

/** A whole picture as a file: PNG without loss, WebP and JPEG in their best ordinary quality. */
export async function encodeWhole(
  { width, height, channels, data }: WholePicture,
  type: 'image/png' | 'image/webp' | 'image/jpeg',
): Promise<Uint8Array> {
  if (type === 'image/png')
    return encodePng(data instanceof Uint8Array ? data : new Uint8Array(data), { width, height, channels });
  const picture = (await loadSharp())(data, {
    raw: { width, height, channels: channels as 1 | 3 | 4 },
    limitInputPixels: false,
  });
  return type === 'image/webp'
    ? picture.webp({ quality: 95 }).toBuffer()
    : picture.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
}

/** A picture through another codec and back: its bytes, and what it looks like then. */
export async function compressPicture(
  { width, height, channels, data }: WholePicture,
  format: 'jpeg' | 'webp',
  quality: number,
): Promise<{ readonly bytes: number; readonly raster: WholePicture }> {
  const raw = { width, height, channels: channels as 1 | 3 | 4 };
  const picture = (await loadSharp())(data, { raw, limitInputPixels: false });
  const options = format === 'webp' ? { quality, effort: 6 } : { quality, mozjpeg: true };
  const file = await (format === 'webp' ? picture.webp(options) : picture.jpeg(options)).toBuffer();
  const back = await decodeWhole(file, channels as 1 | 3 | 4, width * height);
  return { bytes: file.length, raster: back };
}

/** 8-bit values as a PNG. */
export async function encodePng(pixels: Uint8Array, { height, width, channels }: PictureShape): Promise<Uint8Array> {
  return (await loadSharp())(pixels, {
    raw: { width, height, channels: channels as 1 | 3 | 4 },
    limitInputPixels: false,
  })
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
    const file = await (await loadSharp())(pixels, { raw, limitInputPixels: false }).webp({ quality }).toBuffer();
    const back = await decodeImage(file, { shape, maxPixels: height * width });
    bytes += file.length;
    values += pixels.length;
    for (const [i, pixel] of pixels.entries()) error += (((back[i] ?? 0) - pixel) / 255) ** 2;
  }
  return { bytes, psnr: error === 0 ? 99 : Math.round(-1000 * Math.log10(error / values)) / 100 };
}
