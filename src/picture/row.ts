/**
 * The one definition of picture → row, for devices, the server and imports (docs/pictures.md). It gets decoded pixels, turned
 * as EXIF says, in sRGB; it knows nothing of files, models or platforms, and gives the same bytes everywhere.
 *
 *   pixels ─► transparency ─► grey ─► resample ─► 8 bits
 */

import { currentPreprocessing, type PictureShape, type Preprocessing } from './preprocessing.ts';
import { Resampler, type Span } from './resample.ts';

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1 gray, 2 gray and alpha, 3 red green blue, 4 with alpha; default 4, as a canvas's ImageData */
  readonly channels?: number;
  /** from the top left, 8 bits a value; alpha is not multiplied into the colours */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** 0 to 255 */
type Background = readonly [red: number, green: number, blue: number];

/** Pixels between two yields of `rowSteps`: about a millisecond. */
const pixelsPerStep = 2 ** 17;

export interface PictureRow {
  /** height × width × channels values from 0 to 255 */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** what transparent pixels were laid on; absent where nothing is transparent or alpha is kept */
  readonly background?: Background;
}

/** height × width × channels values from 0 to 255. */
export function rowOfRaster(
  picture: Raster,
  shape: PictureShape,
  preprocessing: Preprocessing = currentPreprocessing,
): Uint8Array<ArrayBuffer> {
  const steps = rowSteps(picture, shape, preprocessing);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value.pixels;
  }
}

/** `rowOfRaster` in steps, so that a server can do other work between them. */
export function* rowSteps(
  picture: Raster,
  shape: PictureShape,
  preprocessing: Preprocessing = currentPreprocessing,
): Generator<undefined, PictureRow> {
  const { width, height } = picture;
  const isFirst = preprocessing.version === 1;
  const background = yield* findBackground(picture, preprocessing);
  const { columns, rows, inner } = placement(picture, shape, preprocessing);
  // version 1 makes grey last, from resampled colours
  const planes = isFirst && shape.channels === 1 ? 3 : shape.channels;
  const resampler = new Resampler({
    ...{ width, height, planes, columns, rows },
    ...{ outWidth: inner.width, outHeight: inner.height },
    filter: isFirst ? 'lanczos3' : 'triangle',
  });
  const line = new Float64Array(width * planes);
  const linesPerStep = linesOf(pixelsPerStep, width);
  const { from, to } = resampler.lines;
  for (let y = from; y < to; y++) {
    readLine(picture, y, planes, background, line);
    resampler.add(y, line);
    if ((y - from + 1) % linesPerStep === 0) yield;
  }
  const pixels = finish(resampler.output, { shape, inner, planes, margin: () => marginOf(picture, background) });
  return { pixels, ...(background && shape.channels !== 4 && { background }) };
}

const linesOf = (pixels: number, width: number): number => Math.max(1, Math.floor(pixels / width));

/** Which part of the picture fills which part of the row. */
function placement(
  { width, height }: Raster,
  shape: PictureShape,
  { fit }: Preprocessing,
): { columns: Span; rows: Span; inner: { left: number; top: number; width: number; height: number } } {
  const all = { columns: { from: 0, to: width }, rows: { from: 0, to: height } };
  const whole = { left: 0, top: 0, width: shape.width, height: shape.height };
  if (fit === 'squeeze') return { ...all, inner: whole };
  const [across, down] = [width / shape.width, height / shape.height];
  if (fit === 'crop') {
    const scale = Math.min(across, down);
    return { columns: middle(width, shape.width * scale), rows: middle(height, shape.height * scale), inner: whole };
  }
  const scale = Math.max(across, down);
  const inner = {
    width: Math.min(shape.width, Math.max(1, Math.round(width / scale))),
    height: Math.min(shape.height, Math.max(1, Math.round(height / scale))),
  };
  const left = Math.floor((shape.width - inner.width) / 2);
  const top = Math.floor((shape.height - inner.height) / 2);
  return { ...all, inner: { left, top, ...inner } };
}

const middle = (length: number, part: number): Span => ({ from: (length - part) / 2, to: (length + part) / 2 });

/** Pillow's integers for Rec. 601 (0.299, 0.587, 0.114); their sum is 2¹⁶, so that grey stays the grey that it is. */
const luma = (red: number, green: number, blue: number): number => (19595 * red + 38470 * green + 7471 * blue) / 65536;

const hasAlpha = (channels: number): boolean => channels === 2 || channels === 4;

function lumaAt({ data, channels = 4 }: Raster, at: number): number {
  if (channels < 3) return data[at] as number;
  return luma(data[at] as number, data[at + 1] as number, data[at + 2] as number);
}

