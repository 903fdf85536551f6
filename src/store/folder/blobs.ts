/**
 * Blobs on a file system. A group is staged beside the models, synced, and shown by one rename:
 *
 *   <root>/staging/<uuid>/encoder.onnx  ──rename──►  <root>/models/<folder>/<group>/encoder.onnx
 *   <root>/staging/<uuid>               ──rename──►  <root>/models/<folder>/<note>
 *
 * Staging and models must be one file system. A crash leaves whole groups and, at worst, a staged orphan for `sweep`.
 */

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import fsPromises, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { HourglassError } from '../../base/errors.ts';
import type { BlobSource, BlobStore, Listing, OpenBlob, Stage, StoredFile } from '../contract.ts';

/** What the store uses of node:fs/promises; tests inject faults here. */
export type FileSystem = Pick<
  typeof fsPromises,
  'mkdir' | 'open' | 'readdir' | 'readFile' | 'rename' | 'rm' | 'stat' | 'unlink'
>;

/** Directory times may tick this coarsely (FAT: 2 s), so a younger directory can change again under the same time. */
const coarsestTickMs = 2000;

/** read at a time */
const chunkBytes = 64 * 1024;

const keyRule = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export class FolderBlobs implements BlobStore {
  readonly #models: string;
  readonly #staging: string;
  readonly #fs: FileSystem;

  private constructor(root: string, fs: FileSystem) {
    this.#models = path.join(root, 'models');
    this.#staging = path.join(root, 'staging');
    this.#fs = fs;
  }

  /** Creates `root` when it is missing. Throws `storage-full`. */
  static async open(root: string, fs: FileSystem = fsPromises): Promise<FolderBlobs> {
    const store = new FolderBlobs(root, fs);
    await storing(async () => {
      await fs.mkdir(store.#models, { recursive: true });
      await fs.mkdir(store.#staging, { recursive: true });
      await syncFolder(fs, root);
    });
    return store;
  }

  async folders(): Promise<readonly string[]> {
    const entries = await this.#entries(this.#models);
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }

  async list(folder: string): Promise<Listing> {
    const dir = this.#path(folder);
    for (;;) {
      const before = await this.#look(dir);
      if (!before) return { groups: [], notes: [], stamp: undefined };
      const readAt = Date.now();
      const entries = await this.#entries(dir);
      const groups = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
      const notes = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
      const after = await this.#look(dir);
      // The directory changed while we listed it, so the listing may be incomplete: read it again.
      if (after?.stamp !== before.stamp) continue;
      return { groups, notes, stamp: readAt - before.changedAt > coarsestTickMs ? before.stamp : undefined };
    }
  }

  async stamp(folder: string): Promise<string> {
    return (await this.#look(this.#path(folder)))?.stamp ?? 'absent';
  }

  ageMs(): number {
    return 0;
  }

  /** Every look at a directory sees the newest. */
  async refresh(): Promise<void> {}

  async stage(): Promise<Stage> {
    const dir = path.join(this.#staging, randomUUID());
    await storing(() => this.#fs.mkdir(dir));
    return new FolderStage(this.#fs, dir, (folder, group) => this.#show(dir, folder, group));
  }

  async read(folder: string, group: string, blob: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#readIfThere(this.#path(folder, group, blob));
  }

  async open(folder: string, group: string, blob: string): Promise<OpenBlob | undefined> {
    const file = this.#path(folder, group, blob);
    try {
      const handle = await this.#fs.open(file, 'r');
      try {
        const { ino, mtimeNs, size } = await handle.stat({ bigint: true });
        return {
          bytes: Number(size),
          stamp: `${ino}.${mtimeNs}.${size}`,
          chunks: () => chunksOf(handle),
          close: () => handle.close(),
        };
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw unreadable(error);
    }
  }

  async prune(folder: string, group: string, keep: readonly string[]): Promise<void> {
    const dir = this.#path(folder, group);
    for (const blob of await this.#fs.readdir(dir)) {
      if (!keep.includes(blob)) await this.#fs.rm(path.join(dir, blob), { force: true });
    }
  }

  async readNote(folder: string, note: string): Promise<string | undefined> {
    return (await this.#readIfThere(this.#path(folder, note)))?.toString();
  }

  async setNote(folder: string, note: string, text: string, expected?: string): Promise<boolean> {
    if (expected !== undefined && (await this.readNote(folder, note)) !== expected) return false;
    const staged = path.join(this.#staging, randomUUID());
    try {
      await storing(async () => {
        await writeSynced(this.#fs, staged, [Buffer.from(text)]);
        await this.#fs.rename(staged, this.#path(folder, note));
        await syncFolder(this.#fs, this.#path(folder));
      });
    } catch (error) {
      await this.#fs.rm(staged, { force: true }).catch(() => {});
      throw error;
    }
    return true;
  }

  async deleteNote(folder: string, note: string, expected?: string): Promise<boolean> {
    if (expected !== undefined && (await this.readNote(folder, note)) !== expected) return false;
    try {
      await this.#fs.unlink(this.#path(folder, note));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
    await storing(() => syncFolder(this.#fs, this.#path(folder)));
    return true;
  }

  async sweep(ageMs: number): Promise<number> {
    const limit = Date.now() - ageMs;
    let swept = 0;
    for (const name of await this.#fs.readdir(this.#staging)) {
      const staged = path.join(this.#staging, name);
      if ((await this.#newest(staged)) > limit) continue;
      await this.#fs.rm(staged, { recursive: true, force: true });
      swept++;
    }
    return swept;
  }

  async #show(staged: string, folder: string, group: string): Promise<boolean> {
    const target = this.#path(folder, group);
    return storing(async () => {
      await syncFolder(this.#fs, staged);
      const created = await this.#fs.mkdir(path.dirname(target), { recursive: true });
      if (created !== undefined) await syncFolder(this.#fs, this.#models);
      try {
        // fails when the target exists: a group always holds at least one blob
        await this.#fs.rename(staged, target);
      } catch (error) {
        if (await this.#look(target)) return false;
        throw error;
      }
      await syncFolder(this.#fs, path.dirname(target));
      return true;
    });
  }

  #path(...keys: string[]): string {
    const wrong = keys.find((key) => !keyRule.test(key));
    if (wrong !== undefined) throw new TypeError(`${JSON.stringify(wrong)} is not a key`);
    return path.join(this.#models, ...keys);
  }

  async #entries(dir: string): Promise<Dirent[]> {
    try {
      return await this.#fs.readdir(dir, { withFileTypes: true });
    } catch (error) {
      throw unreadable(error);
    }
  }

  async #look(file: string): Promise<{ stamp: string; changedAt: number } | undefined> {
    try {
      const { ino, mtimeNs, mtimeMs } = await this.#fs.stat(file, { bigint: true });
      return { stamp: `${ino}.${mtimeNs}`, changedAt: Number(mtimeMs) };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw unreadable(error);
    }
  }

  async #newest(staged: string): Promise<number> {
    const inside = await this.#fs.readdir(staged).catch(() => []);
    const looks = await Promise.all(
      [staged, ...inside.map((name) => path.join(staged, name))].map((f) => this.#look(f)),
    );
    return Math.max(...looks.map((look) => look?.changedAt ?? 0));
  }

  async #readIfThere(file: string): Promise<Buffer<ArrayBuffer> | undefined> {
    try {
      return await this.#fs.readFile(file);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw unreadable(error);
    }
  }
}

class FolderStage implements Stage {
  readonly #fs: FileSystem;
  readonly #dir: string;
  readonly #show: (folder: string, group: string) => Promise<boolean>;

  constructor(fs: FileSystem, dir: string, show: (folder: string, group: string) => Promise<boolean>) {
    this.#fs = fs;
    this.#dir = dir;
    this.#show = show;
  }

  async write(blob: string, source: BlobSource): Promise<StoredFile> {
    if (!keyRule.test(blob)) throw new TypeError(`${JSON.stringify(blob)} is not a file name of a model version`);
    const hash = createHash('sha256');
    let bytes = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of source instanceof Uint8Array ? [source] : createReadStream(source.file)) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
    await storing(() => writeSynced(this.#fs, path.join(this.#dir, blob), counted()));
    return { path: blob, bytes, sha256: hash.digest('hex') };
  }

  commit(folder: string, group: string): Promise<boolean> {
    return this.#show(folder, group);
  }

  async discard(): Promise<void> {
    await this.#fs.rm(this.#dir, { recursive: true, force: true }).catch(() => {});
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle
      .read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes, at)
      .catch((error: unknown) => {
        throw unreadable(error);
      });
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function writeSynced(
  fs: FileSystem,
  file: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const handle = await fs.open(file, 'w');
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the entries of a directory durable: a rename or unlink is safe only after this. */
async function syncFolder(fs: FileSystem, dir: string): Promise<void> {
  if (process.platform === 'win32') return; // has no handles on directories
  const handle = await fs.open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(error.code as string);

function unreadable(error: unknown): unknown {
  if (!hasCode(error, 'EIO')) return error;
  return new HourglassError('model-corrupt', 'The disk cannot read the stored model.', {}, { cause: error });
}

/** Runs a write; what the disk refuses becomes `storage-full`. */
async function storing<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (hasCode(cause, 'ENOSPC', 'EDQUOT')) {
      const text = 'The model cannot be stored: the disk is full. Free some space and try again; nothing was changed.';
      throw new HourglassError('storage-full', text, {}, { cause });
    }
    if (hasCode(cause, 'EIO', 'EROFS')) {
      const text = 'The model cannot be stored: the disk refuses to write. Earlier versions are unchanged.';
      throw new HourglassError('storage-full', text, {}, { cause });
    }
    throw cause;
  }
}
