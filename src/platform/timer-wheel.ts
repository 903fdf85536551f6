/**
 * Timeouts of many things that nearly always end before them: adding and cancelling one costs next to nothing, because a single
 * interval serves them all. They fire up to one tick late.
 */

export interface Timeout {
  readonly slot: Set<Timeout>;
  readonly fire: () => void;
}

export class TimerWheel {
  readonly #tickMs: number;
  /** by tick: what fires then */
  readonly #slots = new Map<number, Set<Timeout>>();
  #interval: NodeJS.Timeout | undefined;
  #tick = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Calls `fire` once, after `ms` at the earliest and one tick more at the latest. */
  add(ms: number, fire: () => void): Timeout {
    if (!this.#interval) {
      this.#tick = this.#now();
      this.#interval = setInterval(() => this.#advance(), this.#tickMs).unref();
    }
    // The first tick that begins after the time has passed.
    const at = Math.floor((performance.now() + ms) / this.#tickMs) + 1;
    let slot = this.#slots.get(at);
    if (!slot) {
      slot = new Set();
      this.#slots.set(at, slot);
    }
    const timeout = { slot, fire };
    slot.add(timeout);
    return timeout;
  }

  cancel(timeout: Timeout): void {
    timeout.slot.delete(timeout);
  }

  #now = (): number => Math.floor(performance.now() / this.#tickMs);

  #advance(): void {
    const now = this.#now();
    for (; this.#tick <= now; this.#tick++) {
      const due = this.#slots.get(this.#tick);
      this.#slots.delete(this.#tick);
      for (const { fire } of due ?? []) fire();
    }
    if (this.#slots.size > 0) return;
    clearInterval(this.#interval);
    this.#interval = undefined;
  }
}
