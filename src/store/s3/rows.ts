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

/** reads that are worked on at the same time, and chunks of one read */
const readsAtOnce = 8;
const fetchedAtOnce = 8;
/** chunks that stay in memory, for reads of neighbouring rows and for a machine whose disk has no room for a cache */
const keptInMemory = 16;
/** From so many chunks read on, the rest of the file is fetched as well. */
const fillAfter = 8;
/** chunks of one request once all will be fetched, of one shard: a request costs as much as its first few MiB */
const chunksPerRun = 4;
/** requests at the same time for what nobody waits for yet */
const runsAtOnce = 2;
const retryMs = 2000;
const giveWayMs = 5;

const runOf = (chunk: number): number => Math.floor(chunk / chunksPerRun);

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
  /** runs of chunks on their way, by number; the chunks that were missing, by number: none when another process fetches them */
  readonly #runs = new Map<number, Promise<ReadonlyMap<number, Uint8Array>>>();
  readonly #wanted = new Set<number>();
  /** reads that wait for the bucket */
  #waiting = 0;
  #reading = 0;
  /** reads whose turn it is not yet */
  readonly #queue: (() => void)[] = [];
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
    if (this.#reading === readsAtOnce) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#reading++;
    try {
      await this.#readNow(into, position);
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#reading--;
    }
  }

  async #readNow(into: Uint8Array, position: number): Promise<void> {
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
    const coming = this.#runs.get(runOf(number));
    const isThere =
      !coming &&
      !this.#memory.has(number) &&
      (await this.#objects.readCached(this.#chunk(number).sha256, target, offset));
    if (isThere) return;
    const chunk = (coming || this.#isFilling) && (await this.#fromRun(number));
    target.set((chunk || (await this.#fetch(number))).subarray(offset, offset + target.length));
  }

  /** A chunk from the run that brings its neighbours as well; undefined when it has to be fetched alone, and errors told then. */
  async #fromRun(number: number): Promise<Uint8Array | undefined> {
    this.#waiting++;
    try {
      return (await this.#run(runOf(number))).get(number);
    } catch {
      return undefined;
    } finally {
      this.#waiting--;
    }
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
    const count = runOf(Math.ceil(this.bytes / chunkBytes) - 1) + 1;
    let next = 0;
    const lane = async (): Promise<void> => {
      while (!this.#isClosed && next < count) {
        const run = next++;
        // What a read waits for comes first.
        while (this.#waiting > 0 && !this.#isClosed) await delay(giveWayMs);
        // A failure is reported by the read that needs the chunk.
        if (!this.#isClosed) await this.#run(run).catch(() => delay(retryMs, undefined, { ref: false }));
      }
    };
    for (let i = 0; i < runsAtOnce; i++) void lane();
  }

  /** Brings the chunks of a run into the cache, but for those at either end that are there already; answers those it fetched. */
  #run(run: number): Promise<ReadonlyMap<number, Uint8Array>> {
    let coming = this.#runs.get(run);
    if (!coming) {
      coming = this.#fetchRun(run).finally(() => this.#runs.delete(run));
      this.#runs.set(run, coming);
    }
    return coming;
  }

  async #fetchRun(run: number): Promise<ReadonlyMap<number, Uint8Array>> {
    const isThere = (number: number): Promise<boolean> | boolean =>
      this.#memory.has(number) || this.#objects.hasCached(this.#chunk(number).sha256);
    let from = run * chunksPerRun;
    let to = Math.min(from + chunksPerRun, Math.ceil(this.bytes / chunkBytes));
    while (from < to && (await isThere(from))) from++;
    while (from < to && (await isThere(to - 1))) to--;
    if (from === to) return new Map();
    const chunks = Array.from({ length: to - from }, (_, i) => this.#chunk(from + i));
    const [{ shard, start }] = chunks as [Chunk];
    const parts = (await this.#objects.fetchRanges(shard, start, chunks)) ?? [];
    return new Map(parts.map((part, i) => [from + i, part]));
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
