/**
 * Model versions in a bucket. A version is one record, written only if there is none; it names content-addressed objects that
 * were stored before it. Small files are inside the record.
 *
 *   models/<folder>/groups/<group>   record: blob → size, SHA-256, content when it is small
 *   models/<folder>/notes/<note>
 *
 * What is in a folder is kept in memory. Reads look again after `holdMs`, and then first at the log of changes: a model that
 * did not change costs no request of its own. While the bucket is away, what was seen last stays true.
 */

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { FileCache } from '../cache.ts';
import type { BlobSource, BlobStore, Listing, Stage, StoredFile } from '../contract.ts';
import type { BucketClient } from './bucket.ts';
import { ChangeLog } from './change-log.ts';
import { FolderLooks } from './folder-looks.ts';
import { type Objects, sha256Of } from './objects.ts';

const keyRule = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Files up to this size are inside the record. */
const inlineBytes = 16 * 1024;
const noteTries = 10;
/** read at a time by `open` */
const pieceBytes = 64 * 1024;

export interface BlobRecord {
  /** tells apart records with the same content, of which one was first */
  readonly writer: string;
  readonly blobs: Readonly<Record<string, BlobEntry>>;
}

interface BlobEntry {
  readonly bytes: number;
  readonly sha256: string;
  /** base64 */
  readonly content?: string;
}

interface OpenedBlob {
  readonly bytes: number;
  /** equal as long as the content cannot have changed */
  readonly stamp: string;
  chunks(): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

export const groupKey = (folder: string, group: string): string => `models/${folder}/groups/${group}`;
const noteKey = (folder: string, note: string): string => `models/${folder}/notes/${note}`;

export class BucketBlobs implements BlobStore {
  readonly #bucket: BucketClient;
  readonly #objects: Objects;
  readonly #cache: FileCache;
  readonly #changes: ChangeLog;
  readonly #looks: FolderLooks;

  constructor(bucket: BucketClient, objects: Objects, cache: FileCache, holdMs: number) {
    this.#bucket = bucket;
    this.#objects = objects;
    this.#cache = cache;
    this.#changes = new ChangeLog(bucket);
    this.#looks = new FolderLooks({ bucket, cache, changes: this.#changes, holdMs });
  }

  folders(): Promise<readonly string[]> {
    return this.#looks.folders();
  }

  async list(folder: string): Promise<Listing> {
    const { groups, notes, stamp } = await this.#looks.at(check(folder));
    return { groups: [...groups.keys()], notes: [...notes.keys()], stamp };
  }

