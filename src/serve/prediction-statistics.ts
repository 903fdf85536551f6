/** How much each model version has answered since the start of the process; for clients that ask, such as Triton's. */

import type { Operation } from '../registry/manifest.ts';
import type { Prediction } from './predictor.ts';

export interface PredictionStatistics {
  /** `digits@2` */
  readonly model: string;
  readonly operation: Operation;
  requests: number;
  rows: number;
  /** from the question to the answer, of all requests together */
  nanoseconds: number;
  /** end of the last one, in milliseconds since 1970 */
  last: number;
}

/** The least recently added go first. */
const mostEntries = 1000;

export class StatisticsTable {
  /** by `digits@2 encode` */
  readonly #entries = new Map<string, PredictionStatistics>();

  count({ model, version, outputs }: Prediction, operation: Operation, milliseconds: number): void {
    const key = `${model}@${version} ${operation}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { model: `${model}@${version}`, operation, requests: 0, rows: 0, nanoseconds: 0, last: 0 };
      this.#entries.set(key, entry);
      const [oldest] = this.#entries.keys();
      if (this.#entries.size > mostEntries && oldest !== undefined) this.#entries.delete(oldest);
    }
    entry.requests++;
    entry.rows += outputs.shape[0] ?? 0;
    entry.nanoseconds += Math.round(milliseconds * 1e6);
    entry.last = Date.now();
  }

  entries(): IterableIterator<PredictionStatistics> {
    return this.#entries.values();
  }
}
