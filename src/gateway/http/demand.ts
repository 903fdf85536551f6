/**
 * Whether the answer to a prediction is still wanted: the client is there and its time is not over. Asking costs nothing; the
 * signal with its timer and listeners is made only where something has to wait.
 */

import type { ServerResponse } from 'node:http';
import { HourglassError } from '../../base/errors.ts';
import type { ByteBudget } from '../byte-budget.ts';
import { cancellation, late, orAborted } from './cancellation.ts';
import { clientGone, reserveAnswer } from './read-body.ts';

export class Demand {
  readonly #response: ServerResponse;
  readonly #limitMs: number;
  readonly #until: number;
  readonly #memory: ByteBudget;
  #signal: AbortSignal | undefined;

  /** `limitMs` from now; large answers take their room from `memory`. */
  constructor(response: ServerResponse, limitMs: number, memory: ByteBudget) {
    this.#response = response;
    this.#memory = memory;
    this.#limitMs = limitMs;
    this.#until = performance.now() + limitMs;
  }

  get signal(): AbortSignal {
    this.#signal ??= cancellation(this.#response, { deadlineMs: this.#limitMs });
    return this.#signal;
  }

  /** Why nobody waits any more. */
  readonly isOver = (): HourglassError | undefined => {
    if (this.#response.destroyed || this.#response.req.socket.destroyed) return clientGone();
    return performance.now() > this.#until ? late(this.#limitMs) : undefined;
  };

  reserve(bytes: number): void {
    reserveAnswer(this.#response.req, bytes, this.#memory);
  }

  /** The work's result; when it has to wait for something, no longer than the client does. */
  meet<T>(work: Promise<T>): Promise<T> {
    return this.#signal === undefined ? work : orAborted(work, this.#signal);
  }
}

const header = 'x-request-timeout';
const timeoutRule = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s)?$/;

/** What the client allows by X-Request-Timeout (seconds, or with the unit ms or s), at most `mostMs`. Throws `invalid-request`. */
export function timeoutOf(given: string | string[] | undefined, mostMs: number): number {
  if (given === undefined) return mostMs;
  const match = typeof given === 'string' ? timeoutRule.exec(given.trim()) : null;
  const ms = Number(match?.[1] ?? Number.NaN) * (match?.[2] === 'ms' ? 1 : 1000);
  if (ms > 0) return Math.min(ms, mostMs);
  throw new HourglassError('invalid-request', `${header} is not a time. Send seconds, such as 2, 0.5 or 500ms.`, {
    field: header,
    expected: 'seconds above 0',
    found: String(given).slice(0, 100),
  });
}
