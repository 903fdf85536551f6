/**
 * One HTTP call as clients need it: retried with back-off where a retry is safe, bounded by a signal, its problems turned into
 * errors with the server's own code. Uses nothing but `fetch`.
 */

import { type ErrorCode, errorTable, HourglassError } from '../base/errors.ts';

export interface TransportOptions {
  /** such as `https://hourglass.example` */
  readonly baseUrl: string;
  /** sent as bearer token */
  readonly apiKey?: string;
  /** default: the global `fetch` */
  readonly fetch?: typeof globalThis.fetch;
  /** tries after the first one, default 4 */
  readonly retries?: number;
  /** first pause in ms, doubled each time, with jitter; default 200 */
  readonly backoffMs?: number;
  /** longest pause in ms, a server's Retry-After included; default 10,000 */
  readonly maxBackoffMs?: number;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** with its query, `/v1/jobs?limit=5` */
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** false where a second try could do harm: a POST without idempotency key that creates something */
  readonly repeatable: boolean;
}

/** The problem document of a refused call, or of a server that could not be reached (`status` 0). */
export class ProblemError extends HourglassError {
  readonly status: number;
  readonly requestId: string | undefined;
  /** seconds that the server asks to wait */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    status: number,
    details: { requestId?: string; retryAfter?: number } = {},
  ) {
    super(code, message);
    this.status = status;
    this.requestId = details.requestId;
    this.retryAfter = details.retryAfter;
  }
}

export class Transport {
  readonly #options: Required<Omit<TransportOptions, 'apiKey'>> & Pick<TransportOptions, 'apiKey'>;

  constructor(options: TransportOptions) {
    this.#options = {
      fetch: (...args) => globalThis.fetch(...args),
      retries: 4,
      backoffMs: 200,
      maxBackoffMs: 10_000,
      ...options,
      baseUrl: options.baseUrl.replace(/\/+$/, ''),
    };
  }

  /** The response of a call that succeeded. Throws ProblemError, or the signal's reason. */
  async send(call: Call): Promise<Response> {
    const { retries } = this.#options;
    for (let attempt = 0; ; attempt++) {
      call.signal?.throwIfAborted();
      const outcome = await this.#once(call);
      if (outcome instanceof Response) return outcome;
      const worthwhile = call.repeatable && attempt < retries && (outcome.status === 0 || outcome.row.retryable);
      if (!worthwhile) throw outcome;
      await pause(this.#backoff(attempt, outcome.retryAfter), call.signal);
    }
  }

  async #once(call: Call): Promise<Response | ProblemError> {
    const { baseUrl, apiKey, fetch } = this.#options;
    try {
      const response = await fetch(baseUrl + call.path, {
        method: call.method,
        headers: { ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}), ...call.headers },
        ...(call.body === undefined ? {} : { body: call.body as string | Uint8Array<ArrayBuffer> }),
        ...(call.signal ? { signal: call.signal } : {}),
      });
      return response.ok ? response : await problemOf(response);
    } catch (error) {
      call.signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      return new ProblemError(
        'request-timeout',
        `No answer from ${baseUrl}: ${reason}. Check the address and the network.`,
        0,
      );
    }
  }

  #backoff(attempt: number, retryAfter = 0): number {
    const { backoffMs, maxBackoffMs } = this.#options;
    const jittered = backoffMs * 2 ** attempt * (0.5 + Math.random() / 2);
    return Math.min(maxBackoffMs, Math.max(jittered, retryAfter * 1000));
  }
}

async function problemOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => undefined);
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const code = String(problem.type ?? '').replace(/^.*[/:#]/, '');
  const requestId = problem.requestId ?? response.headers.get('x-request-id');
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new ProblemError(
    code in errorTable ? (code as ErrorCode) : fallbackCode(response.status),
    String(problem.detail ?? problem.title ?? `The server answered ${response.status}.`),
    response.status,
    {
      ...(typeof requestId === 'string' ? { requestId } : {}),
      ...(Number.isFinite(retryAfter) ? { retryAfter } : {}),
    },
  );
}

/** Proxies answer without a problem document. */
function fallbackCode(status: number): ErrorCode {
  if (status === 429) return 'overloaded';
  if (status === 502 || status === 503) return 'shutting-down';
  if (status === 504) return 'deadline-exceeded';
  return status >= 500 ? 'internal' : 'invalid-request';
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}
