/**
 * Errors on the wire: `application/problem+json` (RFC 9457) with the code of the error table. Also gives those endings that
 * Node's HTTP parser and the router decide by themselves a code of the table.
 */

import { STATUS_CODES } from 'node:http';
import { errorTable, HourglassError, normaliseError } from '../../base/errors.ts';

export const problemType = 'application/problem+json';

/** `urn:hourglass:problem:queue-unavailable`: stable, and it does not pretend to be a page. */
export const typePrefix = 'urn:hourglass:problem:';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly field?: string;
  readonly expected?: unknown;
  readonly found?: unknown;
  readonly quota?: string;
}

export function toProblem(error: HourglassError, requestId: string): Problem {
  const { field, expected, found, policy } = error.facts;
  return {
    type: typePrefix + error.code,
    title: errorTable[error.code].title,
    status: errorTable[error.code].http,
    code: error.code,
    detail: error.message,
    requestId,
    ...(field && { field }),
    ...(expected !== undefined && { expected }),
    ...(found !== undefined && { found }),
    ...(policy && { quota: policy.name }),
  };
}

/** Whatever was thrown while a request was answered, as an error of the table. */
export function errorOf(thrown: unknown): HourglassError {
  if (thrown instanceof HourglassError) return thrown;
  const code = codeOf(thrown);
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HourglassError(
        'unsupported-media-type',
        'The Content-Type header cannot be read. Send one, such as application/json.',
      );
    case 'FST_ERR_BAD_URL':
      return new HourglassError(
        'invalid-request',
        'The path is not a valid URL: a percent sign must be followed by two hexadecimal digits of UTF-8 text.',
      );
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new HourglassError('invalid-request', 'A part of the path is too long. Names have at most 63 characters.');
    default:
      return normaliseError(thrown);
  }
}

const codeOf = (thrown: unknown): string =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';

/** For what went wrong before there was a request; undefined when nobody is there to be told. */
export function errorOfParser(thrown: Error): HourglassError | undefined {
  const code = codeOf(thrown);
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'HPE_CLOSED_CONNECTION':
      return undefined;
    case 'HPE_HEADER_OVERFLOW':
      return new HourglassError('headers-too-large', 'The headers have more than 16 KiB. Send fewer or shorter ones.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HourglassError('payload-too-large', 'The chunk extensions of the body are too large. Leave them out.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HourglassError('request-timeout', 'The request did not arrive in time. Send it again, faster.');
    default:
      return new HourglassError('invalid-request', 'This is not a valid HTTP/1.1 request.');
  }
}

/** A whole HTTP answer as text, for a socket that has no request. */
export function rawAnswer(error: HourglassError, requestId: string): string {
  const { status, ...rest } = toProblem(error, requestId);
  const body = JSON.stringify({ ...rest, status });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
