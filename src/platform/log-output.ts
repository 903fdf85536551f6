/**
 * Standard output for many lines: they wait for a moment and are written together. When nobody reads any more, lines are dropped
 * and the process goes on. pino's own output (sonic-boom 4.2) tries a synchronous write again for ever when its reader has ended.
 */

import { writeSync } from 'node:fs';

export interface LogOutputOptions {
  readonly fd: number;
  /** so many bytes are written at once */
  readonly bufferBytes: number;
  /** no line waits longer */
  readonly flushMs: number;
  /** what waits for a slow reader; lines beyond are dropped */
  readonly maxBytes: number;
}

/** a synchronous write waits so long for a slow reader */
const patienceMs = 500;
const retryMs = 20;

const isFull = (error: unknown): boolean => ['EAGAIN', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '');

export class LogOutput {
  readonly #options: LogOutputOptions;
  /** lines, and what a write left of earlier ones */
  #waiting: (string | Buffer)[] = [];
  /** of all that waits; of a line at least its length */
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** the reader has not taken everything: it is tried again when the timer is over */
  #isFull = false;
  /** the last synchronous write ran out of patience: the next ones do not wait */
  #isStuck = false;
  #readerEnded = false;
  #dropped = 0;

  constructor(options: LogOutputOptions) {
    this.#options = options;
    process.on('exit', () => this.flushSync());
  }

  write(line: string): void {
    if (this.#readerEnded) return;
    if (this.#bytes > this.#options.maxBytes) {
      this.#dropped++;
      return;
    }
    this.#add(line);
    if (this.#bytes >= this.#options.bufferBytes && !this.#isFull) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.flushMs).unref();
  }

  /** Writes what waits before it returns, unless the reader is slow. Never throws. */
  flushSync(): void {
    const until = performance.now() + (this.#isStuck ? 0 : patienceMs);
    while (this.#bytes > 0) {
      const all = this.#take();
      try {
        this.#putBack(all.subarray(writeSync(this.#options.fd, all)));
      } catch (error) {
        if (!isFull(error)) return this.#end();
        this.#putBack(all);
        this.#isStuck = performance.now() >= until;
        if (this.#isStuck) return;
        Atomics.wait(pause, 0, 0, retryMs);
      }
    }
  }

  /** Writes what the reader takes at once. A file takes all; a pipe never makes this wait (see log.ts). */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bytes === 0) return;
    const all = this.#take();
    try {
      this.#putBack(all.subarray(writeSync(this.#options.fd, all)));
      this.#goesOn();
    } catch (error) {
      if (!isFull(error)) return this.#end();
      this.#putBack(all);
    }
    this.#isFull = this.#bytes > 0;
    if (this.#isFull) this.#timer = setTimeout(() => this.#flush(), retryMs).unref();
  }

  /** The reader has taken something. */
  #goesOn(): void {
    this.#isStuck = false;
    if (this.#dropped === 0) return;
    const msg = `${this.#dropped} lines of the log were dropped: its reader was too slow`;
    this.#add(`${JSON.stringify({ level: 'warn', time: new Date().toISOString(), pid: process.pid, msg })}\n`);
    this.#dropped = 0;
  }

  #end(): void {
    this.#readerEnded = true;
    this.#waiting = [];
    this.#bytes = 0;
  }

  #add(line: string): void {
    this.#waiting.push(line);
    this.#bytes += line.length;
  }

  #take(): Buffer {
    const parts: Buffer[] = [];
    let lines = '';
    for (const part of this.#waiting) {
      if (typeof part === 'string') lines += part;
      else {
        parts.push(Buffer.from(lines), part);
        lines = '';
      }
    }
    const all = parts.length > 0 ? Buffer.concat([...parts, Buffer.from(lines)]) : Buffer.from(lines);
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }

  #putBack(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#waiting.unshift(rest);
    this.#bytes += rest.length;
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
