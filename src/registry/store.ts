/**
 * What the registry needs of a storage, and no more; it knows nothing of models.
 *
 *   folder ─┬─ group ── blobs        appear all at once, never change, and their key is never free again
 *           ├─ group ── blobs
 *           └─ note  ── short text   replaced or deleted, each atomically
 *
 * Every promise that resolves has made its change durable. Several processes use one store at the same time.
 */

import type { FileEntry } from './manifest.ts';

/** In memory, or a file on this machine that is copied. */
export type BlobSource = Uint8Array | { readonly file: string };

/** Blobs on their way into a group; nobody sees them before `commit`. */
export interface Stage {
  /** Writes or replaces a blob; returns its size and checksum. Throws `storage-full`. */
  write(blob: string, source: BlobSource): Promise<FileEntry>;
  /** Shows the blobs as that group, all at once; false, and nothing changed, when the group exists. Throws `storage-full`. */
  commit(folder: string, group: string): Promise<boolean>;
  /** Frees what was not committed. Never throws. */
  discard(): Promise<void>;
}

export interface Listing {
  readonly groups: readonly string[];
  /** names only: there may be many, and most say all with their name */
  readonly notes: readonly string[];
  /** equals a later `stamp` as long as nothing has changed; undefined when that cannot be promised yet */
  readonly stamp: string | undefined;
}

export interface BlobStore {
  folders(): Promise<readonly string[]>;
  /** groups and notes of a folder; empty when there is none */
  list(folder: string): Promise<Listing>;
  /** cheap enough for every request */
  stamp(folder: string): Promise<string>;
  stage(): Promise<Stage>;
  /** undefined when there is no such blob; throws `model-corrupt` when the medium cannot read it */
  read(folder: string, group: string, blob: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Drops all blobs of a group but those in `keep`. */
  prune(folder: string, group: string, keep: readonly string[]): Promise<void>;
  /** undefined when there is none */
  readNote(folder: string, note: string): Promise<string | undefined>;
  /** throws `storage-full` */
  setNote(folder: string, note: string, text: string): Promise<void>;
  /** no error when there is none */
  deleteNote(folder: string, note: string): Promise<void>;
  /** Removes what crashed writers left behind more than `ageMs` ago; returns how many. */
  sweep(ageMs: number): Promise<number>;
}
