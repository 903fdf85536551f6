/** When an answer is not wanted any more: the client is gone, it took too long, or the server is about to stop. */

import type { ServerResponse } from 'node:http';
import { keyRevoked } from '../../access/access.ts';
import { HourglassError } from '../../base/errors.ts';
import { whenEnded } from './ending.ts';
import { clientGone } from './read-body.ts';

export interface CancellationOptions {
  /** aborts with `deadline-exceeded` */
  readonly deadlineMs?: number;
  /** aborts with `shutting-down` */
  readonly draining?: AbortSignal;
  /** aborts with `unauthenticated` */
  readonly revoked?: AbortSignal | undefined;
}

export const late = (limitMs: number): HourglassError =>
  new HourglassError(
    'deadline-exceeded',
    `There was no answer within ${limitMs / 1000} s. Send less at a time, or try again later.`,
    { retryAfter: 1 },
  );

/** Aborted with the HourglassError that says why, and at the latest when the answer is out: nothing of it goes on then. */
export function cancellation(
  response: ServerResponse,
  { deadlineMs, draining, revoked }: CancellationOptions = {},
): AbortSignal {
  const controller = new AbortController();
  const drained = (): void =>
    controller.abort(
      new HourglassError('shutting-down', 'The server is stopping. Connect again and go on from there.', {
        retryAfter: 1,
      }),
    );
  const expelled = (): void => controller.abort(keyRevoked());
  const timer = deadlineMs === undefined ? undefined : setTimeout(() => controller.abort(late(deadlineMs)), deadlineMs);
  whenEnded(response, () => {
    clearTimeout(timer);
    draining?.removeEventListener('abort', drained);
    revoked?.removeEventListener('abort', expelled);
    controller.abort(clientGone());
  });
  if (draining?.aborted) drained();
  else draining?.addEventListener('abort', drained, { once: true });
  revoked?.addEventListener('abort', expelled, { once: true });
  return controller.signal;
}

/** The work's result, or the signal's reason as soon as it is aborted: then nobody waits for the work. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    work
      .then(resolve, (error) => reject(signal.aborted ? signal.reason : error))
      .finally(() => {
        signal.removeEventListener('abort', aborted);
      });
  });
}
