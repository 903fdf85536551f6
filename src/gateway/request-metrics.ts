/** Metrics of requests for every transport, with the handles of each route looked up once. */

import type { LabelsOf } from '../platform/metric-table.ts';
import type { Metrics } from '../platform/metrics.ts';

type Transport = LabelsOf<'requests'>['transport'];
type Stage = LabelsOf<'stageDuration'>['stage'];
type Operation = LabelsOf<'stageDuration'>['operation'];
type Counter = ReturnType<Metrics['sum']>;
type Histogram = ReturnType<Metrics['distribution']>;

interface RouteMetrics {
  readonly duration: Histogram;
  /** by how the request ended */
  readonly codes: Map<string, Counter>;
}

/** Routes of the table are few; the rest would be a mistake, and is looked up each time. */
const mostRoutes = 200;

export class RequestMetrics {
  readonly #metrics: Metrics;
  readonly #transport: Transport;
  readonly #inFlight: Counter;
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #stages = new Map<string, Histogram>();

  constructor(metrics: Metrics, transport: Transport) {
    this.#metrics = metrics;
    this.#transport = transport;
    this.#inFlight = metrics.sum('requestsInFlight', { transport });
  }

  begun(): void {
    this.#inFlight.add(1);
  }

  /** A request that was begun is begun again elsewhere. */
  passedOn(): void {
    this.#inFlight.add(-1);
  }

  /** `trace` is the position of the request in its trace, here and below. */
  ended(route: string, code: string, seconds: number, trace?: string): void {
    this.#inFlight.add(-1);
    const { duration, codes } = this.#route(route);
    duration.observe(seconds, trace);
    let counter = codes.get(code);
    if (!counter) {
      counter = this.#metrics.sum('requests', { transport: this.#transport, route, code });
      codes.set(code, counter);
    }
    counter.add();
  }

  stage(stage: Stage, operation: Operation, seconds: number, trace?: string): void {
    const key = `${stage} ${operation}`;
    let histogram = this.#stages.get(key);
    if (!histogram) {
      histogram = this.#metrics.distribution('stageDuration', { stage, operation });
      this.#stages.set(key, histogram);
    }
    histogram.observe(seconds, trace);
  }

  #route(route: string): RouteMetrics {
    const known = this.#routes.get(route);
    if (known) return known;
    const duration = this.#metrics.distribution('requestDuration', { transport: this.#transport, route });
    const created = { duration, codes: new Map() };
    if (this.#routes.size < mostRoutes) this.#routes.set(route, created);
    return created;
  }
}
