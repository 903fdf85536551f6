/**
 * Who asks: found out once by the transport of a request and handed to everything behind it. Knows nothing of keys, headers or
 * metadata: src/access finds out who it is, src/gateway/identify.ts adds where the request came from.
 */

/** What a caller may do. */
export const scopes = ['infer', 'read', 'train', 'publish', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** The tenant of everything that was made before there were tenants, and of callers without access control. */
export const defaultTenant = 'default';

/** Also the name of a folder, part of a key in a bucket and in Redis: no dots, no slashes. */
export const tenantPattern = '^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?$';

export interface Caller {
  /** whose models, data sets, jobs and budgets are meant */
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** for the audit log: `key:ID`, `token:SUBJECT`, or `anybody` without access control. Never a secret */
  readonly subject: string;
  /** aborted when the key was revoked or has expired: streams end then; absent: never */
  readonly revoked?: AbortSignal;
  /** network address that the request came from, of IPv6 its /64 network; absent: from within the service */
  readonly address?: string;
  /** the request's `traceparent` (W3C Trace Context), when it has one */
  readonly traceparent?: string;
}

/** What is known of a caller from its key or token alone. */
export type Identity = Omit<Caller, 'address' | 'traceparent'>;

/** The one caller there is as long as nobody has to say who they are: may do everything, without limits of its own. */
export const defaultCaller: Caller = {
  tenant: defaultTenant,
  scopes: new Set(scopes),
  subject: 'anybody',
};

/** Somebody who has not said who they are, where that is asked for: may do nothing but what is open to all. */
export const stranger: Identity = { tenant: defaultTenant, scopes: new Set(), subject: 'stranger' };
