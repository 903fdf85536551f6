/**
 * The pool's side of one worker thread: a queue, of which the thread is given one task at a time. So a task that is
 * aborted while it waits never runs, and a thread that ends takes only the task it was running with it: the next one
 * starts a fresh thread, which loads what it needs. A thread that does not come back from a task in time is given up:
 * it gets no more tasks, and ends when it comes back after all.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { HourglassError } from '../base/errors.ts';
import type { SessionOptions } from './session.ts';
import type { ModelParts, ModelShapes, RunRequest, RunResult, ThreadReply, ThreadRequest } from './thread-protocol.ts';

/** A model as the pool is told of it; the files are read when a thread needs them, again if need be. */
export interface ModelSource {
  /** names these exact weights for ever, such as `digits@2` */
  readonly key: string;
  /** size of the files */
  readonly bytes: number;
  read(): Promise<ModelParts>;
}

type Task = () => Promise<void>;
type ReplyOf<T extends ThreadReply['type']> = Extract<ThreadReply, { type: T }>;

function errorOf({ code, message, facts, detail }: ReplyOf<'failed'>): HourglassError {
  return new HourglassError(code, message, facts, detail === undefined ? {} : { cause: new Error(detail) });
}

const crashed = (cause: unknown): HourglassError =>
  new HourglassError('model-crashed', 'The thread that ran the model ended unexpectedly. Try again.', {}, { cause });

const hung = (seconds: number): HourglassError =>
  new HourglassError(
    'model-corrupt',
    `The model did not come back within ${seconds} s and was stopped. Use another version, or send fewer rows.`,
  );

export class ModelThread {
  readonly #script: URL;
  readonly #options: SessionOptions;
  readonly #taskTimeoutMs: number;
  readonly #loaded = new Map<string, ModelShapes>();
  readonly #loading = new Map<string, Promise<ModelShapes>>();
  readonly #queue: Task[] = [];
  #worker: Worker | undefined;
  #settle: { resolve(reply: ThreadReply): void; reject(reason: unknown): void } | undefined;
  #busy = false;
  #askedAt: number | undefined;

  /** A task that takes longer than `taskTimeoutMs` is taken to be hung. */
  constructor(script: URL, options: SessionOptions, taskTimeoutMs: number) {
    this.#script = script;
    this.#options = options;
    this.#taskTimeoutMs = taskTimeoutMs;
  }

  /** tasks that run or wait */
  get outstanding(): number {
    return this.#queue.length + (this.#busy ? 1 : 0);
  }

  /** milliseconds for which the thread has been at its current task; 0 when it has none */
  get atTaskMs(): number {
    return this.#askedAt === undefined ? 0 : performance.now() - this.#askedAt;
  }

  has(key: string): boolean {
    return this.#loaded.has(key);
  }

  /** Reads the files first, while the thread goes on with other tasks. */
  async load(source: ModelSource): Promise<ModelShapes> {
    const { key } = source;
    const known = this.#loaded.get(key) ?? this.#loading.get(key);
    if (known) return known;
    const loading = source.read().then((parts) => this.#enqueue(() => this.#load(key, parts)));
    this.#loading.set(key, loading);
    return loading.finally(() => this.#loading.delete(key));
  }

  /** Takes over `data`. Rejects with the signal's reason when that aborts before the run begins. */
  async run(source: ModelSource, request: Omit<RunRequest, 'model'>, signal?: AbortSignal): Promise<RunResult> {
    for (;;) {
      if (!this.has(source.key)) await this.load(source);
      const result = await this.#enqueue(async () => {
        // unloaded, or lost with its thread, while this waited
        if (!this.has(source.key)) return undefined;
        return this.#ask('ran', { type: 'run', model: source.key, ...request }, [request.data.buffer]);
      }, signal);
      if (result) return result;
    }
  }

  async unload(key: string): Promise<void> {
    await this.#loading.get(key)?.catch(() => {});
    await this.#enqueue(async () => {
      if (this.#loaded.delete(key)) await this.#ask('unloaded', { type: 'unload', model: key });
    });
  }

  /** After the tasks that wait, frees the models and ends the thread. */
  close(): Promise<void> {
    return this.#enqueue(async () => {
      const worker = this.#worker;
      if (!worker) return;
      this.#worker = undefined;
      const ended = once(worker, 'exit');
      worker.postMessage({ type: 'close' } satisfies ThreadRequest);
      await ended;
    });
  }

  async #load(key: string, parts: ModelParts): Promise<ModelShapes> {
    const { shapes } = await this.#ask('loaded', { type: 'load', model: key, parts, options: this.#options });
    this.#loaded.set(key, shapes);
    return shapes;
  }

  #enqueue<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const abort = () => {
        const at = this.#queue.indexOf(task);
        if (at >= 0) this.#queue.splice(at, 1);
        reject(signal?.reason);
      };
      const task: Task = () => {
        signal?.removeEventListener('abort', abort);
        return work().then(resolve, reject);
      };
      signal?.addEventListener('abort', abort);
      this.#queue.push(task);
      if (!this.#busy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let task = this.#queue.shift(); task; task = this.#queue.shift()) await task();
    this.#busy = false;
  }

  #ask<T extends ThreadReply['type']>(
    expected: T,
    request: ThreadRequest,
    transfer: ArrayBuffer[] = [],
  ): Promise<ReplyOf<T>> {
    const answered = new Promise<ReplyOf<T>>((resolve, reject) => {
      this.#settle = {
        resolve(reply) {
          if (reply.type === expected) resolve(reply as ReplyOf<T>);
          else if (reply.type === 'failed') reject(errorOf(reply));
          else reject(new Error(`the thread answered ${reply.type} to ${request.type}`));
        },
        reject,
      };
      this.#worker ??= this.#start();
      this.#worker.postMessage(request, transfer);
    });
    const worker = this.#worker;
    const watchdog = setTimeout(() => this.#abandon(worker), this.#taskTimeoutMs);
    this.#askedAt = performance.now();
    return answered.finally(() => {
      clearTimeout(watchdog);
      this.#askedAt = undefined;
    });
  }

  #start(): Worker {
    // without the parent's arguments, which may name loaders that the build does not need
    const worker = new Worker(this.#script, { execArgv: [], name: 'model' });
    worker.on('message', (reply: ThreadReply) => {
      if (this.#worker === worker) this.#settle?.resolve(reply);
    });
    const end = (cause: unknown) => this.#end(worker, crashed(cause));
    worker.on('error', end);
    worker.on('messageerror', end);
    worker.on('exit', end);
    return worker;
  }

  /**
   * The next task starts another thread. This one is not terminated: it may be in native code, which cannot be stopped, and ONNX
   * Runtime ends the whole process when it comes back to a thread that is being terminated.
   */
  #abandon(worker: Worker | undefined): void {
    if (worker === undefined || this.#worker !== worker) return;
    this.#worker = undefined;
    this.#loaded.clear();
    worker.unref();
    worker.once('message', () => worker.postMessage({ type: 'close' } satisfies ThreadRequest));
    this.#settle?.reject(hung(this.#taskTimeoutMs / 1000));
  }

  /** The next task starts another thread. */
  #end(worker: Worker | undefined, error: HourglassError): void {
    if (worker === undefined || this.#worker !== worker) return;
    this.#worker = undefined;
    this.#loaded.clear();
    this.#settle?.reject(error);
    void worker.terminate();
  }
}
