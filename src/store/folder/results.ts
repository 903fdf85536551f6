/** Results that can be computed again, one file each. */

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ResultCache } from '../contract.ts';

export class FolderResults implements ResultCache {
  readonly #root: string;

  /** `root` is made when something is written. */
  constructor(root: string) {
    this.#root = root;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return readFile(path.join(this.#root, key)).catch(() => undefined);
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const file = path.join(this.#root, key);
    const unfinished = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
    await mkdir(this.#root, { recursive: true });
    try {
      await writeFile(unfinished, bytes);
      await rename(unfinished, file);
    } finally {
      await rm(unfinished, { force: true });
    }
  }
}
