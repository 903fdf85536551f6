/** Reads one split of stored ratings: the whole sparse matrix at its first use; rows are written out dense only where they are asked for. */

import { createHash } from 'node:crypto';
import { type SparseMatrix, scatterRow, sparseBytes, sparseFromBytes } from '../base/sparse.ts';
import { ShortFileError, type StoredSet } from '../store/contract.ts';
import type { SparseSplit, SplitName } from './dataset.ts';
import { corrupt, type DatasetManifest } from './manifest.ts';
import type { RatedItem } from './rating-facts.ts';

export interface RatingFileOptions {
  readonly set: StoredSet;
  readonly dataset: string;
  readonly split: SplitName;
  readonly manifest: DatasetManifest;
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

export class RatingFile implements SparseSplit {
  readonly length: number;
  readonly rowSize: number;
  readonly storedBytes: number;
  readonly inMemory = true;
  readonly #options: RatingFileOptions;
  #matrix: Promise<SparseMatrix> | undefined;

  constructor(options: RatingFileOptions) {
    const { manifest, split } = options;
    this.#options = options;
    this.length = manifest.splits[split].rows;
    this.rowSize = manifest.shape[0] ?? 0;
    this.storedBytes = sparseBytes(this.length, manifest.ratings?.[split] ?? 0);
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

  labels(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async #read(): Promise<SparseMatrix> {
    const { set, dataset, split, manifest } = this.#options;
    const bytes = await readChecked(set, dataset, `${split}.rows`, manifest.splits[split].sha256);
    try {
      return sparseFromBytes(bytes, this.length, this.rowSize, manifest.ratings?.[split] ?? 0);
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      throw corrupt(dataset, `${split}.rows holds ${thrown.message}`, thrown);
    }
  }
}

export async function readItems(set: StoredSet, dataset: string, sha256: string): Promise<readonly RatedItem[]> {
  const bytes = await readChecked(set, dataset, 'items.json', sha256);
  return JSON.parse(Buffer.from(bytes).toString()) as RatedItem[];
}
