/** Why a call failed: the server's problem document, or that there was no answer. */

import type { ErrorCode } from '../base/errors.ts';

/** Codes of the server's error table, `unreachable` when no answer came; a newer server may know others. */
export type ProblemCode = ErrorCode | 'unreachable' | (string & {});

/** Codes of the error table after which the same call may succeed, as test/sdk/client.test.ts holds them; `unreachable` is the client's own. */
const retryable: readonly ProblemCode[] = [
  'unreachable',
  'request-timeout',
  'overloaded',
  'quota-exceeded',
  'deadline-exceeded',
  'queue-unavailable',
  'outcome-unknown',
  'queue-storage-full',
  'storage-full',
  'storage-unavailable',
  'model-crashed',
  'shutting-down',
];
/** Codes whose status looks as if waiting would help. */
const lasting: readonly ProblemCode[] = ['dataset-corrupt', 'model-corrupt', 'device-unavailable'];

export interface ProblemDetails {
  readonly requestId?: string | undefined;
  /** seconds that the server asks to wait */
  readonly retryAfter?: number | undefined;
  /** where in the request: a JSON pointer, ?name in the query, or a header */
  readonly field?: string | undefined;
  readonly expected?: unknown;
  readonly found?: unknown;
  readonly cause?: unknown;
}

export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  /** of HTTP; 0 when no answer came */
  readonly status: number;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, message: string, status: number, details: ProblemDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = status;
    this.details = details;
  }

  get requestId(): string | undefined {
    return this.details.requestId;
  }

  get retryAfter(): number | undefined {
    return this.details.retryAfter;
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    if (retryable.includes(this.code)) return true;
    return !lasting.includes(this.code) && (this.status === 429 || this.status >= 502);
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** @param body a problem document, or whatever a proxy answered instead */
export function problemFrom(
  body: unknown,
  status: number,
  header: (name: string) => string | null = () => null,
): ProblemError {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const code = text(problem.code) ?? text(problem.type)?.replace(/^.*[/:#]/, '') ?? codeOfStatus(status);
  const message = text(problem.detail) ?? text(problem.title) ?? `The server answered ${status}.`;
  const retryAfter = Number.parseFloat(header('retry-after') ?? '');
  return new ProblemError(code === 'about' || code === 'blank' ? codeOfStatus(status) : code, message, status, {
    requestId: text(problem.requestId) ?? header('x-request-id') ?? undefined,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    field: text(problem.field),
    expected: problem.expected,
    found: problem.found,
  });
}

/** Proxies answer without a problem document. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 429) return 'overloaded';
  if (status === 502 || status === 503) return 'shutting-down';
  if (status === 504) return 'deadline-exceeded';
  return status >= 500 ? 'internal' : 'invalid-request';
}
