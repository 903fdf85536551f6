/**
 * What the rest of the product needs of storage, and no more. `folder/` keeps it on a local disk, `s3/` in a bucket; only they
 * know paths and keys. Every promise that resolves has made its change durable. Any number of processes use one store. What a
 * bucket refuses or does not answer is `storage-unavailable`, whatever the call.
 */

export interface Stores {
  /** published model versions, with their reports and codes */
  readonly versions: BlobStore;
  readonly datasets: DatasetFiles;
  /** where the data sets that come with the product are unpacked: the same for all tenants */
  readonly builtIns: DatasetFiles;
  /** checkpoints of jobs, and the fence that protects them */
  readonly jobs: JobFiles;
  readonly results: ResultCache;
  /** Other machines write to it as well: what is left over is removed by `hourglass collect`, not at each start. */
  readonly isShared: boolean;
  /** Throws `storage-unavailable` when the storage does not answer. */
  ping(): Promise<void>;
  /** names of the tenants that have something stored, but for `default` */
  tenants(): Promise<readonly string[]>;
  /** The same storage for another tenant; what it opens ends with this one. */
  forTenant(tenant: string): Promise<Stores>;
  /** Deletes what nothing points to any more and what is older than the grace time. */
  collect(graceMs: number): Promise<Collected>;
  close(): Promise<void>;
}

export type BucketOperation = 'get' | 'put' | 'head' | 'list' | 'delete';

/** A request to a bucket that has ended, for metrics. */
export interface BucketRequest {
  readonly operation: BucketOperation;
  /** failed: refused or not answered; that there is no such object is an answer */
  readonly outcome: 'ok' | 'failed';
  /** of objects, sent or received */
  readonly bytes: number;
}

export type ObserveRequests = (request: BucketRequest) => void;

export interface Collected {
  readonly deleted: number;
  readonly bytes: number;
}

/** Size and checksum of a stored file. */
export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** In memory, or a file on this machine that is copied. */
export type BlobSource = Uint8Array | { readonly file: string };

/** Blobs on their way into a group; nobody sees them before `commit`. */
export interface Stage {
  /** Writes or replaces a blob; returns its size and checksum. Throws `storage-full`. */
  write(blob: string, source: BlobSource): Promise<StoredFile>;
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

/**
 *   folder ─┬─ group ── blobs        appear all at once, never change, and their key is never free again
 *           ├─ group ── blobs
 *           └─ note  ── short text   replaced or deleted, each atomically
 */
/** A blob that is read in pieces. It must be closed. */
export interface OpenBlob {
  readonly bytes: number;
  /** equal as long as the content cannot have changed */
  readonly stamp: string;
  /** from its beginning; may be asked for several times, one after the other */
  chunks(): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

export interface BlobStore {
  folders(): Promise<readonly string[]>;
  /** groups and notes of a folder; empty when there is none */
  list(folder: string): Promise<Listing>;
  /** Cheap enough for every request. Changes of other machines show after a moment, or after `refresh`. */
  stamp(folder: string): Promise<string>;
  /** Since the medium last confirmed what is answered; 0 where every call asks the medium itself. */
  ageMs(): number;
  /** Looks now: whatever was changed before this call is seen after it. Throws `storage-unavailable`. */
  refresh(folder: string): Promise<void>;
  stage(): Promise<Stage>;
  /** undefined when there is no such blob; throws `model-corrupt` when the medium cannot read it */
  read(folder: string, group: string, blob: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** As `read`, in pieces. */
  open(folder: string, group: string, blob: string): Promise<OpenBlob | undefined>;
  /** Drops all blobs of a group but those in `keep`. */
  prune(folder: string, group: string, keep: readonly string[]): Promise<void>;
  /** undefined when there is none */
  readNote(folder: string, note: string): Promise<string | undefined>;
  /** False, and nothing changed, when the note does not say `expected`. Throws `storage-full`. */
  setNote(folder: string, note: string, text: string, expected?: string): Promise<boolean>;
  /** False, and nothing changed, when there is none or it does not say `expected`. */
  deleteNote(folder: string, note: string, expected?: string): Promise<boolean>;
  /** Removes what crashed writers left behind more than `ageMs` ago; returns how many. */
  sweep(ageMs: number): Promise<number>;
}

/** A file that is read in pieces. */
export interface StoredRows {
  readonly bytes: number;
  /** Fills `into` from the given position on. Throws ShortFileError when the file has been cut. */
  read(into: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

export class ShortFileError extends Error {
  override readonly name = 'ShortFileError';
}

/** One data set as it was when it was looked for: a later one of the same name does not mix in. */
export interface StoredSet {
  readonly manifest: Uint8Array;
  /** of all its files */
  storedBytes(): Promise<number>;
  /** undefined when the set has no such file */
  open(file: string): Promise<StoredRows | undefined>;
}

/** A folder on this machine, in which an upload is parsed. */
export interface Workspace {
  readonly folder: string;
  remove(): Promise<void>;
}

export interface DatasetFiles {
  /** of all sets, sorted */
  names(): Promise<readonly string[]>;
  find(name: string): Promise<StoredSet | undefined>;
  /** Throws `storage-full`. */
  workspace(): Promise<Workspace>;
  /**
   * Adds the files of a folder inside a workspace as a new set, all at once; they may be moved. False, and nothing changed, when
   * the name is taken. Throws `storage-full`.
   */
  add(name: string, folder: string, manifest: Uint8Array): Promise<boolean>;
  /** False when there is none. Readers that have it open are not disturbed. */
  remove(name: string): Promise<boolean>;
}

/** An attempt at a job that was overtaken by a later one. It must not write any more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
  constructor(attempt: number, newest: number) {
    super(`attempt ${attempt} was overtaken by attempt ${newest}`);
  }
}

/** What one attempt at a job may still write. */
export interface Fence {
  /** Throws FencedError when a later attempt has begun. */
  check(): Promise<void>;
}

export interface CheckpointFiles {
  /** Saving takes as long as a network does. */
  readonly isRemote: boolean;
  /** numbers of the checkpoints, newest first */
  numbers(): Promise<readonly number[]>;
  /** undefined when there is none */
  manifest(number: number): Promise<Uint8Array | undefined>;
  /** undefined when there are none */
  tensors(number: number): Promise<Uint8Array | undefined>;
  /**
   * Adds a checkpoint, all of it or nothing, and drops all but the newest two. `manifest` is told what the file of tensors is
   * called. Throws FencedError when a later attempt has begun, and `storage-full`; the older checkpoints are then still there.
   */
  save(tensors: Uint8Array, manifest: (file: string) => Uint8Array): Promise<void>;
}

export interface JobFiles {
  /** Begins an attempt and shuts out all earlier ones. Throws FencedError when a later one has begun. */
  begin(job: string, attempt: number): Promise<Fence>;
  /** checkpoints of one run of a job; they are written only as long as `fence` allows it */
  checkpoints(job: string, run: number, fence: Fence): CheckpointFiles;
  /** jobs that have files, none of them younger than `ageMs` */
  idle(ageMs: number): Promise<readonly string[]>;
  /** Removes all files of a job. */
  forget(job: string): Promise<void>;
}

/** Results that can be computed again, kept on this machine. */
export interface ResultCache {
  /** undefined when it is not there */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Atomic: a reader sees all of it or nothing. */
  write(key: string, bytes: Uint8Array): Promise<void>;
}
