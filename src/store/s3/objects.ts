/**
 * Content-addressed objects: `objects/ab/<sha256>`. The same content is stored once, an object never changes, and nobody points
 * to it until the record that names it is written. What no record names is deleted by `collect` after a grace time; whoever
 * writes an object that is there already makes it young again, so that it is not deleted before its record is there.
 */

import { createHash, webcrypto } from 'node:crypto';
import { HourglassError } from '../../base/errors.ts';
import type { FileCache } from '../cache.ts';
import type { BucketClient } from './bucket.ts';

export const objectPrefix = 'objects/';

const keyOf = (sha256: string): string => `${objectPrefix}${sha256.slice(0, 2)}/${sha256}`;
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** The same in another thread: this one has more to read meanwhile. */
const sha256Beside = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex');

/** An object younger than this is not written again. Must be well below the shortest grace time of `collect`. */
const youngMs = 10 * 60_000;
export const shortestGraceMs = 60 * 60_000;

/** share of the cache that one file may fill in advance */
const roomShare = 0.8;

/** A piece of an object that has a checksum of its own. */
export interface Range {
  readonly bytes: number;
  readonly sha256: string;
}

export class Objects {
  readonly #bucket: BucketClient;
  readonly #cache: FileCache;

  constructor(bucket: BucketClient, cache: FileCache) {
    this.#bucket = bucket;
    this.#cache = cache;
  }

  /** Stores content; returns its SHA-256. Throws `storage-unavailable`, `storage-full`. */
  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = sha256Of(bytes);
    const there = await this.#bucket.head(keyOf(sha256));
    // An object from the future was dated by another clock: better write it again than rely on its age.
    const isYoung = there !== undefined && Math.abs(Date.now() - there.modifiedAt) < youngMs;
    if (!isYoung || there.bytes !== bytes.length) await this.#bucket.put(keyOf(sha256), bytes);
    return sha256;
  }

  /** Whole and equal to its checksum, from the cache of this machine or from the bucket; undefined when it is gone. */
  async get(sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await this.#cache.load(sha256, () => this.#fetch(sha256, keyOf(sha256)));
    } catch (error) {
      if (error instanceof GoneError) return undefined;
      throw error;
    }
  }

  /**
   * Bytes [start, end) of an object, which have a checksum of their own. The cache of this machine keeps them under it.
   * Throws `storage-unavailable`, GoneError, DamagedError.
   */
  getRange(sha256: string, start: number, end: number, rangeSha256: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#cache.load(rangeSha256, () => this.#fetch(rangeSha256, keyOf(sha256), [start, end]));
  }

  /**
   * Brings neighbouring ranges of an object into the cache with one request, those with a right checksum; returns them. Undefined
   * when another process of this machine is doing so.
   */
  async fetchRanges(sha256: string, start: number, ranges: readonly Range[]): Promise<Uint8Array[] | undefined> {
    const end = ranges.reduce((at, { bytes }) => at + bytes, start);
    let parts: Uint8Array[] | undefined;
    await this.#cache.unlessBusy(`${sha256} ${start}`, async () => {
      const found = await this.#bucket.get(keyOf(sha256), [start, end]);
      if (!found) throw new GoneError(keyOf(sha256));
      let at = 0;
      const keep = async ({ bytes, sha256: expected }: Range): Promise<Uint8Array> => {
        const part = found.bytes.subarray(at, at + bytes);
        at += bytes;
        if ((await sha256Beside(part)) !== expected) throw new DamagedError(keyOf(sha256));
        await this.#cache.put(expected, part);
        return part;
      };
      parts = await Promise.all(ranges.map(keep));
    });
    return parts;
  }

  /** Whether the cache of this machine has room for so much. */
  canKeep(bytes: number): boolean {
    return bytes < roomShare * this.#cache.maxBytes;
  }

  /** Whether the cache of this machine has the range, be it damaged. */
  hasCached(rangeSha256: string): Promise<boolean> {
    return this.#cache.has(rangeSha256);
  }

  /** Copies bytes of a range that the cache of this machine has; false when it has not. */
  readCached(rangeSha256: string, into: Uint8Array, offset: number): Promise<boolean> {
    return this.#cache.readPart(rangeSha256, into, offset);
  }

  /** Whether the range was in the cache when it was last read or written by this process. */
  isCached(rangeSha256: string): boolean {
    return this.#cache.isKnown(rangeSha256);
  }

  /** What arrives damaged is asked for once more. */
  async #fetch(sha256: string, key: string, range?: readonly [number, number]): Promise<Uint8Array<ArrayBuffer>> {
    for (let tried = 1; ; tried++) {
      const found = await this.#bucket.get(key, range);
      if (!found) throw new GoneError(key);
      if ((await sha256Beside(found.bytes)) === sha256) return found.bytes;
      if (tried === 2) throw new DamagedError(key);
    }
  }
}

/** The object is not in the bucket. */
export class GoneError extends Error {
  override readonly name = 'GoneError';
}

/** The object is not what its checksum says. */
export class DamagedError extends HourglassError {
  constructor(key: string) {
    super(
      'model-corrupt',
      'The bucket holds damaged data. Use another version, or train and publish it again.',
      {},
      {
        cause: new Error(`${key} does not match its SHA-256`),
      },
    );
  }
}
