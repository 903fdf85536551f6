/**
 * Shares the event loop among clients: requests of one turn are handled at once for as long as `turnMs` allows; the rest
 * waits for the next turns, in which clients take turns, too. So sockets are read and probes answered in between, however
 * much arrives at a time.
 */

import { turnClock } from '../../platform/turn-clock.ts';
import { FairQueue } from '../fair-queue.ts';

const defaultTurnMs = 5;
/** callbacks planned at a time; each runs one job, with all that follows from it in the same turn */
const mostPlanned = 64;

export class TurnShare {
  readonly #turnMs: number;
  readonly #waiting = new FairQueue<() => void>();
  #planned = 0;
  #began = 0;

  constructor(turnMs = defaultTurnMs) {
    this.#turnMs = turnMs;
  }

  /** Runs `job` now, or in a later turn. */
  run(client: string, job: () => void): void {
    if (this.#waiting.size === 0 && performance.now() - turnClock.began < this.#turnMs) return job();
    this.defer(client, job);
  }

  /** Runs `job` in a later turn. */
  defer(client: string, job: () => void): void {
    this.#waiting.push(client, job);
    if (this.#planned === 0) this.#plan();
  }

  #plan(): void {
    this.#planned = Math.min(this.#waiting.size, mostPlanned);
    this.#began = 0;
    // One callback a job: Node runs what follows from a job, such as the parsing of its body, before the next callback.
    for (let i = 0; i < this.#planned; i++) setImmediate(this.#next);
  }

  readonly #next = (): void => {
    const now = performance.now();
    const isFirst = this.#began === 0;
    if (isFirst) this.#began = now;
    this.#planned--;
    try {
      if (isFirst || now - this.#began < this.#turnMs) this.#waiting.shift()?.();
    } finally {
      if (this.#planned === 0 && this.#waiting.size > 0) this.#plan();
    }
  };
}