/** What transparent pixels lie on; undefined where nothing is transparent. */
function* findBackground(
  picture: Raster,
  { transparency }: Preprocessing,
): Generator<undefined, Background | undefined> {
  const { data, channels = 4, width, height } = picture;
  if (!hasAlpha(channels)) return undefined;
  let [visible, light, isTransparent] = [0, 0, false];
  const values = width * height * channels;
  const valuesPerStep = linesOf(pixelsPerStep, width) * width * channels;
  for (let start = 0; start < values; start += valuesPerStep) {
    const end = Math.min(start + valuesPerStep, values);
    for (let at = start; at < end; at += channels) {
      const alpha = data[at + channels - 1] as number;
      if (alpha < 255) isTransparent = true;
      visible += alpha;
      light += alpha * lumaAt(picture, at);
    }
    if (end < values) yield;
  }
  if (!isTransparent) return undefined;
  if (transparency === 'auto') return visible > 0 && light < 128 * visible ? white : black;
  return colourOf(transparency);
}

const black: Background = [0, 0, 0];
const white: Background = [255, 255, 255];

function colourOf(transparency: string): Background {
  if (transparency === 'white') return white;
  const [red = 0, green = 0, blue = 0] = (/^#(..)(..)(..)$/.exec(transparency) ?? [])
    .slice(1)
    .map((digits) => Number.parseInt(digits, 16));
  return [red, green, blue];
}

/** One line with the planes that are resampled; with four planes colours are multiplied by alpha. */
function readLine(
  picture: Raster,
  y: number,
  planes: number,
  background: Background | undefined,
  line: Float64Array,
): void {
  const { data, channels = 4, width } = picture;
  const isGray = channels < 3;
  const withAlpha = background !== undefined;
  const behind = planes === 4 || !background ? black : background;
  const grayBehind = luma(...behind);
  for (let x = 0, at = y * width * channels, to = 0; x < width; x++, at += channels, to += planes) {
    const alpha = withAlpha ? (data[at + channels - 1] as number) : 255;
    if (planes === 1) {
      const value = lumaAt(picture, at);
      line[to] = alpha === 255 ? value : (value * alpha + grayBehind * (255 - alpha)) / 255;
      continue;
    }
    for (let c = 0; c < 3; c++) {
      const value = data[at + (isGray ? 0 : c)] as number;
      line[to + c] = alpha === 255 ? value : (value * alpha + (behind[c] as number) * (255 - alpha)) / 255;
    }
    if (planes === 4) line[to + 3] = alpha;
  }
}

/** Around a padded picture: the colour behind its transparent pixels, else black or white as most of its edge is. */
function marginOf(picture: Raster, background: Background | undefined): Background {
  if (background !== undefined) return background;
  const { width, height, channels = 4 } = picture;
  let [sum, count] = [0, 0];
  const add = (x: number, y: number): void => {
    sum += lumaAt(picture, (y * width + x) * channels);
    count++;
  };
  for (let x = 0; x < width; x++) for (const y of [0, height - 1]) add(x, y);
  for (let y = 0; y < height; y++) for (const x of [0, width - 1]) add(x, y);
  return sum >= 128 * count ? white : black;
}

interface Finish {
  readonly shape: PictureShape;
  readonly inner: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  readonly planes: number;
  readonly margin: () => Background;
}

/** Rounds to 8 bits, into the row's place. */
function finish(values: Float64Array, { shape, inner, planes, margin }: Finish): Uint8Array<ArrayBuffer> {
  const { height, width, channels } = shape;
  const row = new Uint8Array(height * width * channels);
  const isPadded = inner.width < width || inner.height < height;
  if (isPadded && channels !== 4) {
    const colour = margin();
    const values = channels === 1 ? [rounded(luma(...colour))] : colour;
    for (const i of row.keys()) row[i] = values[i % channels] as number;
  }
  for (let y = 0; y < inner.height; y++) {
    for (let x = 0; x < inner.width; x++) {
      const at = (y * inner.width + x) * planes;
      const to = ((y + inner.top) * width + x + inner.left) * channels;
      if (planes === 3 && channels === 1) {
        row[to] = linearLuminance(values[at] as number, values[at + 1] as number, values[at + 2] as number);
        continue;
      }
      const alpha = planes === 4 ? (values[at + 3] as number) : 255;
      for (let c = 0; c < channels; c++) {
        const value = values[at + c] as number;
        row[to + c] = rounded(c === 3 || alpha === 255 ? value : alpha > 0 ? (value * 255) / alpha : 0);
      }
    }
  }
  return row;
}

const rounded = (value: number): number => Math.min(255, Math.max(0, Math.floor(value + 0.5)));

/** Version 1: luminance (BT.709) of linear light, gamma-coded again. */
function linearLuminance(red: number, green: number, blue: number): number {
  if (red === green && green === blue) return rounded(red);
  return rounded(255 * gammaCoded(0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)));
}

function linear(value: number): number {
  const v = Math.min(1, Math.max(0, value / 255));
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

const gammaCoded = (light: number): number => (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
