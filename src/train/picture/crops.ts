/**
 * What the decoder of pictures trains on: crops at seeded places, turned over at random, quantised at a random step by the very encoder that
 * devices use. Row number i is always the same crop, so that a job that was stopped goes on to the same weights.
 */

import { RandomStream } from '../../base/random.ts';
import { bandOf, blockSide, coefficientsOf, type PictureCodec, stepUnits } from '../../codec/picture/picture-codec.ts';
import { dequantise, quantiseTile } from '../../codec/picture/quantise.ts';
import { stepPlace } from '../../codec/picture/reconstruct.ts';
import { analyse, coefficientScale, type Raster } from '../../codec/picture/transform.ts';
import type { Pictures, Split } from '../../data/dataset.ts';
import { type CropLayout, cropRowSize } from '../../models/picture-decoder.ts';

export interface CropOptions extends CropLayout {
  readonly codec: PictureCodec;
  readonly seed: number;
  /** numbers of the steps to draw from */
  readonly steps: readonly [first: number, last: number];
  readonly training: { readonly pictures: Pictures; readonly crops: number };
  readonly heldOut: { readonly pictures: Pictures; readonly crops: number };
}

/** Rows of `training.crops` crops, then of those of held-out pictures. */
export class Crops implements Split {
  readonly inMemory = true;
  readonly storedBytes = 0;
  readonly length: number;
  readonly rowSize: number;
  readonly #options: CropOptions;

  constructor(options: CropOptions) {
    this.#options = options;
    this.length = options.training.crops + options.heldOut.crops;
    this.rowSize = cropRowSize(options);
  }

  async labels(): Promise<undefined> {
    return undefined;
  }

  async readRange(start: number, end: number, out: Float32Array): Promise<void> {
    const rows = Array.from({ length: end - start }, (_, i) => start + i);
    await this.readRows(rows, out);
  }

  async readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    const { training, heldOut } = this.#options;
    for (const [i, row] of Array.from(rows).entries()) {
      const isTraining = row < training.crops;
      const { pictures } = isTraining ? training : heldOut;
      // held-out crops go evenly over their pictures
      const draws = new RandomStream(this.#options.seed, `crop/${row}`).uniform(new Float32Array(8));
      const at = (n: number, below: number): number => Math.min(below - 1, Math.floor((draws[n] as number) * below));
      const index = isTraining ? at(0, pictures.length) : (row - training.crops) % pictures.length;
      await this.#crop(pictures, index, at, out.subarray(i * this.rowSize, (i + 1) * this.rowSize));
    }
  }

  async #crop(
    pictures: Pictures,
    index: number,
    at: (n: number, below: number) => number,
    out: Float32Array,
  ): Promise<void> {
    const { side, margin, codec, steps } = this.#options;
    const size = pictures.size(index);
    const outer = side + 2 * margin;
    const [y, x] = [placeOf(size.height, outer, margin, at, 1), placeOf(size.width, outer, margin, at, 3)];
    const area = { top: y.start, left: x.start, height: y.length, width: x.length };
    const raster = turned(await pictures.read(index, area), at(5, 2) === 1, at(6, 2) === 1);
    const step = steps[0] + at(7, steps[1] - steps[0] + 1);
    const shape = { height: Math.ceil(y.length / blockSide), width: Math.ceil(x.length / blockSide) };
    const coefficients = analyse(codec, raster, { row: 0, column: 0, ...shape });
    const band = bandOf(codec, step);
    const { symbols } = quantiseTile(codec, band, coefficients, shape, { step });
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

interface Place {
  /** pixels of the picture that the crop covers */
  readonly start: number;
  readonly length: number;
  /** blocks of the crop before the picture's edge */
  readonly before: number;
}

/** Where along one side: mostly inside, sometimes with its margin beyond an edge, as the edges of whole pictures are decoded. */
function placeOf(
  pixels: number,
  outer: number,
  margin: number,
  at: (n: number, below: number) => number,
  draw: number,
): Place {
  const offset = at(draw, Math.min(blockSide, pixels));
  const blocks = Math.ceil((pixels - offset) / blockSide);
  const first = -margin + at(draw + 1, Math.max(1, blocks - outer + 2 * margin + 1));
  const last = Math.min(blocks, first + outer);
  const from = Math.max(0, first);
  const start = offset + from * blockSide;
  return { start, length: Math.min(pixels, offset + last * blockSide) - start, before: Math.max(0, -first) };
}

function turned(raster: Raster, across: boolean, down: boolean): Raster {
  if (!across && !down) return raster;
  const { width, height, channels, data } = raster;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    const from = down ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      const source = (from * width + (across ? width - 1 - x : x)) * channels;
      for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = data[source + c] as number;
    }
  }
  return { ...raster, data: out };
}
