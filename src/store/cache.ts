/**
 * Copies of stored files on this machine's disk, so that what was read once is not fetched again. Any number of processes share
 * one folder. Files are written atomically and checked against their SHA-256 when they are read; the longest unused ones are
 * deleted when the folder takes more than its bytes.
 *
 *   <root>/files/ab/abcdef…     named after the SHA-256 of its content
 *   <root>/named/ab/abcdef…     named after the SHA-256 of its key: 32 bytes of SHA-256, then the content
 *   <root>/locks/abcdef…        a process is fetching that file: others wait for it
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface FileCacheOptions {
  /** made when something is written */
  readonly root: string;
  readonly maxBytes: number;
  /** what is named after its key is another file for each name space; default: none */
  readonly nameSpace?: string;
}

/** The folder shrinks to this share of its bytes when it has grown too large. */
const shrinkTo = 0.9;
/** A file's time of use is written at most this often. */
const touchEveryMs = 60_000;
/** A lock this old was left behind by a process that died. */
const lockStaleMs = 60_000;
const lockPollMs = 20;
/** Checksums are verified at the first use in a process; this many files are remembered as verified. */
const maxVerified = 200_000;

export class FileCache {
  readonly root: string;
  readonly #maxBytes: number;
  readonly #keyPrefix: string;
  /** bytes written by this process since it last measured the folder */
  #grown = 0;
  #measured = 0;
  #shrinking: Promise<void> | undefined;
  readonly #loading = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  readonly #touched = new Map<string, number>();
  readonly #verified = new Set<string>();
  /** folders that are there: one for each first byte of a name */
  readonly #made = new Set<string>();

  constructor({ root, maxBytes, nameSpace }: FileCacheOptions) {
    this.root = root;
    this.#keyPrefix = nameSpace === undefined ? '' : `${nameSpace}\n`;
    this.#maxBytes = maxBytes;
    this.#measured = Number.POSITIVE_INFINITY; // measured at the first write
  }

  /** The file with this SHA-256; fetched by one process of this machine when it is not there. */
  load(sha256: string, fetch: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
    const running = this.#loading.get(sha256);
    if (running) return running;
    const loading = this.#load(sha256, fetch).finally(() => this.#loading.delete(sha256));
    this.#loading.set(sha256, loading);
    return loading;
  }

  /** undefined when it is not there; a damaged copy is deleted. */
  async get(sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = this.#file(sha256);
    const bytes = await readFile(file).catch(() => undefined);
    if (!bytes) return undefined;
    if (digest(bytes).toString('hex') !== sha256) {
      await rm(file, { force: true });
      return undefined;
    }
    this.#noteVerified(sha256);
    void this.#touch(file);
    return bytes;
  }

