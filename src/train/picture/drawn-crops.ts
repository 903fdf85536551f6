/**
 * Crops of pictures as the rows of a split: at seeded places, turned over at random. Row number i is always the same crop, so that a job that
 * was stopped goes on to the same weights.
 */

import { RandomStream } from '../../base/random.ts';
import type { Raster } from '../../codec/picture/transform.ts';
import type { Pictures, Split } from '../../data/dataset.ts';

export interface DrawnFrom {
  readonly seed: number;
  readonly training: { readonly pictures: Pictures; readonly crops: number };
  readonly heldOut: { readonly pictures: Pictures; readonly crops: number };
}

/** The row's draw number `n`, from 0 to 7, as an integer below `below`. Draw 0 chooses the picture. */
export type Draw = (n: number, below: number) => number;

/** Rows of `training.crops` crops, then of those of held-out pictures. */
export abstract class DrawnCrops implements Split {
  readonly inMemory = true;
  readonly storedBytes = 0;
  readonly length: number;
  readonly rowSize: number;
  readonly #from: DrawnFrom;

  constructor(from: DrawnFrom, rowSize: number) {
    this.#from = from;
    this.length = from.training.crops + from.heldOut.crops;
    this.rowSize = rowSize;
  }

  async labels(): Promise<undefined> {
    return undefined;
  }

  async readRange(start: number, end: number, out: Float32Array): Promise<void> {
    const rows = Array.from({ length: end - start }, (_, i) => start + i);
    await this.readRows(rows, out);
  }

  async readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    const { training, heldOut, seed } = this.#from;
    for (const [i, row] of Array.from(rows).entries()) {
      const isTraining = row < training.crops;
      const { pictures } = isTraining ? training : heldOut;
      const draws = new RandomStream(seed, `crop/${row}`).uniform(new Float32Array(8));
      const at: Draw = (n, below) => Math.min(below - 1, Math.floor((draws[n] as number) * below));
      // held-out crops go evenly over their pictures
      const index = isTraining ? at(0, pictures.length) : (row - training.crops) % pictures.length;
      await this.crop(pictures, index, at, out.subarray(i * this.rowSize, (i + 1) * this.rowSize), row);
    }
  }

  /** Fills a row from a picture. */
  protected abstract crop(pictures: Pictures, index: number, at: Draw, out: Float32Array, row: number): Promise<void>;
}

/** A picture mirrored left to right, top to bottom, or both. */
export function turned(raster: Raster, across: boolean, down: boolean): Raster {
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
