/** Reads bodies of declared, small length in the usual case: one piece that has arrived with the headers. Allocates nothing. */

import type { IncomingMessage } from 'node:http';
import { TimerWheel } from '../../platform/timer-wheel.ts';

/** Longer ones grow with what arrives (read-body.ts). */
export const smallBytes = 64 * 1024;

const timers = new TimerWheel(250);

export interface SmallBodyErrors {
  late(): Error;
  gone(): Error;
}

/**
 * Node's parser makes sure that a body is as long as it declares. Rejects with what `errors` make. A body of several pieces is
 * left to `inPieces`, which gets the first of them.
 */
export function readSmallBody(
  request: IncomingMessage,
  length: number,
  timeoutMs: number,
  errors: SmallBodyErrors,
  inPieces: (first: Buffer) => Promise<Buffer>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body: Buffer | undefined;
    const stop = (): void => {
      timers.cancel(timeout);
      request.off('data', take).off('end', end).off('close', gone).off('error', gone);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (chunk.length === length) {
        body = chunk;
        return;
      }
      stop();
      resolve(inPieces(chunk));
    };
    const end = (): void => {
      stop();
      resolve(body ?? Buffer.alloc(0));
    };
    const gone = (): void => fail(errors.gone());
    const timeout = timers.add(timeoutMs, () => fail(errors.late()));
    request.on('data', take).on('end', end).on('close', gone).on('error', gone);
  });
}
