/**
 * Spans of one attempt at a job, below the request that submitted it:
 *
 *   POST /v1/jobs ─┬─► queue              from the time it was queued until a worker took it
 *                  └─► attempt ─┬─► data
 *                               ├─► each phase of the training, its epochs as events
 *                               ├─► evaluate
 *                               └─► publish
 */

import { type Attributes, markFailed, type Span, SpanKind, type Tracing, traceparentOf } from './tracing.ts';

export interface AttemptFacts {
  readonly job: string;
  readonly attempt: number;
  /** of whoever submitted it; absent: a new trace begins */
  readonly parent: string | undefined;
  /** when it was queued, in ms since 1970; absent: not known */
  readonly queuedAt: number | undefined;
  readonly attributes: Attributes;
}

export class AttemptTrace {
  readonly #tracing: Tracing;
  readonly #attempt: Span;
  #phase: { readonly name: string; readonly span: Span } | undefined;

  constructor(tracing: Tracing, { job, attempt, parent, queuedAt, attributes: about }: AttemptFacts) {
    this.#tracing = tracing;
    const attributes = { 'hourglass.job.id': job, 'hourglass.job.attempt': attempt, ...about };
    const options = { parent, isRemote: true, attributes };
    const now = Date.now();
    this.#attempt = tracing.start('attempt', { ...options, kind: SpanKind.CONSUMER, start: now });
    if (queuedAt === undefined) return;
    // Without a submitter's trace the queue is part of the attempt's own.
    const above = parent ?? this.traceparent;
    // The time in the record is the Redis server's, whose clock may be ahead of ours.
    tracing.start('queue', { ...options, parent: above, start: Math.min(queuedAt, now) }).end(now);
  }

  get traceparent(): string {
    return traceparentOf(this.#attempt);
  }

  /** The phase that a message of the training process names; the one before has ended. */
  phase(name: string): void {
    if (this.#phase?.name === name) return;
    const now = Date.now();
    this.#endPhase(now);
    if (name === 'done') return;
    const attributes = { 'hourglass.phase': name };
    this.#phase = { name, span: this.#tracing.start(name, { parent: this.traceparent, attributes, start: now }) };
  }

  /** Something that happened at one moment of the phase. */
  event(name: string, attributes: Attributes): void {
    (this.#phase?.span ?? this.#attempt).addEvent(name, attributes);
  }

  /** `failure` of an attempt that failed or died. */
  end(outcome: string, attributes: Attributes, failure?: { readonly reason: string; readonly message: string }): void {
    if (failure && this.#phase) markFailed(this.#phase.span, failure.reason, failure.message);
    const now = Date.now();
    this.#endPhase(now);
    this.#attempt.setAttributes({ 'hourglass.job.outcome': outcome, ...attributes });
    if (failure) markFailed(this.#attempt, failure.reason, failure.message);
    this.#attempt.end(now);
  }

  /** By one clock for all: the library's own measures an end more finely than the next start, which would lie before it. */
  #endPhase(now: number): void {
    this.#phase?.span.end(now);
    this.#phase = undefined;
  }
}
