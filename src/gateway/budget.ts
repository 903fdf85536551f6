/** A bounded amount of something that requests share, such as memory for their bodies or places for event streams. */

import { HourglassError } from '../base/errors.ts';

export class Budget {
  readonly #limit: number;
  readonly #what: string;
  readonly #changed: (used: number) => void;
  #used = 0;

  /** `what` is in the plural, for messages; `changed` is told of each change. */
  constructor(limit: number, what: string, changed: (used: number) => void = () => {}) {
    this.#limit = limit;
    this.#what = what;
    this.#changed = changed;
  }

  get used(): number {
    return this.#used;
  }

  /** Throws `overloaded` when so much is not left. What was taken must be given back. */
  take(amount: number): void {
    if (this.#used + amount > this.#limit) {
      throw new HourglassError('overloaded', `Too many ${this.#what} at once. Try again in a moment.`, {
        retryAfter: 1,
      });
    }
    this.#used += amount;
    this.#changed(this.#used);
  }

  giveBack(amount: number): void {
    this.#used -= amount;
    this.#changed(this.#used);
  }
}
