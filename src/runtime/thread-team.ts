/**
 * WebAssembly functions that several threads run together over one shared memory, a chunk at a time. The caller is one of
 * them and blocks until all is done: work of some hundred microseconds, where messages would cost more than they bring.
 *
 *   caller   which, next = 0, turn + 1, wake ──► take chunks until there are none ──► wait for finished = all
 *   threads         sleep ─────────────────────► take chunks until there are none ──► sleep
 *
 * Nobody waits for a thread that is slow to wake: what it does not take, others do.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { HourglassError } from '../base/errors.ts';
import { instantiate, type SharedMemory } from '../base/webassembly.ts';
import { entry } from '../platform/entry.ts';

/** What a module that imports `host.memory` exports: each function does part `part` of `parts`, in any order. */
export type PartedModule = Readonly<Record<string, (part: number, parts: number) => void>>;

/** Words of the control block: turns so far, the next chunk to take, chunks that are finished, the function by its number. */
export const control = { turn: 0, next: 1, finished: 2, which: 3, words: 4 } as const;

/** Small enough that the last ones end together, large enough that taking one costs nothing. */
const chunks = 32;

export interface TeamData {
  readonly module: Uint8Array;
  readonly memory: SharedMemory;
  readonly control: SharedArrayBuffer;
  /** of the functions, as `which` counts them */
  readonly names: readonly string[];
}

/** Does chunks of the current turn until all are taken. */
export function takeChunks(
  functions: PartedModule,
  names: readonly string[],
  words: Int32Array<SharedArrayBuffer>,
): void {
  for (;;) {
    const chunk = Atomics.add(words, control.next, 1);
    if (chunk >= chunks) return;
    // the caller changes it only when all chunks are finished
    functions[names[Atomics.load(words, control.which)] as string]?.(chunk, chunks);
    Atomics.add(words, control.finished, 1);
    Atomics.notify(words, control.finished);
  }
}

/** A chunk that takes longer means that its thread is gone. */
const patience = 60_000;
/** Looks for the end before the caller goes to sleep: about as long as a chunk takes. */
const looks = 10_000;

export class ThreadTeam {
  readonly #own: PartedModule;
  readonly #names: readonly string[];
  readonly #threads: readonly Worker[];
  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(own: PartedModule, threads: readonly Worker[], words: Int32Array<SharedArrayBuffer>) {
    this.#own = own;
    this.#names = Object.keys(own);
    this.#threads = threads;
    this.#words = words;
  }

  /** Starts `size` − 1 threads and waits until they are ready. */
  static async start(module: Uint8Array, memory: SharedMemory, size: number): Promise<ThreadTeam> {
    const block = new SharedArrayBuffer(4 * control.words);
    const words = new Int32Array(block);
    words[control.next] = chunks;
    const own = instantiate<PartedModule>(module, { host: { memory } });
    const threads = Array.from({ length: size - 1 }, () => {
      const workerData: TeamData = { module, memory, control: block, names: Object.keys(own) };
      return new Worker(entry(import.meta.url, './thread-team-member.ts'), { workerData });
    });
    const team = new ThreadTeam(own, threads, words);
    try {
      await Promise.all(threads.map((thread) => once(thread, 'message')));
    } catch (error) {
      await team.dispose();
      throw error;
    }
    for (const thread of threads) thread.unref();
    return team;
  }

  /** Runs every part of a function. Throws `internal` when a thread does not come back. */
  run(name: string): void {
    const words = this.#words;
    Atomics.store(words, control.which, this.#names.indexOf(name));
    Atomics.store(words, control.finished, 0);
    Atomics.store(words, control.next, 0);
    Atomics.add(words, control.turn, 1);
    Atomics.notify(words, control.turn);
    takeChunks(this.#own, this.#names, words);
    for (let look = 0; ; look++) {
      const finished = Atomics.load(words, control.finished);
      if (finished === chunks) return;
      if (look < looks) continue;
      if (Atomics.wait(words, control.finished, finished, patience) === 'timed-out') {
        throw new HourglassError('internal', 'A thread of the engine did not come back.');
      }
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}
