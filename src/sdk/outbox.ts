/** Frames on a device that is offline at times: kept in order until they are delivered. */

import { ProblemError } from './problem.ts';

/** Where frames wait; `save` gets all of them, oldest first. */
export interface OutboxStorage {
  load(): Promise<readonly Uint8Array[]>;
  save(frames: readonly Uint8Array[]): Promise<void>;
}

export interface OutboxOptions<T> {
  /** such as `(frame) => client.decodeFrame(frame)` */
  readonly send: (frame: Uint8Array) => Promise<T>;
  /** default: memory alone */
  readonly storage?: OutboxStorage;
  readonly onDelivered?: (answer: T, frame: Uint8Array) => void;
  /** a frame that the server will never take, such as one of a deleted version; it is dropped */
  readonly onRefused?: (problem: ProblemError, frame: Uint8Array) => void;
}

export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  #frames: Uint8Array[] = [];
  #loaded: Promise<void> | undefined;
  #flushing: Promise<number> | undefined;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  /** Keeps a frame; it is stored when this resolves. */
  async add(frame: Uint8Array): Promise<void> {
    await this.#load();
    this.#frames.push(frame);
    await this.#save();
  }

  /** Sends until nothing waits or the server cannot be reached. Resolves to how many still wait. */
  flush(): Promise<number> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(): Promise<number> {
    await this.#load();
    const { send, onDelivered, onRefused } = this.#options;
    for (let frame = this.#frames[0]; frame; frame = this.#frames[0]) {
      try {
        const answer = await send(frame);
        onDelivered?.(answer, frame);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        if (error.retryable) return this.#frames.length;
        onRefused?.(error, frame);
      }
      this.#frames.shift();
      await this.#save();
    }
    return 0;
  }

  #load(): Promise<void> {
    this.#loaded ??= (async () => {
      this.#frames = [...((await this.#options.storage?.load()) ?? [])];
    })();
    return this.#loaded;
  }

  async #save(): Promise<void> {
    await this.#options.storage?.save([...this.#frames]);
  }
}
