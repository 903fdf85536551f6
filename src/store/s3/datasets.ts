/**
 * Data sets in a bucket. A set is one record, written only if there is none. Its files are cut into shards, content-addressed
 * objects, and read by ranges: one chunk, with a checksum of its own, at a time, through the cache of this machine.
 *
 *   datasets/<name>        record: manifest, and per file its bytes and the object with its index
 *   deleted/<name>-<id>    the record of a deleted set: jobs that began before may still read it
 */

import { randomUUID } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { DatasetFiles, StoredRows, StoredSet, Workspace } from '../contract.ts';
import { diskError, makeUnfinished } from '../folder/disk.ts';
import type { BucketClient } from './bucket.ts';
import type { Objects } from './objects.ts';
import { BucketRows, cut, type FileIndex, type Shard, shardBytes } from './rows.ts';

export const datasetPrefix = 'datasets/';
export const deletedPrefix = 'deleted/';
const manifestFile = 'manifest.json';
/** shards that are stored at the same time */
const storedAtOnce = 3;

/** Starting a thread costs as much as reading some 50 MiB. */
const largeFileBytes = 64 * 2 ** 20;

export interface BucketDatasetOptions {
  readonly bucket: BucketClient;
  readonly objects: Objects;
  /** a folder of this machine for uploads, made when it is needed */
  readonly scratch: string;
  /** opens a large file, to be read in a thread */
  readonly inThread: (index: FileIndex) => StoredRows;
  /** what is large; default 64 MiB */
  readonly threadFromBytes?: number;
}

export interface DatasetRecord {
  readonly writer: string;
  readonly manifest: string;
  /** name → SHA-256 of the object with its FileIndex */
  readonly files: Readonly<Record<string, string>>;
}

export class BucketDatasets implements DatasetFiles {
  readonly #bucket: BucketClient;
  readonly #objects: Objects;
  readonly #scratch: string;
  readonly #inThread: (index: FileIndex) => StoredRows;
  readonly #threadFromBytes: number;

  constructor({ bucket, objects, scratch, inThread, threadFromBytes = largeFileBytes }: BucketDatasetOptions) {
    this.#bucket = bucket;
    this.#objects = objects;
    this.#scratch = scratch;
    this.#inThread = inThread;
    this.#threadFromBytes = threadFromBytes;
  }

  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { key } of this.#bucket.list(datasetPrefix)) names.push(key.slice(datasetPrefix.length));
    return names.sort();
  }

  async find(name: string): Promise<StoredSet | undefined> {
    const found = await this.#bucket.get(datasetPrefix + name);
    if (!found) return undefined;
    const { manifest, files } = parseDataset(found.bytes);
    return {
      manifest: Buffer.from(manifest),
      storedBytes: async () => {
        const indexes = await Promise.all(Object.values(files).map((index) => this.#index(index)));
        return indexes.reduce((sum, index) => sum + (index?.bytes ?? 0), found.bytes.length);
      },
      open: (file) => this.#open(files[file]),
    };
  }

  async workspace(): Promise<Workspace> {
    const folder = await makeUnfinished(this.#scratch).catch((thrown) => {
      throw diskError(thrown);
    });
    return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
  }

  async add(name: string, folder: string, manifest: Uint8Array): Promise<boolean> {
    const files: Record<string, string> = {};
    for (const file of await readdir(folder)) {
      if (file !== manifestFile) files[file] = await this.#store(path.join(folder, file));
    }
    const record: DatasetRecord = { writer: randomUUID(), manifest: Buffer.from(manifest).toString(), files };
    const body = Buffer.from(JSON.stringify(record));
    return (await this.#bucket.putIf(datasetPrefix + name, body, { absent: true })) !== undefined;
  }

  async remove(name: string): Promise<boolean> {
    const found = await this.#bucket.get(datasetPrefix + name);
    if (!found) return false;
    await this.#bucket.put(`${deletedPrefix}${name}-${randomUUID()}`, found.bytes);
    return this.#bucket.deleteIf(datasetPrefix + name, found.etag);
  }

  async #open(index: string | undefined): Promise<StoredRows | undefined> {
    const file = await this.#index(index);
    if (!file) return undefined;
    return file.bytes < this.#threadFromBytes ? new BucketRows(this.#objects, file) : this.#inThread(file);
  }

  async #index(index: string | undefined): Promise<FileIndex | undefined> {
    const bytes = index === undefined ? undefined : await this.#objects.get(index);
    return bytes && (JSON.parse(Buffer.from(bytes).toString()) as FileIndex);
  }

  /** Stores a file shard by shard; returns the SHA-256 of its index. */
  async #store(file: string): Promise<string> {
    const { size } = await stat(file);
    const shards: Shard[] = [];
    const handle = await open(file, 'r');
    try {
      const store = async (number: number): Promise<void> => {
        const bytes = new Uint8Array(Math.min(shardBytes, size - number * shardBytes));
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await handle.read(bytes, done, bytes.length - done, number * shardBytes + done);
          if (bytesRead === 0) throw new Error(`${file} was cut while it was stored`);
          done += bytesRead;
        }
        shards[number] = { sha256: await this.#objects.put(bytes), chunks: cut(bytes) };
      };
      let next = 0;
      const count = Math.ceil(size / shardBytes);
      const lane = async (): Promise<void> => {
        while (next < count) await store(next++);
      };
      await Promise.all(Array.from({ length: storedAtOnce }, lane));
    } finally {
      await handle.close();
    }
    const index: FileIndex = { bytes: size, shards };
    return this.#objects.put(Buffer.from(JSON.stringify(index)));
  }
}

export const parseDataset = (bytes: Uint8Array): DatasetRecord =>
  JSON.parse(Buffer.from(bytes).toString()) as DatasetRecord;
