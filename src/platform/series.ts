/**
 * Counters and histograms as plain numbers, so that recording one value is an addition. They become Prometheus metrics when
 * somebody reads them (metrics.ts).
 */

/** One series of a counter or gauge: adds up what is recorded between two reads. */
export class Sum {
  #pending = 0;

  add(by = 1): void {
    this.#pending += by;
  }

  /** What was added since the last call. */
  take(): number {
    const pending = this.#pending;
    this.#pending = 0;
    return pending;
  }
}

/** One series of a histogram. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** values up to each bound and above the one before; the last counts those beyond all bounds */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Values up to each bound, then all values. */
  cumulative(): number[] {
    let total = 0;
    return this.#counts.map((count) => {
      total += count;
      return total;
    });
  }
}
