/**
 * A large file of a data set in a bucket, read by a thread: its requests, checksums and copies go on while the caller computes.
 * The thread starts with the first large file of a process and ends with the last.
 */

import { Worker } from 'node:worker_threads';
import { type ErrorCode, type ErrorFacts, HourglassError } from '../../base/errors.ts';
import { entry } from '../../platform/entry.ts';
import type { FileCacheOptions } from '../cache.ts';
import { type BucketRequest, type ObserveRequests, ShortFileError, type StoredRows } from '../contract.ts';
import type { BucketSettings } from './bucket.ts';
import type { FileIndex } from './rows.ts';

export interface RowsPlace {
  readonly settings: BucketSettings;
  readonly cache: FileCacheOptions;
}

export type ToRowsThread =
  | { readonly type: 'open'; readonly file: number; readonly index: FileIndex }
  | {
      readonly type: 'read';
      readonly id: number;
      readonly file: number;
      readonly position: number;
      readonly length: number;
    }
  | { readonly type: 'close'; readonly file: number };

export type ThreadError =
  | { readonly kind: 'short'; readonly message: string }
  | { readonly kind: 'known'; readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts }
  | { readonly kind: 'unknown'; readonly message: string };

export type FromRowsThread =
  | { readonly type: 'read'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'failed'; readonly id: number; readonly error: ThreadError }
  | { readonly type: 'request'; readonly request: BucketRequest };

interface Reading {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** One thread for all files of one bucket that a process reads. */
class RowsThread {
  readonly #worker: Worker;
  readonly #readings = new Map<number, Reading>();
  readonly #onEnd: () => void;
  #files = 0;
  #numbers = 0;
  #death: Error | undefined;

  constructor(place: RowsPlace, observe: ObserveRequests, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(entry(import.meta.url, './rows-thread.ts'), { workerData: place });
    this.#worker.unref();
    this.#worker.on('message', (message: FromRowsThread) => {
      switch (message.type) {
        case 'read':
          return this.#take(message.id)?.resolve(message.bytes);
        case 'failed':
          return this.#take(message.id)?.reject(errorOf(message.error));
        case 'request':
          return observe(message.request);
        default:
          return message satisfies never;
      }
    });
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (status) => this.#die(new Error(`the thread that reads data sets ended with ${status}`)));
  }

  open(index: FileIndex): number {
    this.#files++;
    const file = ++this.#numbers;
    this.#say({ type: 'open', file, index });
    return file;
  }

  read(file: number, position: number, length: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#death) return reject(this.#death);
      const id = ++this.#numbers;
      // A process must not end while it waits for rows.
      this.#worker.ref();
      this.#readings.set(id, { resolve, reject });
      this.#say({ type: 'read', id, file, position, length });
    });
  }

  async close(file: number): Promise<void> {
    this.#say({ type: 'close', file });
    if (--this.#files > 0) return;
    this.#onEnd();
    await this.#worker.terminate();
  }

  #say(message: ToRowsThread): void {
    this.#worker.postMessage(message);
  }

  #take(id: number): Reading | undefined {
    const reading = this.#readings.get(id);
    this.#readings.delete(id);
    if (this.#readings.size === 0) this.#worker.unref();
    return reading;
  }

  #die(error: Error): void {
    this.#death ??= error;
    this.#onEnd();
    for (const { reject } of this.#readings.values()) reject(this.#death);
    this.#readings.clear();
  }
}

const threads = new Map<string, RowsThread>();

function threadOf(place: RowsPlace, observe: ObserveRequests): RowsThread {
  const key = JSON.stringify(place);
  const running = threads.get(key);
  if (running) return running;
  const started = new RowsThread(place, observe, () => {
    if (threads.get(key) === started) threads.delete(key);
  });
  threads.set(key, started);
  return started;
}

export class ThreadRows implements StoredRows {
  readonly bytes: number;
  readonly #thread: RowsThread;
  readonly #file: number;
  #isClosed = false;

  private constructor(thread: RowsThread, index: FileIndex) {
    this.bytes = index.bytes;
    this.#thread = thread;
    this.#file = thread.open(index);
  }

  static open({ index, ...place }: RowsPlace & { index: FileIndex }, observe: ObserveRequests = () => {}): ThreadRows {
    return new ThreadRows(threadOf(place, observe), index);
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    into.set(await this.#thread.read(this.#file, position, into.length));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#thread.close(this.#file);
  }
}

function errorOf(error: ThreadError): Error {
  switch (error.kind) {
    case 'short':
      return new ShortFileError(error.message);
    case 'known':
      return new HourglassError(error.code, error.message, error.facts);
    case 'unknown':
      return new Error(error.message);
    default:
      return error satisfies never;
  }
}
