/**
 * The audit log in Redis: for each tenant a stream of the newest entries. An entry that was sent while Redis did not answer may
 * stand there twice.
 *
 *   <base>audit                 stream   entries of the tenant `default`, as JSON in the field `entry`
 *   <base>tenant:NAME:audit     stream   those of another one
 */

import type { Redis } from 'ioredis';
import type { AuditEntry, NewAuditEntry } from '../access/audit-entry.ts';
import type { AuditStorage, StoredEntries, TenantEntry } from '../access/audit-log.ts';
import type { Logger } from '../platform/log.ts';
import { connectRedis, keyBase, type RedisSettings, redisError, tenantKeys, untilReady } from './redis.ts';
import { endBefore } from './stream-bounds.ts';

export interface AuditSettings extends RedisSettings {
  /** entries that are kept of each tenant, about */
  readonly keepEntries: number;
}

export class RedisAudit implements AuditStorage {
  readonly #client: Redis;
  readonly #base: string;
  readonly #keep: number;

  private constructor(settings: AuditSettings, log: Logger) {
    this.#base = keyBase(settings);
    this.#keep = settings.keepEntries;
    this.#client = connectRedis(settings, 'commands', log);
  }

  /** Waits a moment for Redis; one that cannot be reached yet is no error. */
  static async open(settings: AuditSettings, log: Logger): Promise<RedisAudit> {
    const audit = new RedisAudit(settings, log);
    await untilReady(audit.#client, settings.timeoutMs).catch(() => undefined);
    return audit;
  }

  async append(entries: readonly TenantEntry[]): Promise<void> {
    await this.#guarded(async () => {
      const commands = this.#client.multi();
      for (const { tenant, entry } of entries) {
        commands.xadd(this.#key(tenant), 'MAXLEN', '~', this.#keep, '*', 'entry', JSON.stringify(entry));
      }
      for (const [error] of (await commands.exec()) ?? []) if (error) throw error;
    });
  }

  async read(tenant: string, limit: number, cursor: string | undefined): Promise<StoredEntries> {
    const from = cursor === undefined ? '+' : endBefore(cursor);
    if (from === undefined) return { entries: [], hasMore: false };
    const found = await this.#guarded(() => this.#client.xrevrange(this.#key(tenant), from, '-', 'COUNT', limit + 1));
    const entries = found.slice(0, limit).map(([id, [, text = '{}']]): AuditEntry => {
      return { id, ...(JSON.parse(text) as NewAuditEntry) };
    });
    return { entries, hasMore: found.length > limit };
  }

  close(): void {
    this.#client.disconnect();
  }

  #key(tenant: string): string {
    return `${tenantKeys(this.#base, tenant)}audit`;
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw redisError(error);
    }
  }
}
