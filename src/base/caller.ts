/**
 * Who asks: found out once by the transport of a request and handed to everything behind it. Knows nothing of keys, headers or
 * metadata; src/gateway/identify.ts makes it from them.
 */

/** What a caller may do. */
export const scopes = ['infer', 'read', 'train', 'publish', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export interface CallerLimits {
  /** predictions that may wait or run at once; Infinity: only the service's own limit */
  readonly predictionsInFlight: number;
}

export interface Caller {
  /** whose models, data sets, jobs and budgets are meant */
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly limits: CallerLimits;
  /** network address that the request came from, of IPv6 its /64 network; absent: from within the service */
  readonly address?: string;
  /** the request's `traceparent` (W3C Trace Context), when it has one */
  readonly traceparent?: string;
}

/** The one caller there is as long as nobody has to say who they are: may do everything, without limits of its own. */
export const defaultCaller: Caller = {
  tenant: 'default',
  scopes: new Set(scopes),
  limits: { predictionsInFlight: Number.POSITIVE_INFINITY },
};
