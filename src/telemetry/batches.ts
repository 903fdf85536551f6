/**
 * Spans of a run that several requests shared, made when it is over:
 *
 *   request A ─┬─► wait ··link··► batch
 *              └─► batch ··links··► request A, request B       the batch stands below its first request
 *                    └─► run
 *   request B ───► wait ··link··► batch
 */

import { isSampled } from '../base/traceparent.ts';
import { type Attributes, markFailed, type Tracing, traceparentOf } from './tracing.ts';

/** One request of a batch. */
export interface BatchedRequest {
  /** its position in its trace; absent: nobody traces it */
  readonly trace: string | undefined;
  /** when it began to wait, on the clock of performance.now() */
  readonly since: number;
}

export interface BatchRun {
  /** `digits@2` */
  readonly model: string;
  readonly operation: string;
  readonly requests: readonly BatchedRequest[];
  readonly rows: number;
  /** of the run, on the clock of performance.now() */
  readonly start: number;
  readonly end: number;
  /** `thread`, or `here` for a run on the event loop */
  readonly where: 'here' | 'thread';
  readonly error?: unknown;
}

type Traced = BatchedRequest & { readonly trace: string };

export class BatchTraces {
  readonly #tracing: Tracing;

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  record({ model, operation, requests, rows, start, end, where, error }: BatchRun): void {
    const traced = requests.filter(
      (request): request is Traced => request.trace !== undefined && isSampled(request.trace),
    );
    const [first] = traced;
    if (!first) return;
    const attributes: Attributes = {
      'hourglass.model': model,
      'hourglass.operation': operation,
      'hourglass.batch.rows': rows,
      'hourglass.batch.requests': requests.length,
    };
    const batch = this.#tracing.start(`batch ${operation}`, {
      ...{ parent: first.trace, attributes },
      start: Math.min(...traced.map(({ since }) => since)),
      links: traced.map(({ trace }) => trace),
    });
    const parent = traceparentOf(batch);
    for (const { trace, since } of traced) {
      const wait = this.#tracing.start('wait', { parent: trace, start: since, links: [parent] });
      wait.end(start);
    }
    const run = this.#tracing.start(`run ${operation}`, {
      ...{ parent, start, attributes: { ...attributes, 'hourglass.run.where': where } },
    });
    if (error !== undefined) {
      const message = error instanceof Error ? error.message : String(error);
      for (const span of [run, batch]) markFailed(span, 'run-failed', message);
    }
    run.end(end);
    batch.end(end);
  }
}
