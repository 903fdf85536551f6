/**
 * Which models changed lately, in one object, so that a gateway asks for one object and not for every model. Written after a
 * change; a writer that dies in between is made up for by the look at everything that every gateway takes from time to time.
 */

import { randomUUID } from 'node:crypto';
import type { BucketClient } from './bucket.ts';

const key = 'changes/models';
const kept = 100;
const tries = 8;

interface Entry {
  readonly id: string;
  readonly folder: string;
}

export class ChangeLog {
  readonly #bucket: BucketClient;
  #etag: string | undefined;
  #lastId: string | undefined;

  constructor(bucket: BucketClient) {
    this.#bucket = bucket;
  }

  /**
   * Folders that changed since the last call; `all` when more has changed than the log holds, when there was no log before, and at the
   * first call, unless there is none: whoever asks first before it lists may pass that over.
   */
  async changed(): Promise<readonly string[] | 'all'> {
    const found = await this.#bucket.getIfChanged(key, this.#etag);
    if (found === 'unchanged') return [];
    if (!found) return this.#etag === undefined ? [] : 'all';
    const entries = parse(found.bytes);
    const seen = entries.findIndex(({ id }) => id === this.#lastId);
    this.#etag = found.etag;
    this.#lastId = entries.at(-1)?.id;
    if (seen < 0) return 'all';
    return [...new Set(entries.slice(seen + 1).map(({ folder }) => folder))];
  }

  /** Never throws: a change that is not in the log is found later. */
  async add(folder: string): Promise<void> {
    try {
      for (let tried = 0; tried < tries; tried++) {
        const found = await this.#bucket.get(key);
        const entries = [...(found ? parse(found.bytes) : []), { id: randomUUID(), folder }].slice(-kept);
        const condition = found ? { etag: found.etag } : ({ absent: true } as const);
        if (await this.#bucket.putIf(key, Buffer.from(JSON.stringify(entries)), condition)) return;
      }
    } catch {
      // see above
    }
  }
}

function parse(bytes: Uint8Array): Entry[] {
  try {
    const entries: unknown = JSON.parse(Buffer.from(bytes).toString());
    return Array.isArray(entries) ? (entries as Entry[]) : [];
  } catch {
    return [];
  }
}
