/**
 * Models in worker threads, so that the caller's event loop never blocks. Each thread starts with its first model; how many models
 * stay is bounded, and the one unused for longest goes first. A model that is run after it had to go is loaded again.
 * Small models are also loaded on the caller's own thread (`loadHere`), where a run costs no way to a thread and back.
 *
 *   run ──► the thread with the fewest tasks ──► queue ──► session of the model in that thread
 */

import { HourglassError } from '../base/errors.ts';
import { entry } from '../platform/entry.ts';
import type { HereRun } from './bound-chain.ts';
import { LoadedModel } from './loaded-model.ts';
import { type ModelSource, ModelThread } from './model-thread.ts';
import { type SessionOptions, takeDenormalsAsZero } from './session.ts';
import type { ModelParts, ModelShapes, RunRequest, RunResult } from './thread-protocol.ts';

export type { HereRun } from './bound-chain.ts';
export type { ModelSource } from './model-thread.ts';
export type { ModelParts, ModelShapes, PartShapes, RunResult } from './thread-protocol.ts';

export interface PoolOptions {
  /** worker threads */
  readonly threads: number;
  /** how each of them runs a model */
  readonly session?: SessionOptions;
  /** models kept in memory */
  readonly maxModels: number;
  /** memory for them, counted as twice the file size (weights and their packed copy) per thread; the last one may exceed it */
  readonly maxBytes?: number;
  /** a thread that is at one task for longer is hung: it is given up, the task fails with `model-corrupt`; default 60,000 */
  readonly taskTimeoutMs?: number;
  /** told when a model is dropped to make room */
  readonly onEvict?: (key: string) => void;
  /** the compiled src/runtime/thread.ts, unless a test puts something in front of it */
  readonly script?: URL;
}

export class ModelPool {
  readonly #threads: readonly ModelThread[];
  readonly #options: PoolOptions;
  /** bytes of each model that is or is becoming loaded, the longest unused first */
  readonly #resident = new Map<string, number>();
  #bytes = 0;
  /** models that are loaded on this thread as well */
  readonly #here = new Map<string, LoadedModel>();
  #closing: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    const script = options.script ?? entry(import.meta.url, './thread.ts');
    takeDenormalsAsZero();
    this.#options = options;
    this.#threads = Array.from(
      { length: options.threads },
      () => new ModelThread(script, options.session ?? {}, options.taskTimeoutMs ?? 60_000),
    );
  }

  /** number of runs that can go on at once */
  get threads(): number {
    return this.#threads.length;
  }

  /** threads that have been at one task for longer than `ms` */
  slowThreads(ms: number): number {
    return this.#threads.filter((thread) => thread.atTaskMs > ms).length;
  }

  /** models in memory */
  get loaded(): number {
    return this.#resident.size;
  }

  /**
   * Loads a model into one thread and runs it there once; the others load it when a run comes to them, or with `loadEverywhere`.
   * Throws what `source.read` throws, `model-corrupt`, `shutting-down`.
   */
  load(source: ModelSource): Promise<ModelShapes> {
    return this.#loadInto(source, this.#threads.slice(0, 1));
  }

  /** Loads a model into every thread, one after the other: the rest goes on with other models. Throws as `load` does. */
  async loadEverywhere(source: ModelSource): Promise<void> {
    await this.#loadInto(source, this.#threads);
  }

  async #loadInto(source: ModelSource, threads: readonly ModelThread[]): Promise<ModelShapes> {
    this.#use(source);
    try {
      let parts: Promise<ModelParts> | undefined;
      const read = () => {
        parts ??= source.read();
        return parts;
      };
      let shapes: ModelShapes = {};
      for (const thread of threads) shapes = await thread.load({ key: source.key, bytes: source.bytes, read });
      return shapes;
    } catch (error) {
      await this.unload(source.key);
      throw error;
    }
  }

  /**
   * Runs parts of a model on rows; takes over `request.data`. An abort before the run begins rejects with the signal's
   * reason. Throws `model-crashed` when the thread dies meanwhile, `shutting-down`.
   */
  async run(source: ModelSource, request: Omit<RunRequest, 'model'>, signal?: AbortSignal): Promise<RunResult> {
    this.#use(source);
    const cost = (thread: ModelThread) => thread.outstanding + (thread.has(source.key) ? 0 : 0.5);
    const thread = this.#threads.reduce((best, next) => (cost(next) < cost(best) ? next : best));
    return thread.run(source, request, signal);
  }

  /**
   * Loads a model, which the threads have already, on this thread as well; it blocks while ONNX Runtime reads the files. Throws
   * what `source.read` throws, `model-corrupt`.
   */
  async loadHere(source: ModelSource): Promise<void> {
    if (this.#here.has(source.key)) return;
    const files = await source.read();
    // Unloaded while its files were read.
    if (!this.#resident.has(source.key) || this.#here.has(source.key) || this.#closing) return;
    this.#here.set(source.key, LoadedModel.load(files, this.#options.session ?? {}));
    this.#use(source);
  }

  /** A run of a model on this thread; undefined when it is not loaded here. To be run before anything else happens. */
  prepareHere(source: ModelSource, chain: readonly string[], rows: number): HereRun | undefined {
    const model = this.#here.get(source.key);
    if (!model) return undefined;
    this.#use(source);
    return model.prepare(chain, rows);
  }

  /** Drops a model from memory after the runs that wait for it. */
  async unload(key: string): Promise<void> {
    this.#bytes -= this.#resident.get(key) ?? 0;
    this.#resident.delete(key);
    this.#here.get(key)?.dispose();
    this.#here.delete(key);
    await Promise.all(this.#threads.map((thread) => thread.unload(key)));
  }

  /** Finishes what is waiting, then ends the threads. */
  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#threads.map((thread) => thread.close())).then(() => {
      for (const model of this.#here.values()) model.dispose();
      this.#here.clear();
    });
    return this.#closing;
  }

  /** Counts the model as just used and makes room for it. */
  #use({ key, bytes }: ModelSource): void {
    if (this.#closing) throw new HourglassError('shutting-down', 'The server is stopping. Try again in a moment.');
    const cost = 2 * bytes * (this.threads + (this.#here.has(key) ? 1 : 0));
    this.#bytes += cost - (this.#resident.get(key) ?? 0);
    this.#resident.delete(key);
    this.#resident.set(key, cost);
    const { maxModels, maxBytes = Number.POSITIVE_INFINITY, onEvict } = this.#options;
    while (this.#resident.size > 1 && (this.#resident.size > maxModels || this.#bytes > maxBytes)) {
      const [oldest] = this.#resident.keys();
      // the threads do it when it is its turn; there is nobody to tell of a thread that died meanwhile
      this.unload(oldest as string).catch(() => {});
      onEvict?.(oldest as string);
    }
  }
}
