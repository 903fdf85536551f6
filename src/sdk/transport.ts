/**
 * One HTTP call as clients need it: retried with back-off where a retry is safe, bounded by a signal, its problems turned into
 * errors with the server's own code. Uses nothing but a `fetch`, whoever implements it.
 */

import { pause, throwIfAborted } from './environment.ts';
import { ProblemError, problemFrom } from './problem.ts';

/** What is used of a Response: those of undici, node-fetch and React Native have it as well as the platform's. */
export interface HttpResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body?: unknown;
  text(): Promise<string>;
  json(): Promise<unknown>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export interface HttpRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

export type Fetch = (url: string, request: HttpRequest) => Promise<HttpResponse>;

export interface TransportOptions {
  /** such as `https://hourglass.example` */
  readonly baseUrl: string;
  /** sent as bearer token */
  readonly apiKey?: string;
  /** default: the global `fetch` */
  readonly fetch?: Fetch;
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
  readonly repeatable?: boolean;
  /** statuses of refusals that are an answer all the same */
  readonly accepts?: readonly number[];
}

export class Transport {
  readonly #baseUrl: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: Fetch;
  readonly #limits: { readonly retries: number; readonly backoffMs: number; readonly maxBackoffMs: number };

  /** Throws TypeError for options that cannot work. */
  constructor({ baseUrl, apiKey, fetch, retries = 4, backoffMs = 200, maxBackoffMs = 10_000 }: TransportOptions) {
    if (typeof baseUrl !== 'string' || !/^https?:\/\/[^/]/.test(baseUrl)) {
      throw new TypeError(
        `baseUrl is ${baseUrl === undefined ? 'missing' : JSON.stringify(baseUrl)}. Give the server's address: new HourglassClient({ baseUrl: 'http://127.0.0.1:8080' }).`,
      );
    }
    if (fetch === undefined && typeof globalThis.fetch !== 'function') {
      throw new TypeError('There is no fetch here. Give one: new HourglassClient({ baseUrl, fetch }).');
    }
    this.#baseUrl = baseUrl.replace(/\/+$/, '');
    this.#apiKey = apiKey;
    // read anew at each call, and called without `this`, which browsers insist on
    this.#fetch = fetch ?? ((url, request) => globalThis.fetch(url, request));
    this.#limits = { retries, backoffMs, maxBackoffMs };
  }

  /** The response of a call that succeeded. Throws ProblemError, or the signal's reason. */
  async send(call: Call): Promise<HttpResponse> {
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(call.signal);
      const outcome = await this.#once(call);
      if (!(outcome instanceof ProblemError)) return outcome;
      if (call.repeatable === false || attempt >= this.#limits.retries || !outcome.retryable) throw outcome;
      await this.backOff(attempt, call.signal, outcome.retryAfter);
    }
  }

  /** Waits before the try after `attempt` failed ones. @param least seconds that the server asks for */
  backOff(attempt: number, signal: AbortSignal | undefined, least = 0): Promise<void> {
    const { backoffMs, maxBackoffMs } = this.#limits;
    const jittered = backoffMs * 2 ** Math.min(attempt, 20) * (0.5 + Math.random() / 2);
    return pause(Math.min(maxBackoffMs, Math.max(jittered, least * 1000)), signal);
  }

  async #once(call: Call): Promise<HttpResponse | ProblemError> {
    let response: HttpResponse;
    try {
      response = await this.#fetch(this.#baseUrl + call.path, {
        method: call.method,
        headers: { ...(this.#apiKey ? { authorization: `Bearer ${this.#apiKey}` } : {}), ...call.headers },
        ...(call.body === undefined ? {} : { body: call.body as string | Uint8Array<ArrayBuffer> }),
        ...(call.signal ? { signal: call.signal } : {}),
      });
    } catch (cause) {
      throwIfAborted(call.signal);
      return unreachable(this.#baseUrl, cause);
    }
    if (response.ok || call.accepts?.includes(response.status)) return response;
    const body = await response.json().catch(() => undefined);
    return problemFrom(body, response.status, (name) => response.headers.get(name));
  }
}

/** `fetch` hides the reason (`ECONNREFUSED`, a certificate) in the cause of its error. */
function unreachable(baseUrl: string, cause: unknown): ProblemError {
  const reasons: string[] = [];
  for (let error = cause; error instanceof Error && reasons.length < 3; error = error.cause) {
    const { code } = error as { code?: unknown };
    reasons.push(error.message || String(code ?? error.name));
  }
  const reason = reasons.length > 0 ? reasons.join(': ') : String(cause);
  return new ProblemError(
    'unreachable',
    `No answer from ${baseUrl}: ${reason}. Check the address and the network.`,
    0,
    {
      cause,
    },
  );
}
