/** How many predictions of each model and operation may be in flight: each has a limit of its own, so that none takes the place of others. */

import { AdaptiveLimit, type AdaptiveLimitOptions } from './adaptive-limit.ts';
import { overloadError } from './refusal.ts';

export class LaneLimits<L extends object> {
  readonly #options: AdaptiveLimitOptions;
  readonly #limits = new WeakMap<L, AdaptiveLimit>();

  constructor(options: AdaptiveLimitOptions) {
    this.#options = options;
  }

  of(lane: L): AdaptiveLimit {
    const known = this.#limits.get(lane);
    if (known) return known;
    const limit = new AdaptiveLimit(this.#options);
    this.#limits.set(lane, limit);
    return limit;
  }

  /** Throws `overloaded` where one more would be too many. */
  requireRoom(lane: L): AdaptiveLimit {
    const limit = this.of(lane);
    if (limit.isFull) throw overloadError(limit.inFlight, this.#options.targetMs / 1000);
    return limit;
  }

  /** Counts a prediction until `leave`. Throws `overloaded`. */
  enter(lane: L): AdaptiveLimit {
    const limit = this.requireRoom(lane);
    limit.enter();
    return limit;
  }
}
