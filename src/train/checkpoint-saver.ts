/**
 * Saves checkpoints. The training waits for small ones on a local disk: that takes milliseconds, and little work is lost if the process
 * dies. Large ones, and all for a bucket, are saved while the training goes on. One save runs at a time; of the checkpoints that come
 * meanwhile only the newest is kept. While the store is away the training goes on, and the newest checkpoint is tried again with the next.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { HourglassError } from '../base/errors.ts';
import type { NdArrays } from '../base/ndarray.ts';
import type { Checkpoint, Checkpoints, Position } from './checkpoint.ts';

/** How long the end of a training waits for the store, and how often it tries. */
const patienceMs = 120_000;
const retryMs = 2000;
/** Up to this many bytes the training waits for a local save. */
const quickBytes = 4 << 20;
/** Turns of the event loop that a save gets between two chunks; in each one file operation can end and the next begin. */
const turnsPerChunk = 4;

const isUnavailable = (error: unknown): boolean =>
  error instanceof HourglassError && error.code === 'storage-unavailable';

export class CheckpointSaver {
  readonly #checkpoints: Checkpoints;
  readonly #onSaved: (position: Position) => void;
  #next: Checkpoint | undefined;
  #running: Promise<void> | undefined;
  /** what ends the training: it was fenced off, or the store is full */
  #failure: unknown;

  constructor(checkpoints: Checkpoints, onSaved: (position: Position) => void) {
    this.#checkpoints = checkpoints;
    this.#onSaved = onSaved;
  }

  /**
   * Waits until the checkpoint is saved if it is small and the store is local; otherwise returns at once. Throws what this or an
   * earlier save failed with, unless the store was only away.
   */
  async save(checkpoint: Checkpoint): Promise<void> {
    this.#throwFailure();
    this.#next = checkpoint;
    this.#start();
    if (this.#checkpoints.isRemote || bytesOf(checkpoint) > quickBytes) return;
    await this.#running;
    this.#throwFailure();
  }

  /** Called between two chunks of steps, which hold the event loop: lets a running save go on. Throws as `save` does. */
  async advance(): Promise<void> {
    for (let turn = 0; turn < turnsPerChunk && this.#running; turn++) await new Promise(setImmediate);
    this.#throwFailure();
  }

  /** Waits until the newest checkpoint is saved. Throws `storage-unavailable` when the store stays away. */
  async finish({ patience = patienceMs, signal }: { patience?: number; signal?: AbortSignal } = {}): Promise<void> {
    const until = performance.now() + patience;
    for (;;) {
      await this.#running;
      this.#throwFailure();
      if (!this.#next) return;
      if (performance.now() > until || signal?.aborted) {
        throw new HourglassError('storage-unavailable', 'The last checkpoint could not be saved.', { retryAfter: 5 });
      }
      await delay(retryMs, undefined, signal && { signal }).catch(() => undefined);
      this.#start();
    }
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    while (this.#next) {
      const checkpoint = this.#next;
      try {
        await this.#checkpoints.save(checkpoint);
      } catch (error) {
        if (!isUnavailable(error)) this.#failure = error;
        return;
      }
      if (this.#next === checkpoint) this.#next = undefined;
      this.#onSaved(checkpoint.progress.position);
    }
  }
}

function bytesOf({ weights, moments, best }: Checkpoint): number {
  const sections: readonly NdArrays[] = [weights, moments, best];
  return sections.flatMap(Object.values<NdArrays[string]>).reduce((sum, { data }) => sum + data.byteLength, 0);
}
