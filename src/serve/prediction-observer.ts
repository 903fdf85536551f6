/** What is recorded of waiting, running and answered predictions: limits, metrics, and spans where somebody traces. */

import type { Metrics } from '../platform/metrics.ts';
import type { Operation } from '../registry/manifest.ts';
import type { BatchTraces } from '../telemetry/batches.ts';
import type { BatchObserver, TracedRun } from './batcher.ts';
import type { LaneLimits } from './lane-limits.ts';
import type { ServedLane } from './served-model.ts';

/** Handles of the metrics of one operation, looked up once. */
interface OperationMetrics {
  readonly wait: Histogram;
  readonly run: Histogram;
  readonly batchRows: Histogram;
  readonly rows: ReturnType<Metrics['sum']>;
}
type Histogram = ReturnType<Metrics['distribution']>;

export class PredictionObserver implements BatchObserver<ServedLane> {
  readonly traced: ((lane: ServedLane, run: TracedRun) => void) | undefined;
  readonly #limits: LaneLimits<ServedLane>;
  readonly #metrics: Metrics | undefined;
  readonly #operations = new Map<Operation, OperationMetrics>();

  constructor(limits: LaneLimits<ServedLane>, metrics?: Metrics, traces?: BatchTraces) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.traced = traces && (({ model, operation }, run) => traces.record({ model: model.key, operation, ...run }));
  }

  waiting(requests: number): void {
    this.#metrics?.set('predictionsWaiting', requests);
  }

  waited(lane: ServedLane, seconds: number, inLane: number, trace: string | undefined): void {
    // Only that: what waits before it (gateway/turn-share.ts) has a limit of its own, and two that shrink for one reason refuse too much.
    this.#limits.of(lane).waited(inLane);
    this.#of(lane.operation)?.wait.observe(seconds, trace);
  }

  ran(lane: ServedLane, rows: number, seconds: number, trace: string | undefined): void {
    this.#limits.of(lane).ran(seconds);
    const metrics = this.#of(lane.operation);
    metrics?.run.observe(seconds, trace);
    metrics?.batchRows.observe(rows);
  }

  answered(operation: Operation, rows: number): void {
    this.#of(operation)?.rows.add(rows);
  }

  #of(operation: Operation): OperationMetrics | undefined {
    const known = this.#operations.get(operation);
    const metrics = this.#metrics;
    if (known || !metrics) return known;
    const created = {
      wait: metrics.distribution('stageDuration', { stage: 'wait', operation }),
      run: metrics.distribution('stageDuration', { stage: 'run', operation }),
      batchRows: metrics.distribution('batchRows', { operation }),
      rows: metrics.sum('predictedRows', { operation }),
    };
    this.#operations.set(operation, created);
    return created;
  }
}
