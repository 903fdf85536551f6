/** Sparse rows as they are stored: ratings of people, counts of words in documents. Read whole at the first use; dense only where they are asked for. */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type SparseMatrix, scatterRow, sparseBytes, sparseFromBytes } from '../base/sparse.ts';
import { ShortFileError, type StoredSet } from '../store/contract.ts';
import type { SparseSplit, SplitName } from './dataset.ts';
import { corrupt, type DatasetManifest } from './manifest.ts';

/** Writes a new file and answers its SHA-256. */
export async function writeSynced(file: string, bytes: Uint8Array): Promise<string> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return createHash('sha256').update(bytes).digest('hex');
}

/** Throws `dataset-corrupt` when the file is missing, cut or changed. */
async function readChecked(set: StoredSet, dataset: string, file: string, sha256: string): Promise<Uint8Array> {
  const opened = await set.open(file);
  if (!opened) throw corrupt(dataset, `${file} is missing`);
  const bytes = new Uint8Array(opened.bytes);
  try {
    await opened.read(bytes, 0);
  } catch (thrown) {
    if (!(thrown instanceof ShortFileError)) throw thrown;
    throw corrupt(dataset, `${file} has been cut`, thrown);
  } finally {
    await opened.close();
  }
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw corrupt(dataset, `${file} does not match its checksum`);
}

/** A stored JSON file, checked against its checksum. */
export async function readFacts<T>(set: StoredSet, dataset: string, file: string, sha256 = ''): Promise<T> {
  return JSON.parse(Buffer.from(await readChecked(set, dataset, file, sha256)).toString()) as T;
}

export interface SparseFileOptions {
  readonly set: StoredSet;
  readonly dataset: string;
  readonly split: SplitName;
  readonly manifest: DatasetManifest;
  /** values that are not 0 */
  readonly entries: number;
}

export class SparseFile implements SparseSplit {
  readonly length: number;
  readonly rowSize: number;
  readonly storedBytes: number;
  readonly inMemory = true;
  readonly #options: SparseFileOptions;
  #matrix: Promise<SparseMatrix> | undefined;
  #labels: Promise<Int32Array | undefined> | undefined;

  constructor(options: SparseFileOptions) {
    const { manifest, split, entries } = options;
    this.#options = options;
    this.length = manifest.splits[split].rows;
    this.rowSize = manifest.shape[0] ?? 0;
    this.storedBytes = sparseBytes(this.length, entries);
  }

  matrix(): Promise<SparseMatrix> {
    this.#matrix ??= this.#read();
    return this.#matrix;
  }

  async readRange(start: number, end: number, out: Float32Array): Promise<void> {
    const matrix = await this.matrix();
    for (let row = start; row < end; row++) scatterRow(matrix, row, out, (row - start) * this.rowSize);
  }

  async readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void> {
    const matrix = await this.matrix();
    for (const [i, row] of rows.entries()) scatterRow(matrix, row, out, i * this.rowSize);
  }

  labels(): Promise<Int32Array | undefined> {
    this.#labels ??= this.#readLabels();
    return this.#labels;
  }

  async #readLabels(): Promise<Int32Array | undefined> {
    const { set, dataset, split, manifest } = this.#options;
    const { labelsSha256, rows } = manifest.splits[split];
    if (labelsSha256 === undefined) return undefined;
    const bytes = await readChecked(set, dataset, `${split}.labels`, labelsSha256);
    if (bytes.length === 4 * rows) return new Int32Array(bytes.slice().buffer);
    throw corrupt(dataset, `${split}.labels has another number of labels than there are rows`);
  }

  async #read(): Promise<SparseMatrix> {
    const { set, dataset, split, manifest, entries } = this.#options;
    const bytes = await readChecked(set, dataset, `${split}.rows`, manifest.splits[split].sha256);
    try {
      return sparseFromBytes(bytes, this.length, this.rowSize, entries);
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      throw corrupt(dataset, `${split}.rows holds ${thrown.message}`, thrown);
    }
  }
}
