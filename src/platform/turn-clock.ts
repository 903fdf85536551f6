/**
 * Since when the current turn of the event loop has been at work, counted from the first question in it. What was read from
 * sockets in one turn had arrived about when the turn began, so this is also since when it waits.
 */

export class TurnClock {
  #began: number | undefined;

  /** As `performance.now()` tells it. */
  get began(): number {
    if (this.#began === undefined) {
      this.#began = performance.now();
      setImmediate(this.end);
    }
    return this.#began;
  }

  /** What follows has been put aside since `began`. To be ended by `end`. */
  resume(began: number): void {
    this.#began = began;
  }

  readonly end = (): void => {
    this.#began = undefined;
  };
}

/** There is one event loop. */
export const turnClock = new TurnClock();
