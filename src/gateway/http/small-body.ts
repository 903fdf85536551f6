/** Reads bodies of declared, small length: mostly one piece that has arrived with the headers. Allocates nothing of its own then. */

import type { IncomingMessage } from 'node:http';
import { TimerWheel } from '../../platform/timer-wheel.ts';

/** Longer ones grow with what arrives (read-body.ts). */
export const smallBytes = 64 * 1024;

const timers = new TimerWheel(250);

export interface SmallBodyErrors {
  late(): Error;
  gone(): Error;
}

/** Node's parser makes sure that a body is as long as it declares. Rejects with what `errors` make. */
export function readSmallBody(
  request: IncomingMessage,
  length: number,
  timeoutMs: number,
  errors: SmallBodyErrors,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body: Buffer | undefined;
    let size = 0;
    const stop = (): void => {
      timers.cancel(timeout);
      request.off('data', take).off('end', end).off('close', gone).off('error', gone);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (body === undefined && chunk.length === length) {
        body = chunk;
        return;
      }
      body ??= Buffer.allocUnsafe(length);
      chunk.copy(body, size);
      size += chunk.length;
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
