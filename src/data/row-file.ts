/** Reads one split of a stored data set: from memory when it is small, else row by row from the store. */

import { createHash } from 'node:crypto';
import { sizeOf } from '../base/ndarray.ts';
import { ShortFileError, type StoredRows, type StoredSet } from '../store/contract.ts';
import type { Split, SplitName } from './dataset.ts';
import { corrupt, type DatasetManifest, rowBytes } from './manifest.ts';

type Raw = Uint8Array | Float32Array;

/** bytes converted at a time when reading from the file */
const sliceBytes = 2 ** 20;

export interface RowFileOptions {
  readonly set: StoredSet;
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
  readonly #rows: StoredRows;
  readonly #labels: StoredRows | undefined;
  readonly #toFloat: (raw: Raw, out: Float32Array, at: number) => void;
  #loaded: Promise<Raw> | undefined;
  #loadedLabels: Promise<Int32Array> | undefined;

  private constructor(options: RowFileOptions, rows: StoredRows, labels: StoredRows | undefined) {
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
    const { set, dataset, split, manifest } = options;
    const entry = manifest.splits[split];
    const rows = await openExact(set, dataset, `${split}.rows`, entry.rows * rowBytes(manifest));
    try {
      const labels = entry.labelsSha256 && (await openExact(set, dataset, `${split}.labels`, entry.rows * 4));
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
      await this.#read(this.#rows, slice.subarray(0, wanted), (first + row) * bytesPerRow);
      this.#toFloat(this.#asRaw(slice.subarray(0, wanted)), out, at + row * this.rowSize);
    }
  }

  async #readWhole(handle: StoredRows, file: string, checksum: 'sha256' | 'labelsSha256'): Promise<Uint8Array> {
    const { manifest, dataset, split } = this.#options;
    const bytes = new Uint8Array(handle.bytes);
    await this.#read(handle, bytes, 0);
    if (createHash('sha256').update(bytes).digest('hex') !== manifest.splits[split][checksum]) {
      throw corrupt(dataset, `${file} does not match its checksum`);
    }
    return bytes;
  }

  async #read(handle: StoredRows, into: Uint8Array, position: number): Promise<void> {
    try {
      await handle.read(into, position);
    } catch (thrown) {
      if (!(thrown instanceof ShortFileError)) throw thrown;
      throw corrupt(this.#options.dataset, `a file of the ${this.#options.split} split has been cut`, thrown);
    }
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

async function openExact(set: StoredSet, dataset: string, file: string, bytes: number): Promise<StoredRows> {
  const opened = await set.open(file);
  if (!opened) throw corrupt(dataset, `${file} is missing`);
  if (opened.bytes === bytes) return opened;
  await opened.close();
  throw corrupt(dataset, `${file} has ${opened.bytes} bytes instead of ${bytes}`);
}
