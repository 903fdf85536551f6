/**
 * The fence of a job's folder: an empty file named after each attempt. An attempt that finds a higher number there was given
 * up by the queue (its worker froze, or was cut off) and must not write any more. It works without Redis, on the very
 * storage that it protects.
 */

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

export class FencedError extends Error {
  override readonly name = 'FencedError';
  constructor(attempt: number, newest: number) {
    super(`attempt ${attempt} was overtaken by attempt ${newest}`);
  }
}

export class Fence {
  readonly #folder: string;
  readonly #attempt: number;

  constructor(jobFolder: string, attempt: number) {
    this.#folder = path.join(jobFolder, 'attempts');
    this.#attempt = attempt;
  }

  /** Shuts out all earlier attempts. Throws FencedError when a later one has begun. */
  async raise(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeFile(path.join(this.#folder, String(this.#attempt)), '');
    await this.check();
    for (const earlier of (await this.#attempts()).filter((number) => number < this.#attempt)) {
      await rm(path.join(this.#folder, String(earlier)), { force: true });
    }
  }

  /** Throws FencedError when a later attempt has begun. */
  async check(): Promise<void> {
    const newest = Math.max(...(await this.#attempts()));
    if (newest > this.#attempt) throw new FencedError(this.#attempt, newest);
  }

  async #attempts(): Promise<number[]> {
    return (await readdir(this.#folder)).map(Number).filter(Number.isInteger);
  }
}
