/**
 * Checkpoints and fences on a local disk.
 *
 *   <root>/<job>/attempts/3                         the fence: an empty file named after the newest attempt
 *   <root>/<job>/run-1/00000042.safetensors         tensors
 *   <root>/<job>/run-1/00000042.json                its manifest, renamed into place last
 *
 * A training step holds the event loop, so each call that waits for another may cost a chunk of steps: `save` makes few.
 *
 * An attempt that finds a higher number in `attempts` was given up by the queue (its worker froze, or was cut off). That works
 * without Redis, on the very storage that it protects.
 */

import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HourglassError } from '../../base/errors.ts';
import { type CheckpointFiles, type Fence, FencedError, type JobFiles } from '../contract.ts';
import { isFull, isMissing, syncFolder } from './disk.ts';

export class FolderJobs implements JobFiles {
  readonly #root: string;

  /** `root` is made when something is written. */
  constructor(root: string) {
    this.#root = root;
  }

  async begin(job: string, attempt: number): Promise<Fence> {
    const fence = new FolderFence(path.join(this.#root, job, 'attempts'), attempt);
    await fence.raise();
    return fence;
  }

  checkpoints(job: string, run: number, fence: Fence): CheckpointFiles {
    return new FolderCheckpoints(path.join(this.#root, job, `run-${run}`), fence);
  }

  async idle(ageMs: number): Promise<readonly string[]> {
    const limit = Date.now() - ageMs;
    const old: string[] = [];
    for (const job of await readdir(this.#root).catch(() => [])) {
      const info = await stat(path.join(this.#root, job)).catch(() => undefined);
      if (info && info.mtimeMs < limit) old.push(job);
    }
    return old;
  }

  async forget(job: string): Promise<void> {
    await rm(path.join(this.#root, job), { recursive: true, force: true });
  }
}

class FolderFence implements Fence {
  readonly #folder: string;
  readonly #attempt: number;

  constructor(folder: string, attempt: number) {
    this.#folder = folder;
    this.#attempt = attempt;
  }

  async raise(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeFile(path.join(this.#folder, String(this.#attempt)), '');
    await this.check();
    for (const earlier of (await this.#attempts()).filter((number) => number < this.#attempt)) {
      await rm(path.join(this.#folder, String(earlier)), { force: true });
    }
  }

  async check(): Promise<void> {
    const newest = Math.max(...(await this.#attempts()));
    if (newest > this.#attempt) throw new FencedError(this.#attempt, newest);
  }

  async #attempts(): Promise<number[]> {
    return (await readdir(this.#folder)).map(Number).filter(Number.isInteger);
  }
}

/** checkpoints of a run that stay */
const kept = 2;
const numbered = (n: number): string => String(n).padStart(8, '0');

/** A checkpoint is two files. Whatever a crash leaves of one is passed over, and removed by the next one. */
export class FolderCheckpoints implements CheckpointFiles {
  readonly isRemote = false;
  readonly #folder: string;
  readonly #fence: Fence | undefined;

  /** `fence`: asked before each write; absent where nobody else writes */
  constructor(folder: string, fence?: Fence) {
    this.#folder = folder;
    this.#fence = fence;
  }

  async numbers(): Promise<readonly number[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const numbers = names.filter((name) => /^\d{8}\.json$/.test(name)).map((name) => Number.parseInt(name, 10));
    return numbers.toSorted((a, b) => b - a);
  }

  manifest(number: number): Promise<Uint8Array | undefined> {
    return this.#read(`${numbered(number)}.json`);
  }

  tensors(number: number): Promise<Uint8Array | undefined> {
    return this.#read(`${numbered(number)}.safetensors`);
  }

  async save(tensors: Uint8Array, manifest: (file: string) => Uint8Array): Promise<void> {
    await Promise.all([this.#fence?.check(), mkdir(this.#folder, { recursive: true })]);
    const number = ((await this.numbers())[0] ?? 0) + 1;
    const [file, about] = [`${numbered(number)}.safetensors`, `${numbered(number)}.json`];
    try {
      await allOrFirstError([this.#writePartial(file, tensors), this.#writePartial(about, manifest(file))]);
      // Again: writing may have taken a while.
      await this.#fence?.check();
      await this.#rename(file);
      await this.#rename(about);
      // If power fails before, there may be a manifest without tensors: it is passed over for the checkpoint before.
      await syncFolder(this.#folder);
    } catch (thrown) {
      await this.#discard(number);
      throw isFull(thrown) ? noRoom(thrown) : thrown;
    }
    await this.#prune();
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(path.join(this.#folder, name));
    } catch (thrown) {
      if (isMissing(thrown)) return undefined;
      throw thrown;
    }
  }

  async #writePartial(name: string, bytes: Uint8Array): Promise<void> {
    const file: FileHandle = await open(path.join(this.#folder, `${name}.partial`), 'w');
    try {
      // In one call: `writeFile` would make one of each half a megabyte.
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
      await file.sync();
    } finally {
      await file.close();
    }
  }

  #rename(name: string): Promise<void> {
    const target = path.join(this.#folder, name);
    return rename(`${target}.partial`, target);
  }

  /** Leaves the newest ones and nothing else, leftovers of crashes included. */
  async #prune(): Promise<void> {
    const stay = new Set((await this.numbers()).slice(0, kept).map(numbered));
    const names = await readdir(this.#folder);
    const go = names.filter((name) => name.endsWith('.partial') || !stay.has(name.slice(0, 8)));
    const remove = (name: string) => rm(path.join(this.#folder, name), { force: true });
    // manifests first: a manifest without its tensors would look damaged
    await Promise.all(go.filter((name) => name.endsWith('.json')).map(remove));
    await Promise.all(go.filter((name) => !name.endsWith('.json')).map(remove));
  }

  async #discard(number: number): Promise<void> {
    for (const end of ['.json', '.json.partial', '.safetensors', '.safetensors.partial']) {
      await rm(path.join(this.#folder, numbered(number) + end), { force: true });
    }
  }
}

/** Waits for all, also when one fails: nothing is written any more when it throws. */
async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(work);
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

const noRoom = (cause: unknown): HourglassError =>
  new HourglassError(
    'storage-full',
    'There is no room for the checkpoint; the one before it is kept. Free some space, then resume.',
    {},
    { cause },
  );
