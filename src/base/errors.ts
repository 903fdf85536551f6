/** The error that may reach a client. What its codes mean is said in error-table.ts, which clients that only throw it do without. */

import type { ErrorCode } from './error-table.ts';

export { type ErrorCode, type ErrorRow, errorTable, type GrpcStatusName, grpcStatus } from './error-table.ts';

/** A quota, as the header field RateLimit-Policy tells it. */
export interface QuotaPolicy {
  readonly name: string;
  readonly quota: number;
  /** absent: requests */
  readonly unit?: string;
  /** absent: it counts what there is at a time, not what comes in a time */
  readonly windowSeconds?: number;
}

/** Facts a client can act on without parsing the text. Never holds paths, keys, stacks or internal names. */
export interface ErrorFacts {
  /** where in the request, as a JSON pointer (`/inputs/0/3`) or a field name */
  readonly field?: string;
  readonly expected?: unknown;
  readonly found?: unknown;
  /** seconds after which trying again makes sense */
  readonly retryAfter?: number;
  /** the quota that is used up */
  readonly policy?: QuotaPolicy;
}

/** What a client sent comes back in an error, but not as a whole: a name of a megabyte would be sent and logged as often. */
const longestMessage = 4000;
const longestText = 500;
const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);
const cutText = <T>(value: T): T | string => (typeof value === 'string' ? cut(value, longestText) : value);

/**
 * The only error that may reach a client. `message` says what was wrong, what is allowed and what to do. Long texts are cut.
 */
export class HourglassError extends Error {
  override readonly name = 'HourglassError';
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(cut(message, longestMessage), options);
    this.code = code;
    const { field, found } = facts;
    this.facts = {
      ...facts,
      ...(field !== undefined && { field: cut(field, longestText) }),
      ...(found !== undefined && { found: cutText(found) }),
    };
  }
}

/** Turns whatever was thrown into a HourglassError once; an unknown throw keeps its cause for the log only. */
export function normaliseError(thrown: unknown): HourglassError {
  if (thrown instanceof HourglassError) return thrown;
  return new HourglassError(
    'internal',
    'The request could not be finished. Try again; if it stays, report the request id.',
    {},
    { cause: thrown },
  );
}
