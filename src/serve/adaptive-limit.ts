/**
 * A limit on requests in flight that follows from how long they wait: above the target it shrinks in proportion, at most to
 * half; while requests reach it and wait for less, it grows by its square root. So a queue is as long as the service
 * is fast, and what would wait for longer is refused at once (docs/decisions/0018-admission.md).
 */

export interface AdaptiveLimitOptions {
  /** requests shall wait about this long, on average, when there are too many */
  readonly targetMs: number;
  /** a limit that does not adapt */
  readonly fixed?: number | null;
  /** default 8 */
  readonly least?: number;
  readonly most: number;
}

/** a decision needs so many waits, over so long */
const leastSamples = 16;
const windowMs = 100;
const firstLimit = 64;
/** Requests of a slow model may wait for some of its runs: for the one in progress, and while rows gather for the next. */
const runsWaited = 4;

export class AdaptiveLimit {
  readonly #options: AdaptiveLimitOptions;
  #limit: number;
  #inFlight = 0;
  /** requests have reached the limit in this window */
  #reached = false;
  #samples = 0;
  #waitedMs = 0;
  #since = performance.now();
  /** of the runs of the model, ms */
  #shortestRun = 0;

  constructor(options: AdaptiveLimitOptions) {
    this.#options = options;
    this.#limit = options.fixed ?? Math.min(options.most, firstLimit);
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether one more would be too many. */
  get isFull(): boolean {
    if (this.#inFlight + 1 <= this.#limit) return false;
    this.#reached = true;
    return true;
  }

  enter(): void {
    this.#inFlight++;
    if (this.#inFlight >= this.limit) this.#reached = true;
  }

  leave(): void {
    this.#inFlight--;
  }

  /** A run of the model took so long. */
  ran(seconds: number): void {
    const ms = seconds * 1000;
    this.#shortestRun = this.#shortestRun === 0 ? ms : Math.min(this.#shortestRun * 1.001, ms);
  }

  /** A request had waited for so long when it was begun. */
  waited(seconds: number): void {
    if (typeof this.#options.fixed === 'number') return;
    this.#samples++;
    this.#waitedMs += seconds * 1000;
    if (this.#samples < leastSamples) return;
    const now = performance.now();
    if (now - this.#since < windowMs) return;
    this.#adapt(this.#waitedMs / this.#samples);
    this.#since = now;
    this.#samples = 0;
    this.#waitedMs = 0;
    this.#reached = this.#inFlight >= this.limit;
  }

  #adapt(meanMs: number): void {
    const { targetMs, least = 8, most } = this.#options;
    const target = Math.max(targetMs, runsWaited * this.#shortestRun);
    if (meanMs > target) this.#limit = Math.max(least, this.#limit * Math.max(0.5, target / meanMs));
    else if (this.#reached) this.#limit = Math.min(most, this.#limit + Math.sqrt(this.#limit));
  }
}
