/**
 * A file of a data set in a bucket, read at any place. Chunks are fetched as ranges of shards and kept in the cache of this
 * machine. Whoever has read a part of a file will read the rest, in whatever order: the rest is brought into the cache beside the
 * reading, many chunks with one request.
 */

import { setTimeout as delay } from 'node:timers/promises';
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
/** chunks that stay in memory, for reads of neighbouring rows and for a machine whose disk has no room for a cache */
const keptInMemory = 16;
/** From so many chunks read on, the rest of the file is fetched as well. */
const fillAfter = 8;
/** chunks of one request, and requests at the same time, when the rest is fetched */
const chunksPerRun = 8;
const runsAtOnce = 2;
const retryMs = 2000;
const giveWayMs = 5;

/** SHA-256 of the chunks of a shard. */
export function cut(shard: Uint8Array): string[] {
  const count = Math.ceil(shard.length / chunkBytes);
  return Array.from({ length: count }, (_, i) => sha256Of(shard.subarray(i * chunkBytes, (i + 1) * chunkBytes)));
}

interface Chunk {
  readonly shard: string;
  /** in the shard */
  readonly start: number;
  readonly bytes: number;
  readonly sha256: string;
}

export class BucketRows implements StoredRows {
  readonly bytes: number;
  readonly #objects: Objects;
  readonly #index: FileIndex;
  readonly #memory = new Map<number, Promise<Uint8Array>>();
  /** chunks on their way for the rest of the file; undefined: another process brought it into the cache */
  readonly #coming = new Map<number, Promise<Uint8Array | undefined>>();
  readonly #wanted = new Set<number>();
  /** reads that wait for the bucket */
  #waiting = 0;
  #isFilling = false;
  #isClosed = false;

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
    this.#fillWhenUsed(first, last);
    let next = first;
    const lane = async (): Promise<void> => {
      while (next <= last) await this.#copy(next++, into, position);
    };
    await Promise.all(Array.from({ length: Math.min(fetchedAtOnce, last - first + 1) }, lane));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#memory.clear();
  }

  /** Copies what a chunk has of the bytes from `position` on. */
  async #copy(number: number, into: Uint8Array, position: number): Promise<void> {
    const start = Math.max(position, number * chunkBytes);
    const end = Math.min(position + into.length, (number + 1) * chunkBytes);
    const target = into.subarray(start - position, end - position);
    const offset = start - number * chunkBytes;
    const { sha256 } = this.#chunk(number);
    const coming = this.#coming.get(number);
    const came = coming && (await coming.catch(() => undefined));
    if (came) return target.set(came.subarray(offset, offset + target.length));
    if (!this.#memory.has(number) && (await this.#objects.readCached(sha256, target, offset))) return;
    target.set((await this.#fetch(number)).subarray(offset, offset + target.length));
  }

  #fetch(number: number): Promise<Uint8Array> {
    let chunk = this.#memory.get(number);
    if (!chunk) {
      const { shard, start, bytes, sha256 } = this.#chunk(number);
      this.#waiting++;
      chunk = this.#objects
        .getRange(shard, start, start + bytes, sha256)
        .catch((error) => {
          throw error instanceof GoneError ? new ShortFileError(error.message) : error;
        })
        .finally(() => this.#waiting--);
      chunk.catch(() => this.#memory.delete(number));
    }
    this.#memory.delete(number);
    this.#memory.set(number, chunk);
    const [oldest] = this.#memory.keys();
    if (this.#memory.size > keptInMemory && oldest !== undefined) this.#memory.delete(oldest);
    return chunk;
  }

  /** Starts to fetch the rest when enough was read to expect that all will be, and the cache can hold it. */
  #fillWhenUsed(first: number, last: number): void {
    if (this.#isFilling || !this.#objects.canKeep(this.bytes)) return;
    for (let number = first; number <= last; number++) this.#wanted.add(number);
    if (this.#wanted.size < fillAfter) return;
    this.#isFilling = true;
    this.#wanted.clear();
    const count = Math.ceil(this.bytes / chunkBytes);
    let next = 0;
    const lane = async (): Promise<void> => {
      while (!this.#isClosed && next < count) {
        const run = next;
        next = Math.min(run + chunksPerRun, count);
        // A failure is reported by the read that needs the chunk.
        await this.#fetchRun(run, next).catch(() => delay(retryMs, undefined, { ref: false }));
      }
    };
    for (let i = 0; i < runsAtOnce; i++) void lane();
  }

  /** Brings chunks [first, end) of one shard into the cache, but for those at either end that are there already. */
  async #fetchRun(first: number, end: number): Promise<void> {
    // What a read waits for comes first.
    while (this.#waiting > 0 && !this.#isClosed) await delay(giveWayMs);
    const isThere = (number: number): Promise<boolean> | boolean =>
      this.#memory.has(number) || this.#objects.hasCached(this.#chunk(number).sha256);
    let [from, to] = [first, end];
    while (from < to && (await isThere(from))) from++;
    while (from < to && (await isThere(to - 1))) to--;
    if (from === to || this.#isClosed) return;
    const chunks = Array.from({ length: to - from }, (_, i) => this.#chunk(from + i));
    const [{ shard, start }] = chunks as [Chunk];
    const run = this.#objects.fetchRanges(shard, start, chunks);
    for (let number = from; number < to; number++) {
      const coming = run.then((parts) => parts?.[number - from]);
      coming.catch(() => undefined);
      this.#coming.set(number, coming);
    }
    try {
      await run;
    } finally {
      for (let number = from; number < to; number++) this.#coming.delete(number);
    }
  }

  #chunk(number: number): Chunk {
    const shard = this.#index.shards[Math.floor(number / chunksPerShard)];
    const within = number % chunksPerShard;
    const sha256 = shard?.chunks[within];
    if (!shard || sha256 === undefined) throw new ShortFileError(`the file has no chunk ${number}`);
    const start = within * chunkBytes;
    const end = Math.min(start + chunkBytes, this.bytes - Math.floor(number / chunksPerShard) * shardBytes);
    return { shard: shard.sha256, start, bytes: end - start, sha256 };
  }
}
