/**
 * Data sets on a local disk, one folder each. A set is written beside the others and shown by one rename.
 *
 *   <root>/<name>/manifest.json, train.rows, …
 *   <root>/.unfinished-…                          uploads in progress, and sets that are being deleted
 */

import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type DatasetFiles, ShortFileError, type StoredRows, type StoredSet, type Workspace } from '../contract.ts';
import { diskError, isMissing, isUnfinished, makeUnfinished, publish, unpublish, writeSynced } from './disk.ts';

const manifestFile = 'manifest.json';

export class FolderDatasets implements DatasetFiles {
  readonly #root: string;

  /** `root` is made when something is added. */
  constructor(root: string) {
    this.#root = root;
  }

  async names(): Promise<readonly string[]> {
    const names = await readdir(this.#root).catch((thrown) => {
      if (isMissing(thrown)) return [];
      throw thrown;
    });
    return names.filter((name) => !isUnfinished(name)).sort();
  }

  async find(name: string): Promise<StoredSet | undefined> {
    const folder = path.join(this.#root, name);
    try {
      const manifest = await readFile(path.join(folder, manifestFile));
      return { manifest, storedBytes: () => folderBytes(folder), open: (file) => openRows(path.join(folder, file)) };
    } catch (thrown) {
      if (isMissing(thrown)) return undefined;
      throw thrown;
    }
  }

  async workspace(): Promise<Workspace> {
    const folder = await makeUnfinished(this.#root).catch((thrown) => {
      throw diskError(thrown);
    });
    return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
  }

  async add(name: string, folder: string, manifest: Uint8Array): Promise<boolean> {
    try {
      await writeSynced(path.join(folder, manifestFile), manifest);
      return await publish(folder, path.join(this.#root, name));
    } catch (thrown) {
      throw diskError(thrown);
    }
  }

  remove(name: string): Promise<boolean> {
    return unpublish(path.join(this.#root, name));
  }
}

/** Bytes of the files in a folder; 0 when it has gone meanwhile. */
export async function folderBytes(folder: string): Promise<number> {
  try {
    const sizes = (await readdir(folder)).map(async (file) => (await stat(path.join(folder, file))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  } catch (thrown) {
    if (isMissing(thrown)) return 0;
    throw thrown;
  }
}

async function openRows(file: string): Promise<StoredRows | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
  const { size } = await handle.stat();
  return {
    bytes: size,
    read: (into, position) => readExact(handle, into, position),
    close: () => handle.close(),
  };
}

/** A read may return less than asked for, also in the middle of a file. */
async function readExact(handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new ShortFileError(`the file ends at ${position + done}`);
    done += bytesRead;
  }
}
