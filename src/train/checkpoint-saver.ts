/**
 * Saves checkpoints beside the training, which does not wait for disks and networks. One is on its way at a time; of those that come
 * meanwhile only the newest is kept. While the store is away the training goes on, and the newest checkpoint is tried again with
 * the next.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { HourglassError } from '../base/errors.ts';
import type { Checkpoint, Checkpoints, Position } from './checkpoint.ts';

/** How long the end of a training waits for the store, and how often it tries. */
const patienceMs = 120_000;
const retryMs = 2000;
/** Turns of the event loop that a save gets between two chunks: each lets one call of the file system follow another. */
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

  /** Returns at once. Throws what an earlier save failed with, unless the store was only away. */
  add(checkpoint: Checkpoint): void {
    this.#throwFailure();
    this.#next = checkpoint;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Called between chunks, during which nothing else runs: lets a save go on. Throws as `add` does. */
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
      this.add(this.#next);
    }
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