  async stamp(folder: string): Promise<string> {
    return (await this.#looks.at(check(folder))).stamp;
  }

  ageMs(): number {
    return this.#looks.ageMs();
  }

  refresh(folder: string): Promise<void> {
    return this.#looks.refresh(check(folder));
  }

  async stage(): Promise<Stage> {
    return new BucketStage(this.#objects, (folder, group, record) => this.#show(folder, group, record));
  }

  async read(folder: string, group: string, blob: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const entry = await this.#entry(folder, group, blob);
    return entry && this.#content(entry);
  }

  /** As `read`, in pieces; an object that the cache of this machine holds is read from there, piece by piece. */
  async open(folder: string, group: string, blob: string): Promise<OpenedBlob | undefined> {
    const entry = await this.#entry(folder, group, blob);
    // Brings it into the cache.
    const whole = entry && (await this.#content(entry));
    if (!entry || !whole) return undefined;
    const { bytes, sha256 } = entry;
    const isCached = this.#objects.isCached(sha256);
    const memory = isCached ? undefined : whole;
    const piece = async (at: number): Promise<Uint8Array> => {
      if (memory) return memory.subarray(at, at + pieceBytes);
      const into = new Uint8Array(Math.min(pieceBytes, bytes - at));
      if (await this.#objects.readCached(sha256, into, at)) return into;
      return (await this.#objects.get(sha256))?.subarray(at, at + pieceBytes) ?? new Uint8Array();
    };
    return {
      bytes,
      stamp: sha256,
      async *chunks() {
        for (let at = 0; at < bytes; at += pieceBytes) yield await piece(at);
      },
      close: async () => {},
    };
  }

  async prune(folder: string, group: string, keep: readonly string[]): Promise<void> {
    const key = groupKey(check(folder), check(group));
    for (;;) {
      const found = await this.#bucket.get(key);
      if (!found) return;
      const record = parseRecord(found.bytes);
      const entries = Object.entries(record.blobs);
      const kept = entries.filter(([name]) => keep.includes(name));
      if (kept.length === entries.length) return;
      const pruned: BlobRecord = { writer: randomUUID(), blobs: Object.fromEntries(kept) };
      if (await this.#bucket.putIf(key, recordBytes(pruned), { etag: found.etag })) break;
    }
    await this.#changed(folder);
  }

  async readNote(folder: string, note: string): Promise<string | undefined> {
    const key = noteKey(check(folder), check(note));
    const { notes } = await this.#looks.at(folder);
    const etag = notes.get(note);
    if (etag === undefined) return undefined;
    return (await this.#cached(key, etag))?.toString();
  }

  async setNote(folder: string, note: string, text: string, expected?: string): Promise<boolean> {
    const key = noteKey(check(folder), check(note));
    for (let tried = 0; tried < noteTries; tried++) {
      const there = await this.#bucket.get(key);
      if (expected !== undefined && there && Buffer.from(there.bytes).toString() !== expected) return false;
      if (expected !== undefined && !there) return false;
      const condition = there ? { etag: there.etag } : ({ absent: true } as const);
      if ((await this.#bucket.putIf(key, Buffer.from(text), condition)) === undefined) continue;
      await this.#changed(folder);
      return true;
    }
    throw new Error(`the note ${note} of ${folder} is written by too many at once`);
  }

  async deleteNote(folder: string, note: string, expected?: string): Promise<boolean> {
    const key = noteKey(check(folder), check(note));
    const there = await this.#bucket.get(key);
    if (!there) return false;
    if (expected !== undefined && Buffer.from(there.bytes).toString() !== expected) return false;
    const isDeleted = await this.#bucket.deleteIf(key, there.etag);
    await this.#changed(folder);
    return isDeleted;
  }

  /** Left-over objects are deleted by `collect`, which sees all of them. */
  async sweep(): Promise<number> {
    return 0;
  }

  async #show(folder: string, group: string, record: BlobRecord): Promise<boolean> {
    const etag = await this.#bucket.putIf(groupKey(check(folder), check(group)), recordBytes(record), { absent: true });
    this.#looks.mark(folder);
    if (etag === undefined) return false;
    await this.#changed(folder);
    return true;
  }

  async #changed(folder: string): Promise<void> {
    this.#looks.mark(folder);
    await this.#changes.add(folder);
  }

  async #record(folder: string, group: string): Promise<BlobRecord | undefined> {
    const etag = (await this.#looks.at(folder)).groups.get(group);
    const bytes = etag === undefined ? undefined : await this.#cached(groupKey(folder, group), etag);
    return bytes && parseRecord(bytes);
  }

  async #entry(folder: string, group: string, blob: string): Promise<BlobEntry | undefined> {
    check(blob);
    const record = await this.#record(check(folder), check(group));
    return record && Object.hasOwn(record.blobs, blob) ? record.blobs[blob] : undefined;
  }

  async #content({ content, sha256 }: BlobEntry): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (content === undefined) return this.#objects.get(sha256);
    const bytes = Buffer.from(content, 'base64');
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  }

  /** A small object as of this ETag, from the cache of this machine or from the bucket. */
  async #cached(key: string, etag: string): Promise<Buffer | undefined> {
    const name = `${key}\n${etag}`;
    const kept = await this.#cache.getNamed(name);
    if (kept) return Buffer.from(kept);
    const found = await this.#bucket.get(key);
    if (!found) return undefined;
    await this.#cache.putNamed(`${key}\n${found.etag}`, found.bytes);
    return Buffer.from(found.bytes);
  }
}

class BucketStage implements Stage {
  readonly #objects: Objects;
  readonly #show: (folder: string, group: string, record: BlobRecord) => Promise<boolean>;
  readonly #blobs: Record<string, BlobEntry> = {};

  constructor(objects: Objects, show: (folder: string, group: string, record: BlobRecord) => Promise<boolean>) {
    this.#objects = objects;
    this.#show = show;
  }

  async write(blob: string, source: BlobSource): Promise<StoredFile> {
    if (!keyRule.test(blob)) throw new TypeError(`${JSON.stringify(blob)} is not a file name of a model version`);
    const bytes = source instanceof Uint8Array ? source : await readFile(source.file);
    if (bytes.length <= inlineBytes) {
      const content = Buffer.from(bytes).toString('base64');
      this.#blobs[blob] = { bytes: bytes.length, sha256: sha256Of(bytes), content };
    } else {
      this.#blobs[blob] = { bytes: bytes.length, sha256: await this.#objects.put(bytes) };
    }
    const { sha256 } = this.#blobs[blob] as BlobEntry;
    return { path: blob, bytes: bytes.length, sha256 };
  }

  commit(folder: string, group: string): Promise<boolean> {
    return this.#show(folder, group, { writer: randomUUID(), blobs: this.#blobs });
  }

  /** Objects that no record names are deleted by `collect`. */
  async discard(): Promise<void> {}
}

const recordBytes = (record: BlobRecord): Uint8Array => Buffer.from(JSON.stringify(record));
export const parseRecord = (bytes: Uint8Array): BlobRecord => JSON.parse(Buffer.from(bytes).toString()) as BlobRecord;

function check(key: string): string {
  if (!keyRule.test(key)) throw new TypeError(`${JSON.stringify(key)} is not a key`);
  return key;
}
