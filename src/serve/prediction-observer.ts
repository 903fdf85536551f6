/** What is recorded of waiting, running and answered predictions: metrics, and spans where somebody traces. */

import type { Metrics } from '../platform/metrics.ts';
import type { Operation } from '../registry/manifest.ts';
import type { BatchTraces } from '../telemetry/batches.ts';
import type { BatchObserver, TracedRun } from './batcher.ts';
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
  readonly #metrics: Metrics;
  readonly #operations = new Map<Operation, OperationMetrics>();

  constructor(metrics: Metrics, traces?: BatchTraces) {
    this.#metrics = metrics;
    this.traced = traces && (({ model, operation }, run) => traces.record({ model: model.key, operation, ...run }));
  }

  waiting(requests: number): void {
    this.#metrics.set('predictionsWaiting', requests);
  }

  waited({ operation }: ServedLane, seconds: number, trace: string | undefined): void {
    this.#of(operation).wait.observe(seconds, trace);
  }

  ran({ operation }: ServedLane, rows: number, seconds: number, trace: string | undefined): void {
    const { run, batchRows } = this.#of(operation);
    run.observe(seconds, trace);
    batchRows.observe(rows);
  }

  answered(operation: Operation, rows: number): void {
    this.#of(operation).rows.add(rows);
  }

  #of(operation: Operation): OperationMetrics {
    const known = this.#operations.get(operation);
    if (known) return known;
    const metrics = this.#metrics;
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
