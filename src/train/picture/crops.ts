/** What the decoder of pictures trains on: crops that were quantised at a random step by the very encoder that devices use. */

import { bandOf, blockSide, coefficientsOf, type PictureCodec, stepUnits } from '../../codec/picture/picture-codec.ts';
import { dequantise, quantiseTile } from '../../codec/picture/quantise.ts';
import { stepPlace } from '../../codec/picture/reconstruct.ts';
import { analyse, coefficientScale } from '../../codec/picture/transform.ts';
import type { Pictures } from '../../data/dataset.ts';
import { type CropLayout, cropRowSize } from '../../models/picture-decoder.ts';
import { type Draw, DrawnCrops, type DrawnFrom, turned } from './drawn-crops.ts';

export interface CropOptions extends CropLayout, DrawnFrom {
  readonly codec: PictureCodec;
  /** numbers of the steps to draw from */
  readonly steps: readonly [first: number, last: number];
}

/** Rows of crops as the decoder's network is trained on them. */
export class CodedCrops extends DrawnCrops {
  readonly #options: CropOptions;
  readonly #symbols = new SparseSymbols();

  constructor(options: CropOptions) {
    super(options, cropRowSize(options));
    this.#options = options;
  }

  protected async crop(pictures: Pictures, index: number, at: Draw, out: Float32Array, row: number): Promise<void> {
    const { side, margin, codec, steps } = this.#options;
    const size = pictures.size(index);
    const outer = side + 2 * margin;
    const [y, x] = [placeOf(size.height, outer, margin, at, 1), placeOf(size.width, outer, margin, at, 3)];
    // With the block beyond each side that lies inside of the picture, for lapping takes some of its pixels.
    const [aroundY, aroundX] = [aroundOf(y, size.height), aroundOf(x, size.width)];
    const area = { top: aroundY.start, left: aroundX.start, height: aroundY.length, width: aroundX.length };
    const [isFlippedX, isFlippedY] = [at(5, 2) === 1, at(6, 2) === 1];
    const raster = turned(await pictures.read(index, area), isFlippedX, isFlippedY);
    const step = steps[0] + at(7, steps[1] - steps[0] + 1);
    const shape = { height: Math.ceil(y.length / blockSide), width: Math.ceil(x.length / blockSide) };
    const first = {
      row: isFlippedY ? aroundY.after : aroundY.before,
      column: isFlippedX ? aroundX.after : aroundX.before,
    };
    const coefficients = analyse(codec, raster, { ...first, ...shape });
    const band = bandOf(codec, step);
    const symbols =
      this.#symbols.read(row, coefficients.length) ?? quantiseTile(codec, band, coefficients, shape, { step }).symbols;
    this.#symbols.keep(row, symbols);
    const values = dequantise(codec, band, symbols);
    const K = coefficientsOf(codec);
    const unit = (stepUnits(step) * coefficientScale) / 16;
    const clamp = (i: number, before: number, count: number): number => Math.max(0, Math.min(count - 1, i - before));
    let to = 0;
    for (let i = 0; i < outer; i++) {
      for (let j = 0; j < outer; j++, to += K) {
        const from = (clamp(i, y.before, shape.height) * shape.width + clamp(j, x.before, shape.width)) * K;
        out.set(values.subarray(from, from + K), to);
      }
    }
    for (let i = margin; i < margin + side; i++) {
      for (let j = margin; j < margin + side; j++) {
        const from = (clamp(i, y.before, shape.height) * shape.width + clamp(j, x.before, shape.width)) * K;
        for (let k = 0; k < K; k++) out[to++] = (coefficients[from + k] as number) / unit;
      }
    }
    out[to] = stepPlace(step);
  }
}

/** Bytes of the symbols that are kept from one epoch to the next. */
const keptBytes = 2 ** 27;
/** Magnitudes that fit beside a place. */
const mostKept = 2 ** 13;

/** Symbols of crops, for looking for them takes longer than anything else of a crop. Most are zero, so only the others are kept. */
class SparseSymbols {
  readonly #known = new Map<number, Int32Array>();
  #bytes = 0;

  keep(row: number, symbols: Int16Array): void {
    if (this.#known.has(row)) return;
    const found: number[] = [];
    for (let i = 0; i < symbols.length; i++) {
      const symbol = symbols[i] as number;
      if (symbol === 0) continue;
      if (symbol >= mostKept || symbol <= -mostKept || i >= 2 ** 18) return;
      found.push((i << 14) | (symbol + mostKept));
    }
    if (this.#bytes + 4 * found.length > keptBytes) return;
    this.#bytes += 4 * found.length;
    this.#known.set(row, Int32Array.from(found));
  }

  read(row: number, length: number): Int16Array | undefined {
    const known = this.#known.get(row);
    if (!known) return undefined;
    const symbols = new Int16Array(length);
    for (const packed of known) symbols[packed >>> 14] = (packed & (2 * mostKept - 1)) - mostKept;
    return symbols;
  }
}

interface Place {
  /** pixels of the picture that the crop covers */
  readonly start: number;
  readonly length: number;
  /** blocks of the crop before the picture's edge */
  readonly before: number;
}

/** A place with one block more on each side that has one. */
function aroundOf({ start, length }: Place, pixels: number) {
  const before = start >= blockSide ? 1 : 0;
  const after = start + length + blockSide <= pixels ? 1 : 0;
  return { start: start - before * blockSide, length: length + (before + after) * blockSide, before, after };
}

/** Where along one side: mostly inside, sometimes with its margin beyond an edge, as the edges of whole pictures are decoded. */
function placeOf(pixels: number, outer: number, margin: number, at: Draw, draw: number): Place {
  const offset = at(draw, Math.min(blockSide, pixels));
  const blocks = Math.ceil((pixels - offset) / blockSide);
  const first = -margin + at(draw + 1, Math.max(1, blocks - outer + 2 * margin + 1));
  const last = Math.min(blocks, first + outer);
  const from = Math.max(0, first);
  const start = offset + from * blockSide;
  return { start, length: Math.min(pixels, offset + last * blockSide) - start, before: Math.max(0, -first) };
}
