/**
 * Pictures of one split that keep their own sizes: pixels one picture after the other in `train.rows`, and in `train.sizes` height and width
 * of each, little-endian 32-bit numbers. A crop reads its own lines, nothing is decoded.
 */

import { createHash } from 'node:crypto';
import { ShortFileError, type StoredRows, type StoredSet } from '../store/contract.ts';
import type { PictureArea, Pictures, SplitName } from './dataset.ts';
import { corrupt, type DatasetManifest } from './manifest.ts';
import { cropRaster } from './pictures.ts';

export class PictureFile implements Pictures {
  readonly length: number;
  readonly channels: Pictures['channels'];
  readonly #dataset: string;
  readonly #split: SplitName;
  readonly #rows: StoredRows;
  readonly #sizes: Int32Array;
  /** where each picture begins, and the end */
  readonly #starts: Float64Array;
  readonly #keeps: boolean;
  #loaded: Promise<Uint8Array> | undefined;

  private constructor(options: PictureFileOptions, rows: StoredRows, sizes: Int32Array) {
    const { dataset, split, manifest, keptBytes } = options;
    this.#dataset = dataset;
    this.#split = split;
    this.#rows = rows;
    this.#sizes = sizes;
    this.length = sizes.length / 2;
    this.channels = (manifest.shape[2] ?? 3) as Pictures['channels'];
    this.#starts = new Float64Array(this.length + 1);
    for (let i = 0; i < this.length; i++) {
      this.#starts[i + 1] = this.#starts[i]! + sizes[2 * i]! * sizes[2 * i + 1]! * this.channels;
    }
    this.#keeps = rows.bytes <= keptBytes;
  }

  /** Throws `dataset-corrupt` when a file is missing, damaged, or of another length than the sizes say. */
  static async open(options: PictureFileOptions): Promise<PictureFile> {
    const { set, dataset, split, manifest } = options;
    const entry = manifest.splits[split];
    const index = await set.open(`${split}.sizes`);
    const bytes = new Uint8Array(entry.rows * 8);
    try {
      if (index?.bytes !== bytes.length) throw corrupt(dataset, `${split}.sizes is missing or has another length`);
      await index.read(bytes, 0);
    } finally {
      await index?.close();
    }
    if (createHash('sha256').update(bytes).digest('hex') !== entry.sizesSha256) {
      throw corrupt(dataset, `${split}.sizes does not match its checksum`);
    }
    const rows = await set.open(`${split}.rows`);
    if (!rows) throw corrupt(dataset, `${split}.rows is missing`);
    const file = new PictureFile(options, rows, new Int32Array(bytes.buffer));
    if (rows.bytes === file.#starts[file.length]) return file;
    await rows.close();
    throw corrupt(dataset, `${split}.rows has ${rows.bytes} bytes instead of ${file.#starts[file.length]}`);
  }

  size(index: number): { height: number; width: number } {
    if (!(index >= 0 && index < this.length))
      throw new RangeError(`Picture ${index} is beyond the ${this.length} of the split.`);
    return { height: this.#sizes[2 * index]!, width: this.#sizes[2 * index + 1]! };
  }

  async read(index: number, area?: PictureArea) {
    const { height, width } = this.size(index);
    const { channels } = this;
    const start = this.#starts[index]!;
    const { top, left, ...size } = area ?? { top: 0, left: 0, height, width };
    const line = width * channels;
    if (this.#keeps) {
      this.#loaded ??= this.#load();
      const data = (await this.#loaded).subarray(start, start + height * line);
      return cropRaster({ width, height, channels, data }, { top, left, ...size });
    }
    const lines = new Uint8Array(size.height * line);
    await this.#read(lines, start + top * line);
    return cropRaster({ width, height: size.height, channels, data: lines }, { top: 0, left, ...size });
  }

  close(): Promise<void> {
    return this.#rows.close();
  }

  async #load(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#rows.bytes);
    await this.#read(bytes, 0);
    return bytes;
  }

  async #read(into: Uint8Array, position: number): Promise<void> {
    try {
      await this.#rows.read(into, position);
    } catch (thrown) {
      if (!(thrown instanceof ShortFileError)) throw thrown;
      throw corrupt(this.#dataset, `a file of the ${this.#split} split has been cut`, thrown);
    }
  }
}

export interface PictureFileOptions {
  readonly set: StoredSet;
  readonly dataset: string;
  readonly split: SplitName;
  readonly manifest: DatasetManifest;
  /** a split of at most so many bytes is read into memory at its first use */
  readonly keptBytes: number;
}
