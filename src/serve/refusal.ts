/** Why a prediction was not made, apart from what is wrong with its rows; and waiting no longer than the client does. */

import { HourglassError } from '../base/errors.ts';

/** `seconds`: when the work that waits may be done. */
export function overloadError(waiting: number, seconds: number): HourglassError {
  const retryAfter = Math.min(30, Math.max(1, Math.ceil(seconds)));
  return withoutStack(
    'overloaded',
    `${waiting} predictions are waiting already. Try again in ${retryAfter} s, or send fewer at a time.`,
    { retryAfter },
  );
}

/** There are as many refusals as there is load, and finding out where each was made costs more than the rest of it. */
function withoutStack(...parameters: ConstructorParameters<typeof HourglassError>): HourglassError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return new HourglassError(...parameters);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export const deadlineError = (ms?: number): HourglassError =>
  new HourglassError(
    'deadline-exceeded',
    `The answer was not ready ${ms === undefined ? 'in time' : `within ${ms / 1000} s`}. Send fewer rows, or try again later.`,
  );

/** What an aborted signal means to the one who asked. */
export function abortError(signal: AbortSignal | undefined): HourglassError {
  const reason: unknown = signal?.reason;
  if (reason instanceof HourglassError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') return deadlineError();
  return new HourglassError('cancelled', 'The request was cancelled before its answer was ready.');
}

/** The work's outcome, unless the signal aborts or the time is over before; the work itself goes on. */
export function within<T>(work: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
  if (signal?.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal));
    const timer = setTimeout(() => reject(deadlineError(ms)), ms);
    signal?.addEventListener('abort', abort);
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    work.finally(end).then(resolve, reject);
  });
}
