/**
 * A file of a data set in a bucket, read at any place. Chunks are fetched as ranges of shards and kept in the cache of this
 * machine; where rows are read one after the other, the next chunks are fetched ahead.
 */

import { ShortFileError, type StoredRows } from '../contract.ts';
import { GoneError, type Objects, sha256Of } from './objects.ts';

export const shardBytes = 16 * 2 ** 20;
export const chunkBytes = 2 ** 20;
const chunksPerShard = shardBytes / chunkBytes;

export interface Shard {
  readonly sha256: string;
  /** SHA-256 of each chunk */
  readonly chunks: readonly string[];
}

export interface FileIndex {
  readonly bytes: number;
  readonly shards: readonly Shard[];
}

/** chunks fetched at the same time for one read */
const fetchedAtOnce = 8;
const readAhead = 6;
/** chunks that stay in memory, for reads of neighbouring rows and for a machine whose disk has no room for a cache */
const keptInMemory = 16;

/** SHA-256 of the chunks of a shard. */
export function cut(shard: Uint8Array): string[] {
  const count = Math.ceil(shard.length / chunkBytes);
  return Array.from({ length: count }, (_, i) => sha256Of(shard.subarray(i * chunkBytes, (i + 1) * chunkBytes)));
}

export class BucketRows implements StoredRows {
  readonly bytes: number;
  readonly #objects: Objects;
  readonly #index: FileIndex;
  readonly #memory = new Map<number, Promise<Uint8Array>>();
  #lastChunk = -1;

  constructor(objects: Objects, index: FileIndex) {
    this.#objects = objects;
    this.#index = index;
    this.bytes = index.bytes;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    if (position + into.length > this.bytes) throw new ShortFileError(`the file ends at ${this.bytes}`);
    if (into.length === 0) return;
    const first = Math.floor(position / chunkBytes);
    const last = Math.floor((position + into.length - 1) / chunkBytes);
    let next = first;
    const lane = async (): Promise<void> => {
      while (next <= last) await this.#copy(next++, into, position);
    };
    await Promise.all(Array.from({ length: Math.min(fetchedAtOnce, last - first + 1) }, lane));
    if (first === this.#lastChunk || first === this.#lastChunk + 1) this.#fetchAhead(last + 1);
    this.#lastChunk = last;
  }

  async close(): Promise<void> {
    this.#memory.clear();
  }

  /** Copies what a chunk has of the bytes from `position` on. */
  async #copy(number: number, into: Uint8Array, position: number): Promise<void> {
    const start = Math.max(position, number * chunkBytes);
    const end = Math.min(position + into.length, (number + 1) * chunkBytes);
    const target = into.subarray(start - position, end - position);
    const offset = start - number * chunkBytes;
    const { sha256 } = this.#chunk(number);
    if (!this.#memory.has(number) && (await this.#objects.readCached(sha256, target, offset))) return;
    target.set((await this.#fetch(number)).subarray(offset, offset + target.length));
  }

  #fetch(number: number): Promise<Uint8Array> {
    let chunk = this.#memory.get(number);
    if (!chunk) {
      const { shard, start, end, sha256 } = this.#chunk(number);
      chunk = this.#objects.getRange(shard, start, end, sha256).catch((error) => {
        throw error instanceof GoneError ? new ShortFileError(error.message) : error;
      });
      chunk.catch(() => this.#memory.delete(number));
    }
    this.#memory.delete(number);
    this.#memory.set(number, chunk);
    const [oldest] = this.#memory.keys();
    if (this.#memory.size > keptInMemory && oldest !== undefined) this.#memory.delete(oldest);
    return chunk;
  }

  #fetchAhead(first: number): void {
    const count = Math.ceil(this.bytes / chunkBytes);
    for (let number = first; number < Math.min(first + readAhead, count); number++) {
      if (this.#memory.has(number) || this.#objects.isCached(this.#chunk(number).sha256)) continue;
      // A failure is reported by the read that needs the chunk.
      this.#fetch(number).catch(() => undefined);
    }
  }

  #chunk(number: number): { shard: string; start: number; end: number; sha256: string } {
    const shard = this.#index.shards[Math.floor(number / chunksPerShard)];
    const within = number % chunksPerShard;
    const sha256 = shard?.chunks[within];
    if (!shard || sha256 === undefined) throw new ShortFileError(`the file has no chunk ${number}`);
    const start = within * chunkBytes;
    const end = Math.min(start + chunkBytes, this.bytes - Math.floor(number / chunksPerShard) * shardBytes);
    return { shard: shard.sha256, start, end, sha256 };
  }
}
