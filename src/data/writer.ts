/**
 * Writes rows in the stored form: one file of rows and one of labels per split, with checksums, range and the choice between
 * 8-bit and float storage made from what was seen.
 */

import { createHash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { HourglassError } from '../base/errors.ts';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { SplitName } from './dataset.ts';
import type { SplitEntry, StoredContent } from './manifest.ts';
import type { UploadOptions } from './upload.ts';

/**
 * What the source holds. `uint8` is stored as it is. `whole` (integers of other widths, numbers in text) is narrowed to
 * uint8 when every value turns out to be a whole number from 0 to 255. `float` stays.
 */
export type ValueKind = 'uint8' | 'whole' | 'float';
export type RowValues = Uint8Array | Float32Array;

export interface WriterOptions {
  readonly folder: string;
  readonly shape: Shape;
  readonly kind: ValueKind;
  readonly scale: NonNullable<UploadOptions['scale']>;
  readonly maxBytes: number;
  /** pictures keep their own sizes: `append` gets one at a time, with its size */
  readonly sizes?: 'mixed' | undefined;
}

const splitNames = ['train', 'test'] as const satisfies readonly SplitName[];
const bufferBytes = 2 ** 20;
/** from here on not every whole number is a float32 */
const firstInexactWhole = 2 ** 24;
/** values of a row that may be a flattened picture: 8 × 8 */
const fewestPixels = 64;

export class DatasetWriter {
  readonly rowSize: number;
  readonly #options: WriterOptions;
  readonly #files: Record<SplitName, SplitFile>;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #whole = true;
  /** height and width of each picture that keeps its own */
  readonly #sizes: Record<SplitName, number[]> = { train: [], test: [] };

  private constructor(options: WriterOptions, files: Record<SplitName, SplitFile>) {
    this.#options = options;
    this.#files = files;
    this.rowSize = sizeOf(options.shape);
  }

  static async create(options: WriterOptions): Promise<DatasetWriter> {
    const train = await SplitFile.create(options.folder, 'train');
    const test = await SplitFile.create(options.folder, 'test');
    return new DatasetWriter(options, { train, test });
  }

  rows(split: SplitName): number {
    if (this.#options.sizes) return this.#sizes[split].length / 2;
    return this.#files[split].bytes / (this.rowSize * (this.#options.kind === 'uint8' ? 1 : 4));
  }

  /** Appends whole rows of finite values; uint8 arrays for the kind `uint8`, float32 for the others. */
  async append(split: SplitName, values: RowValues, size?: { height: number; width: number }): Promise<void> {
    this.#observe(values);
    if (size) this.#sizes[split].push(size.height, size.width);
    const file = this.#files[split];
    await file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const total = splitNames.reduce((sum, name) => sum + this.#files[name].bytes, 0);
    if (total > this.#options.maxBytes) {
      throw new HourglassError(
        'invalid-dataset',
        `The rows take more than the ${this.#options.maxBytes} bytes that one data set may have. Upload fewer rows.`,
        { expected: this.#options.maxBytes },
      );
    }
  }

  /** Syncs everything to disk. `labels` are final class numbers, one per row of each split. */
  async finish(labels?: Record<SplitName, Int32Array>, classNames?: readonly string[]): Promise<StoredContent> {
    const { kind, shape } = this.#options;
    const divisor = this.#divisor();
    const narrow = kind === 'whole' && this.#whole && this.#min >= 0 && this.#max <= 255;
    const entry = async (name: SplitName): Promise<SplitEntry> => {
      const rows = this.rows(name);
      const { folder, sizes } = this.#options;
      const sha256 = await this.#files[name].finish(narrow);
      return {
        ...{ rows, sha256 },
        ...(sizes && { sizesSha256: await writeNumbers(folder, `${name}.sizes`, Int32Array.from(this.#sizes[name])) }),
        ...(labels && { labelsSha256: await writeNumbers(folder, `${name}.labels`, labels[name]) }),
      };
    };
    return {
      shape: this.#options.sizes ? [...this.#largest(), shape[2] ?? 1] : [...shape],
      ...(this.#options.sizes && { sizes: this.#options.sizes }),
      dtype: kind === 'uint8' || narrow ? 'uint8' : 'float32',
      divisor,
      range: [Math.fround(this.#min / divisor), Math.fround(this.#max / divisor)],
      ...(classNames && { classNames: [...classNames] }),
      splits: { train: await entry('train'), test: await entry('test') },
    };
  }

  /** height and width */
  #largest(): [number, number] {
    const all = splitNames.flatMap((name) => this.#sizes[name]);
    const largest = (offset: number): number => {
      let most = 1;
      for (let i = offset; i < all.length; i += 2) most = Math.max(most, all[i]!);
      return most;
    };
    return [largest(0), largest(1)];
  }

  /** What the client may not have meant about the values. */
  warnings(): string[] {
    const { kind, shape, scale } = this.#options;
    const warnings: string[] = [];
    const whole = kind !== 'float' && this.#whole;
    const isBytes = this.#min >= 0 && this.#max > 127 && this.#max <= 255;
    if (
      scale === 'auto' &&
      this.#divisor() === 1 &&
      isBytes &&
      (isPicture(shape) || (whole && this.rowSize >= fewestPixels))
    ) {
      warnings.push(
        `The values go from ${this.#min} to ${this.#max} and were kept as they are. If they are pixels, say "scale": "8-bit", which divides them by 255.`,
      );
    }
    if (whole && Math.max(-this.#min, this.#max) >= firstInexactWhole) {
      warnings.push(
        `Some values reach ±${firstInexactWhole}, from where on float32 does not hold every whole number: they may have been rounded. Subtract an offset, or leave out identifiers and times.`,
      );
    }
    return warnings;
  }

  async close(): Promise<void> {
    await Promise.all(splitNames.map((name) => this.#files[name].close()));
  }

  #observe(values: RowValues): void {
    let min = this.#min;
    let max = this.#max;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#min = min;
    this.#max = max;
    if (this.#options.kind === 'whole' && this.#whole) this.#whole = values.every((v) => v === Math.trunc(v));
  }

  #divisor(): 1 | 255 {
    const { scale, kind, shape } = this.#options;
    const fits = this.#min >= 0 && this.#max <= 255;
    switch (scale) {
      case 'none':
        return 1;
      case '8-bit':
        if (fits) return 255;
        throw new HourglassError(
          'invalid-dataset',
          `"scale" is "8-bit", which needs values from 0 to 255, but they go from ${this.#min} to ${this.#max}. Use "none".`,
          { field: 'scale', expected: [0, 255], found: [this.#min, this.#max] },
        );
      case 'auto':
        // By type and shape, not by value: the same kind of upload is always treated alike. Masks of 0 and 1 stay what they are.
        return kind === 'uint8' && isPicture(shape) && this.#max > 1 ? 255 : 1;
      default:
        return scale satisfies never;
    }
  }
}

/** [height, width, 1, 3 or 4]. */
const isPicture = (shape: Shape): boolean => shape.length === 3 && [1, 3, 4].includes(shape[2] ?? 0);

class SplitFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #buffer = new Uint8Array(bufferBytes);
  readonly #hash = createHash('sha256');
  #buffered = 0;
  #written = 0;

  private constructor(file: string, handle: FileHandle) {
    this.#path = file;
    this.#handle = handle;
  }

  static async create(folder: string, split: SplitName): Promise<SplitFile> {
    const file = path.join(folder, `${split}.rows`);
    return new SplitFile(file, await open(file, 'wx+'));
  }

  get bytes(): number {
    return this.#written + this.#buffered;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + bufferBytes - this.#buffered);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      at += part.length;
      if (this.#buffered === bufferBytes) await this.#flush();
    }
  }

  /** Returns the checksum. `narrow` rewrites the file from float32 to uint8. */
  async finish(narrow: boolean): Promise<string> {
    await this.#flush();
    if (narrow) return this.#narrow();
    await this.#handle.sync();
    return this.#hash.digest('hex');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#hash.update(bytes);
    await writeAll(this.#handle, bytes);
    this.#written += bytes.length;
    this.#buffered = 0;
  }

  async #narrow(): Promise<string> {
    const hash = createHash('sha256');
    const narrowed = await open(`${this.#path}.narrow`, 'wx');
    try {
      const floats = new Float32Array(bufferBytes / 4);
      const raw = new Uint8Array(floats.buffer);
      for (let at = 0; at < this.#written; ) {
        const { bytesRead } = await this.#handle.read(raw, 0, Math.min(raw.length, this.#written - at), at);
        const bytes = Uint8Array.from(floats.subarray(0, bytesRead >> 2));
        hash.update(bytes);
        await writeAll(narrowed, bytes);
        at += bytes.length * 4;
      }
      await narrowed.sync();
    } finally {
      await narrowed.close();
    }
    await rename(`${this.#path}.narrow`, this.#path);
    return hash.digest('hex');
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

async function writeNumbers(folder: string, file: string, numbers: Int32Array): Promise<string> {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const handle = await open(path.join(folder, file), 'wx');
  try {
    await writeAll(handle, bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return createHash('sha256').update(bytes).digest('hex');
}
