/** What the answers of a bucket mean: nothing there, lost, try again, full, not reachable. */

import { HourglassError } from '../../base/errors.ts';

interface Answer {
  readonly name?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const answerOf = (error: unknown): Answer => (typeof error === 'object' && error !== null ? (error as Answer) : {});
const statusOf = (error: unknown): number | undefined => answerOf(error).$metadata?.httpStatusCode;

/** No such object. A bucket that does not exist is another matter. */
export const isMissing = (error: unknown): boolean =>
  statusOf(error) === 404 && answerOf(error).name !== 'NoSuchBucket';

export const isNotModified = (error: unknown): boolean => statusOf(error) === 304;

/** Someone else has written in between. */
export const isPreconditionFailed = (error: unknown): boolean => statusOf(error) === 412;

/** An answer to a conditional write that is not the end: lost (412), in conflict with another write (409), gone (404). */
export const isConflict = (error: unknown): boolean =>
  isPreconditionFailed(error) || statusOf(error) === 409 || isMissing(error);

const fullNames = new Set(['QuotaExceeded', 'XMinioStorageFull', 'InsufficientStorage', 'NoSpaceLeftOnDevice']);
const refusedNames = new Set([
  ...['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'InvalidToken'],
  ...['CredentialsProviderError', 'TokenProviderError', 'Forbidden'],
]);

const retryAfterSeconds = 5;

/** The error that a client gets; its cause, for the log, names the bucket and the request. */
export function bucketError(error: unknown): HourglassError {
  if (error instanceof HourglassError) return error;
  const { name = '', message = '' } = answerOf(error);
  const status = statusOf(error);
  if (status === 507 || fullNames.has(name) || /no space left|quota/i.test(message)) {
    return new HourglassError(
      'storage-full',
      'The bucket has no room. Delete data sets or models, or raise its quota; nothing was changed.',
      {},
      { cause: error },
    );
  }
  const what =
    status === 401 || status === 403 || refusedNames.has(name)
      ? 'The bucket refuses the credentials of this server.'
      : name === 'NoSuchBucket'
        ? 'The bucket that this server is set up with does not exist.'
        : status !== undefined && status >= 400 && status < 500 && status !== 429
          ? 'The bucket refuses the request.'
          : 'The bucket cannot be reached.';
  return new HourglassError(
    'storage-unavailable',
    `${what} Nothing was changed; try again later.`,
    { retryAfter: retryAfterSeconds },
    { cause: error },
  );
}

export const isUnavailable = (error: unknown): boolean =>
  error instanceof HourglassError && error.code === 'storage-unavailable';
