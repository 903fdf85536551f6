/**
 * A prediction that is refused because too many wait, answered without the framework: under overload there are more refusals
 * than answers, so each must cost less. The client sees what failure.ts would have answered.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../base/caller.ts';
import { errorTable, type HourglassError } from '../../base/errors.ts';
import { whenEnded } from './ending.ts';
import { problemType, toProblem } from './errors.ts';
import { retrySeconds } from './failure.ts';
import { hstsHeader } from './hsts.ts';
import type { Observer } from './observe.ts';

export interface ShortRefusal {
  readonly error: HourglassError;
  readonly requestId: string;
  readonly hsts: string | undefined;
  /** names and values in turn */
  readonly rates?: readonly string[];
}

/** Writes the refusal in one piece; the rest of the body, if any, Node reads and drops. */
export function writeRefusal(response: ServerResponse, { error, requestId, hsts, rates = [] }: ShortRefusal): void {
  const body = JSON.stringify(toProblem(error, requestId));
  const headers = ['x-request-id', requestId, 'x-content-type-options', 'nosniff', 'content-type', problemType];
  headers.push('cache-control', 'no-store', 'content-length', String(Buffer.byteLength(body)), ...rates);
  const seconds = retrySeconds(error);
  if (seconds !== undefined) headers.push('retry-after', String(seconds));
  if (hsts !== undefined) headers.push(hstsHeader, hsts);
  response.writeHead(errorTable[error.code].http, headers);
  // As text it is written together with the headers.
  response.end(body, 'utf8');
}

/** Refuses a request of which nothing but its headers was looked at. `route`: as the router knows it. */
export function refuseUnread(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: ShortRefusal & { readonly route: string; readonly caller: Caller; readonly observer: Observer },
): void {
  const begun = performance.now();
  const { error, requestId, route, caller, observer } = refusal;
  observer.requests.begun();
  whenEnded(response, () =>
    observer.ended({
      requestId,
      method: request.method ?? 'none',
      route,
      status: errorTable[error.code].http,
      code: error.code,
      seconds: (performance.now() - begun) / 1000,
      caller,
    }),
  );
  writeRefusal(response, refusal);
}
