/** Changes that callers make, for the audit log: the one way for every transport. */

import { type AuditAction, describeChange } from '../access/audit-entry.ts';
import type { AuditLog } from '../access/audit-log.ts';
import type { Caller, Scope } from '../base/caller.ts';

export interface Change {
  readonly caller: Caller;
  readonly action: AuditAction;
  /** of the request, and what the handler has noted: id of what was made, tenant of a key */
  readonly members: Readonly<Record<string, unknown>>;
  /** unknown: the queue did not say whether it did what was asked */
  readonly outcome: 'done' | 'unknown';
  readonly requestId: string;
  readonly transport: 'rest' | 'grpc';
}

/** Calls that need one of these and do not only read change something. */
export const changingScopes: ReadonlySet<unknown> = new Set<Scope>(['train', 'publish', 'admin']);

export function recordChange(audit: AuditLog, { caller, action, members, ...about }: Change): void {
  const { tenant, subject, address } = caller;
  const { tenant: owner } = members;
  audit.record(
    {
      ...{ at: new Date().toISOString(), caller: subject, tenant, action },
      ...describeChange(action, members),
      ...about,
      ...(address !== undefined && { address }),
    },
    // Keys that the operator makes for another tenant are also that one's business.
    typeof owner === 'string' && owner !== '' ? owner : undefined,
  );
}
