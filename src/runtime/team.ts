/**
 * A WebAssembly function that several threads run together over one shared memory, each its own part. The caller is one of
 * them and blocks until all are done: parts of some hundred microseconds, where messages would cost more than the work.
 *
 *   caller   turn + 1, wake ──► update(0, n) ──────────────► wait for done = n − 1
 *   thread k      sleep ──────► update(k, n) ──► done + 1, wake ──► sleep
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { HourglassError } from '../base/errors.ts';
import { instantiate, type SharedMemory } from '../base/webassembly.ts';
import { entry } from '../platform/entry.ts';

/** A module that imports `host.memory` and exports this: does part `part` of `parts`. */
export interface PartedModule {
  update(part: number, parts: number): void;
}

/** Words of the control block. */
export const control = { turn: 0, done: 1, words: 2 } as const;

export interface TeamData {
  readonly module: Uint8Array;
  readonly memory: SharedMemory;
  readonly control: SharedArrayBuffer;
  readonly part: number;
  readonly parts: number;
}

/** A part that takes longer means that its thread is gone. */
const patience = 60_000;

export class Team {
  readonly #own: PartedModule;
  readonly #threads: readonly Worker[];
  readonly #control: Int32Array<SharedArrayBuffer>;

  private constructor(own: PartedModule, threads: readonly Worker[], block: SharedArrayBuffer) {
    this.#own = own;
    this.#threads = threads;
    this.#control = new Int32Array(block);
  }

  /** Starts `size` − 1 threads and waits until they are ready. */
  static async start(module: Uint8Array, memory: SharedMemory, size: number): Promise<Team> {
    const block = new SharedArrayBuffer(4 * control.words);
    const threads = Array.from({ length: size - 1 }, (_, i) => {
      const workerData: TeamData = { module, memory, control: block, part: i + 1, parts: size };
      return new Worker(entry(import.meta.url, './team-thread.ts'), { workerData });
    });
    const own = instantiate<PartedModule>(module, { host: { memory } });
    const team = new Team(own, threads, block);
    try {
      await Promise.all(threads.map((thread) => once(thread, 'message')));
    } catch (error) {
      await team.dispose();
      throw error;
    }
    for (const thread of threads) thread.unref();
    return team;
  }

  /** Runs every part. Throws `internal` when a thread does not come back. */
  run(): void {
    const parts = this.#threads.length + 1;
    Atomics.store(this.#control, control.done, 0);
    Atomics.add(this.#control, control.turn, 1);
    Atomics.notify(this.#control, control.turn);
    this.#own.update(0, parts);
    for (;;) {
      const done = Atomics.load(this.#control, control.done);
      if (done === parts - 1) return;
      if (Atomics.wait(this.#control, control.done, done, patience) === 'timed-out') {
        throw new HourglassError('internal', 'A thread of the engine did not come back.');
      }
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}
