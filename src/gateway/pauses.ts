/** Cuts off what waits for a client that has stopped sending. */

import { HourglassError } from '../base/errors.ts';

/** The same items; throws `request-timeout` when the next one is waited for longer than `ms`. */
export async function* withoutPauses<T>(items: AsyncIterable<T>, ms: number): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let finished = false;
  try {
    for (;;) {
      const next = await within(iterator.next(), ms);
      if (next.done) {
        finished = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // Not awaited: it would wait for the item that did not come.
    if (!finished) iterator.return?.().then(undefined, () => {});
  }
}

/** Throws `request-timeout` when there is no result within `ms`. */
export function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `Nothing more of the request arrived for ${ms / 1000} s (HOURGLASS_STALL_TIMEOUT). Send it without pauses.`;
      reject(new HourglassError('request-timeout', message, { retryAfter: 1 }));
    }, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
