/** Reads one split of a stored data set: from memory when it is small, else row by row from its file. */

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { sizeOf } from '../base/ndarray.ts';
import type { Split, SplitName } from './dataset.ts';
import { corrupt, type DatasetManifest, rowBytes } from './manifest.ts';

type Raw = Uint8Array | Float32Array;

/** bytes converted at a time when reading from the file */
const sliceBytes = 2 ** 20;

export interface RowFileOptions {
  readonly folder: string;
  readonly dataset: string;
  readonly split: SplitName;
  readonly manifest: DatasetManifest;
  readonly inMemory: boolean;
}

export class RowFile implements Split {
  readonly length: number;
  readonly rowSize: number;
  readonly storedBytes: number;
  readonly inMemory: boolean;
  readonly #options: RowFileOptions;
  readonly #rows: FileHandle;
  readonly #labels: FileHandle | undefined;
  readonly #toFloat: (raw: Raw, out: Float32Array, at: number) => void;
  #loaded: Promise<Raw> | undefined;
  #loadedLabels: Promise<Int32Array> | undefined;

  private constructor(options: RowFileOptions, rows: FileHandle, labels: FileHandle | undefined) {
    const { manifest, split, inMemory } = options;
    this.#options = options;
    this.#rows = rows;
    this.#labels = labels;
    this.length = manifest.splits[split].rows;
    this.rowSize = sizeOf(manifest.shape);
    this.storedBytes = this.length * rowBytes(manifest);
    this.inMemory = inMemory;
    this.#toFloat = converter(manifest.divisor);
  }

  /** Throws `dataset-corrupt` when a file is missing or has another size than the manifest says. */
  static async open(options: RowFileOptions): Promise<RowFile> {
    const { folder, dataset, split, manifest } = options;
    const entry = manifest.splits[split];
    const rows = await openExact(folder, dataset, `${split}.rows`, entry.rows * rowBytes(manifest));
    try {
      const labels = entry.labelsSha256 && (await openExact(folder, dataset, `${split}.labels`, entry.rows * 4));
      return new RowFile(options, rows, labels || undefined);
    } catch (thrown) {
      await rows.close();
      throw thrown;
    }
  }

  async readRange(start: number, end: number, out: Float32Array): Promise<void> {
    this.#checkRow(start, this.length);
    this.#checkRow(end, this.length);
    if (this.inMemory) {
      const raw = await this.#load();
      this.#toFloat(raw.subarray(start * this.rowSize, end * this.rowSize), out, 0);
    } else {
      await this.#readFile(start, Math.max(end - start, 0), out, 0);
    }
  }

  async readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    const { rowSize } = this;
    const raw = this.inMemory ? await this.#load() : undefined;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      this.#checkRow(row, this.length - 1);
      if (raw) this.#toFloat(raw.subarray(row * rowSize, (row + 1) * rowSize), out, i * rowSize);
      else await this.#readFile(row, 1, out, i * rowSize);
    }
  }

  labels(): Promise<Int32Array | undefined> {
    if (!this.#labels) return Promise.resolve(undefined);
    this.#loadedLabels ??= this.#readWhole(this.#labels, `${this.#options.split}.labels`, 'labelsSha256').then(
      (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4),
    );
    return this.#loadedLabels;
  }

  async close(): Promise<void> {
    await Promise.all([this.#rows.close(), this.#labels?.close()]);
  }

  #checkRow(row: number, last: number): void {
    if (row >= 0 && row <= last) return;
    throw new RangeError(`Row ${row} is beyond the ${this.length} rows of the ${this.#options.split} split.`);
  }

  #load(): Promise<Raw> {
    this.#loaded ??= this.#readWhole(this.#rows, `${this.#options.split}.rows`, 'sha256').then((bytes) =>
      this.#asRaw(bytes),
    );
    return this.#loaded;
  }

  #asRaw(bytes: Uint8Array): Raw {
    if (this.#options.manifest.dtype === 'uint8') return bytes;
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }

  async #readFile(first: number, count: number, out: Float32Array, at: number): Promise<void> {
    const bytesPerRow = rowBytes(this.#options.manifest);
    const rowsAtOnce = Math.max(1, Math.min(count, Math.floor(sliceBytes / bytesPerRow)));
    const slice = new Uint8Array(rowsAtOnce * bytesPerRow);
    for (let row = 0; row < count; row += rowsAtOnce) {
      const wanted = Math.min(rowsAtOnce, count - row) * bytesPerRow;
      await readExact(this.#rows, slice.subarray(0, wanted), (first + row) * bytesPerRow, () => this.#shortened());
      this.#toFloat(this.#asRaw(slice.subarray(0, wanted)), out, at + row * this.rowSize);
    }
  }

  async #readWhole(handle: FileHandle, file: string, checksum: 'sha256' | 'labelsSha256'): Promise<Uint8Array> {
    const { manifest, dataset, split } = this.#options;
    const bytes = new Uint8Array((await handle.stat()).size);
    await readExact(handle, bytes, 0, () => this.#shortened());
    if (createHash('sha256').update(bytes).digest('hex') !== manifest.splits[split][checksum]) {
      throw corrupt(dataset, `${file} does not match its checksum`);
    }
    return bytes;
  }

  #shortened(): Error {
    return corrupt(this.#options.dataset, `a file of the ${this.#options.split} split has been cut`);
  }
}

/** stored / divisor, rounded to float32. A table, for the bytes: half the time of dividing. */
function converter(divisor: number): (raw: Raw, out: Float32Array, at: number) => void {
  const table = Float32Array.from({ length: 256 }, (_, byte) => byte / divisor);
  return (raw, out, at) => {
    if (raw instanceof Uint8Array) {
      for (let i = 0; i < raw.length; i++) out[at + i] = table[raw[i]!]!;
    } else if (divisor === 1) {
      out.set(raw, at);
    } else {
      for (let i = 0; i < raw.length; i++) out[at + i] = raw[i]! / divisor;
    }
  };
}

async function openExact(folder: string, dataset: string, file: string, bytes: number): Promise<FileHandle> {
  const handle = await open(path.join(folder, file), 'r').catch((cause) => {
    throw corrupt(dataset, `${file} cannot be opened`, cause);
  });
  const { size } = await handle.stat();
  if (size === bytes) return handle;
  await handle.close();
  throw corrupt(dataset, `${file} has ${size} bytes instead of ${bytes}`);
}

/** A read may return less than asked for, also in the middle of a file. */
async function readExact(handle: FileHandle, into: Uint8Array, position: number, short: () => Error): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw short();
    done += bytesRead;
  }
}