  /** Bytes [position, position + into.length) of a file; false when it is not there. Its checksum is verified once. */
  async readPart(sha256: string, into: Uint8Array, position: number): Promise<boolean> {
    if (!this.#verified.has(sha256)) {
      const bytes = await this.get(sha256);
      if (bytes) into.set(bytes.subarray(position, position + into.length));
      return bytes !== undefined;
    }
    const file = this.#file(sha256);
    const handle = await open(file, 'r').catch(() => undefined);
    if (!handle) return false;
    try {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
        if (bytesRead === 0) return false;
        done += bytesRead;
      }
    } finally {
      await handle.close();
    }
    void this.#touch(file);
    return true;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Whether there is such a file, be it damaged. */
  async has(sha256: string): Promise<boolean> {
    if (this.#verified.has(sha256)) return true;
    return (await stat(this.#file(sha256)).catch(() => undefined)) !== undefined;
  }

  /** Runs `work` unless another process of this machine does the same at the moment. */
  async unlessBusy(key: string, work: () => Promise<void>): Promise<void> {
    const lock = path.join(this.root, 'locks', digest(Buffer.from(this.#keyPrefix + key)).toString('hex'));
    if (!(await takeLock(lock))) return;
    try {
      await work();
    } finally {
      await rm(lock, { force: true }).catch(() => undefined);
    }
  }

  /** Whether this process has read or written the file and found it whole. */
  isKnown(sha256: string): boolean {
    return this.#verified.has(sha256);
  }

  /** A cache that cannot be written costs time, and nothing else. */
  async put(sha256: string, bytes: Uint8Array): Promise<void> {
    if (await this.#write(this.#file(sha256), bytes)) this.#noteVerified(sha256);
  }

  /** The copy that was kept under a key; undefined when there is none. */
  async getNamed(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = this.#named(key);
    const bytes = await readFile(file).catch(() => undefined);
    if (!bytes || bytes.length < 32 || !digest(bytes.subarray(32)).equals(bytes.subarray(0, 32))) return undefined;
    void this.#touch(file);
    return bytes.subarray(32);
  }

  async putNamed(key: string, bytes: Uint8Array): Promise<void> {
    await this.#write(this.#named(key), Buffer.concat([digest(bytes), bytes]));
  }

  async #load(sha256: string, fetch: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
    const lock = path.join(this.root, 'locks', sha256);
    for (let isLocked = false; !isLocked; ) {
      const cached = await this.get(sha256);
      if (cached) return cached;
      isLocked = await takeLock(lock);
      if (!isLocked) await delay(lockPollMs);
    }
    try {
      // Another process may have finished between the look and the lock.
      const cached = await this.get(sha256);
      if (cached) return cached;
      const bytes = await fetch();
      await this.put(sha256, bytes);
      return bytes;
    } finally {
      await rm(lock, { force: true }).catch(() => undefined);
    }
  }

  async #write(file: string, bytes: Uint8Array): Promise<boolean> {
    if (bytes.length > this.#maxBytes) return false;
    const unfinished = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
    const folder = path.dirname(file);
    try {
      if (!this.#made.has(folder)) await mkdir(folder, { recursive: true });
      this.#made.add(folder);
      await writeFile(unfinished, bytes);
      await rename(unfinished, file);
    } catch {
      // Somebody may have emptied the cache.
      this.#made.delete(folder);
      await rm(unfinished, { force: true }).catch(() => undefined);
      return false;
    }
    this.#grown += bytes.length;
    // Other processes write as well: measure again before this one alone could have passed the limit.
    if (this.#measured + 2 * this.#grown > this.#maxBytes) await this.#shrink();
    return true;
  }

  #shrink(): Promise<void> {
    this.#shrinking ??= this.#shrinkNow()
      .catch(() => undefined)
      .finally(() => {
        this.#shrinking = undefined;
      });
    return this.#shrinking;
  }

  /** Deletes the longest unused files, and what crashed writers left. */
  async #shrinkNow(): Promise<void> {
    const files: { file: string; bytes: number; usedAt: number }[] = [];
    for (const kind of ['files', 'named']) {
      const names = await readdir(path.join(this.root, kind), { recursive: true }).catch(() => []);
      for (const name of names) {
        if (!/^..[/\\]/.test(name)) continue;
        const file = path.join(this.root, kind, name);
        const info = await stat(file).catch(() => undefined);
        if (info?.isFile()) files.push({ file, bytes: info.size, usedAt: info.mtimeMs });
      }
    }
    this.#grown = 0;
    this.#measured = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const limit = Date.now() - lockStaleMs;
    const isLeftOver = ({ file, usedAt }: { file: string; usedAt: number }) =>
      file.endsWith('.partial') && usedAt < limit;
    const isTooMuch = this.#measured > shrinkTo * this.#maxBytes;
    files.sort((a, b) => a.usedAt - b.usedAt);
    for (const entry of files) {
      if (!isLeftOver(entry) && (!isTooMuch || this.#measured <= shrinkTo * this.#maxBytes)) continue;
      if (entry.file.endsWith('.partial') && !isLeftOver(entry)) continue;
      await rm(entry.file, { force: true });
      this.#measured -= entry.bytes;
    }
  }

  async #touch(file: string): Promise<void> {
    const now = Date.now();
    if (now - (this.#touched.get(file) ?? 0) < touchEveryMs) return;
    if (this.#touched.size > maxVerified) this.#touched.clear();
    this.#touched.set(file, now);
    await utimes(file, new Date(now), new Date(now)).catch(() => undefined);
  }

  #noteVerified(sha256: string): void {
    if (this.#verified.size > maxVerified) this.#verified.clear();
    this.#verified.add(sha256);
  }

  #file(sha256: string): string {
    return path.join(this.root, 'files', sha256.slice(0, 2), sha256);
  }

  #named(key: string): string {
    const name = digest(Buffer.from(key)).toString('hex');
    return path.join(this.root, 'named', name.slice(0, 2), name);
  }
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** False while another process has it. A lock whose owner died is taken over; without a disk to write to there is no lock. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(path.dirname(lock), { recursive: true });
    await writeFile(lock, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return true;
    const info = await stat(lock).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > lockStaleMs) await rm(lock, { force: true });
    return false;
  }
}
