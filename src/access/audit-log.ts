/**
 * Who changed what: a line in the log at once, and an entry in a list of bounded length for each tenant, which its admins can read. A
 * change does not wait for its entry: entries that the storage does not take are kept here and sent again.
 */

import { type Caller, defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { AuditEntry, AuditPage, AuditQuery, NewAuditEntry } from './audit-entry.ts';

export interface StoredEntries {
  readonly entries: readonly AuditEntry[];
  readonly hasMore: boolean;
}

/** Where entries are kept for all gateways. src/queue/redis-audit.ts implements it; what it throws is as of the job queue. */
export interface AuditStorage {
  append(entries: readonly TenantEntry[]): Promise<void>;
  /** Newest first, those before `cursor`. */
  read(tenant: string, limit: number, cursor: string | undefined): Promise<StoredEntries>;
}

export interface TenantEntry {
  /** in whose list it stands */
  readonly tenant: string;
  readonly entry: NewAuditEntry;
}

const defaultLimit = 50;
const retryMs = 1000;
/** sent at a time */
const batch = 200;
/** kept while the storage is away; then the oldest go, which are in the log all the same */
const mostPending = 10_000;

export class AuditLog {
  readonly #storage: AuditStorage;
  readonly #log: Logger;
  #pending: TenantEntry[] = [];
  #sending: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(storage: AuditStorage, log: Logger) {
    this.#storage = storage;
    this.#log = log;
  }

  /** `alsoFor`: another tenant whose thing was changed, by the operator; it sees the entry too. */
  record(entry: NewAuditEntry, alsoFor?: string): void {
    const { at: _, ...facts } = entry;
    this.#log.info({ audit: facts }, 'changed');
    for (const tenant of new Set([entry.tenant, alsoFor ?? entry.tenant])) this.#pending.push({ tenant, entry });
    if (this.#pending.length > mostPending) this.#dropOldest();
    // While the storage is away its next try takes this entry along.
    if (this.#retry === undefined) void this.#send();
  }

  /** Newest first. Throws `forbidden` for another tenant's, `queue-unavailable`. */
  async list(caller: Caller, { limit = defaultLimit, cursor, tenant = caller.tenant }: AuditQuery): Promise<AuditPage> {
    if (tenant !== caller.tenant && caller.tenant !== defaultTenant) throw otherTenant(tenant);
    // What this gateway has just done is in its answer.
    await this.#send();
    const { entries, hasMore } = await this.#storage.read(tenant, limit, cursor);
    const last = entries.at(-1);
    return { entries: [...entries], ...(hasMore && last && { nextCursor: last.id }) };
  }

  /** Sends what is kept, if the storage takes it now. */
  async close(): Promise<void> {
    await this.#send();
    clearTimeout(this.#retry);
    if (this.#pending.length > 0)
      this.#log.warn({ entries: this.#pending.length }, 'audit entries are in the log alone');
  }

  /** Never rejects. */
  #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      while (this.#pending.length > 0) {
        const sent = this.#pending.slice(0, batch);
        await this.#storage.append(sent);
        const stored = new Set(sent);
        // Others may have come or gone meanwhile.
        this.#pending = this.#pending.filter((entry) => !stored.has(entry));
      }
    } catch (error) {
      const { message: reason } = error as Error;
      this.#log.warn({ reason, waiting: this.#pending.length }, 'audit entries cannot be stored yet');
      this.#retry = setTimeout(() => void this.#send(), retryMs).unref();
    }
  }

  #dropOldest(): void {
    this.#pending = this.#pending.slice(-mostPending / 2);
    this.#log.warn({ kept: this.#pending.length }, 'older audit entries are in the log alone');
  }
}

const otherTenant = (tenant: string): HourglassError =>
  new HourglassError(
    'forbidden',
    `Only an admin of the tenant ${defaultTenant} reads the audit log of other tenants. Leave "tenant" out.`,
    { field: 'tenant', found: tenant },
  );
