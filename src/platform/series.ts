/**
 * Counters and histograms as plain numbers, so that recording one value is an addition. They become Prometheus metrics when
 * somebody reads them (metrics.ts).
 */

import { isSampled } from '../base/traceparent.ts';

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

/** One value that a histogram has counted, and the trace in which it came about. */
export interface Exemplar {
  /** as in src/base/traceparent.ts */
  readonly trace: string;
  readonly value: number;
  /** seconds since 1970 */
  readonly at: number;
}

/** One series of a histogram. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** values up to each bound and above the one before; the last counts those beyond all bounds */
  readonly #counts: number[];
  /** the newest of each bucket; made when the first recorded trace comes */
  #exemplars: (Exemplar | undefined)[] | undefined;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  /** `trace` is kept as an example of its bucket when somebody records it. */
  observe(value: number, trace?: string): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
    if (trace === undefined || !isSampled(trace)) return;
    this.#exemplars ??= new Array(bounds.length + 1);
    this.#exemplars[at] = { trace, value, at: Date.now() / 1000 };
  }

  /** Of each bucket, in their order; a bucket without one has none. */
  get exemplars(): readonly (Exemplar | undefined)[] {
    return this.#exemplars ?? [];
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
