/** Requests to the bucket as metrics: counted where they are made, or gathered by a process that has no metrics of its own. */

import type { Metrics } from '../platform/metrics.ts';
import type { BucketRequest, ObserveRequests } from './contract.ts';

/** Requests of one operation and outcome; `bytes` of all of them together. */
export interface RequestSum extends BucketRequest {
  readonly count: number;
}

export function countRequests(metrics: Metrics, { operation, outcome, count, bytes }: RequestSum): void {
  metrics.count('bucketRequests', count, { operation, outcome });
  if (operation === 'get' || operation === 'put') metrics.count('bucketBytes', bytes, { operation });
}

export const observeInto =
  (metrics: Metrics): ObserveRequests =>
  (request) =>
    countRequests(metrics, { ...request, count: 1 });

/** Gathers requests until they are taken. */
export class RequestTally {
  #sums = new Map<string, RequestSum>();

  readonly observe: ObserveRequests = ({ operation, outcome, bytes }) => {
    const key = `${operation}/${outcome}`;
    const before = this.#sums.get(key) ?? { count: 0, bytes: 0 };
    this.#sums.set(key, { operation, outcome, count: before.count + 1, bytes: before.bytes + bytes });
  };

  take(): RequestSum[] {
    const sums = [...this.#sums.values()];
    this.#sums = new Map();
    return sums;
  }
}
