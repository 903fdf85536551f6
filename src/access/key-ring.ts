/**
 * A gateway's own copy of all keys, so that no request waits for Redis: kept in memory and in a file (digests only), renewed
 * when a change is heard of and every two seconds anyway. A key that was revoked is refused here after that time at the
 * latest, as long as Redis can be reached; while it cannot, the keys of the last look stay valid.
 */

import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { defaultTenant, type Identity, type Scope, scopes } from '../base/caller.ts';
import type { Logger } from '../platform/log.ts';
import { digestOf, isKey, isSameDigest } from './api-key.ts';
import { KeyRecord } from './key-record.ts';
import type { KeyStorage } from './key-storage.ts';

export interface KeyRingOptions {
  readonly storage: KeyStorage;
  /** local copy; absent: none */
  readonly file?: string;
  /** a key with every scope that is not in the storage: the operator's own */
  readonly adminKey?: string | null;
  readonly log: Logger;
}

const lookEveryMs = 2000;
/** Least time between two looks that unknown keys cause. */
const leastLookMs = 250;
const noteUseEveryMs = 10_000;
/** `lastUsedAt` is exact to this */
const useGranularityMs = 60_000;

interface Entry {
  readonly record: KeyRecord;
  readonly identity: Identity;
  readonly revoked: AbortController;
  usedAt: number;
}

const Copy = Type.Object({ version: Type.String(), records: Type.Array(KeyRecord) });

export class KeyRing {
  readonly #storage: KeyStorage;
  readonly #file: string | undefined;
  readonly #log: Logger;
  readonly #admin: Entry | undefined;
  #byDigest = new Map<string, Entry>();
  #version: string | undefined;
  #isKnown = false;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #used = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  #stopListening = (): void => undefined;

  constructor({ storage, file, adminKey, log }: KeyRingOptions) {
    this.#storage = storage;
    this.#file = file;
    this.#log = log;
    this.#admin = adminKey ? entryOf(adminRecord(adminKey)) : undefined;
    this.#adopt([]);
  }

  /** Reads what there is and keeps it current from now on. Never rejects: without Redis and without a copy no key is known. */
  async start(): Promise<void> {
    if (this.#file !== undefined) this.#readCopy(this.#file);
    this.#stopListening = this.#storage.onChange(() => void this.refresh().catch(() => undefined));
    await this.refresh().catch((error: Error) => {
      this.#log.warn(
        { reason: error.message, keys: this.#byDigest.size },
        'keys cannot be read; the local copy counts',
      );
    });
    this.#timers.push(
      setInterval(() => void this.refresh().catch(() => undefined), lookEveryMs).unref(),
      setInterval(() => void this.#noteUse(), noteUseEveryMs).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#stopListening();
    await this.#noteUse();
  }

  /** Whether the storage, or a copy of it, has ever been read. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get records(): readonly KeyRecord[] {
    return [...this.#byDigest.values()].filter((entry) => entry !== this.#admin).map(({ record }) => record);
  }

  get hasAdminKey(): boolean {
    return this.#admin !== undefined;
  }

  /** Who a key stands for; undefined when it is unknown or has expired. A key that others have just made is looked for. */
  find(key: string): Identity | undefined | Promise<Identity | undefined> {
    if (!isKey(key)) return undefined;
    const digest = digestOf(key);
    const entry = this.#byDigest.get(digest);
    if (entry !== undefined) return this.#identity(entry, digest);
    const since = performance.now() - this.#lookedAt;
    if (since < leastLookMs && this.#looking === undefined) return undefined;
    return this.refresh().then(
      () => {
        const found = this.#byDigest.get(digest);
        return found && this.#identity(found, digest);
      },
      () => undefined,
    );
  }

  /** Looks whether something has changed; callers share one look. Rejects when the storage is away. */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  #identity(entry: Entry, digest: string): Identity | undefined {
    const { record, identity } = entry;
    if (!isSameDigest(record.digest, digest)) return undefined;
    const now = Date.now();
    if (record.expiresAt !== undefined && record.expiresAt <= now) {
      entry.revoked.abort();
      return undefined;
    }
    if (now - entry.usedAt > useGranularityMs) {
      entry.usedAt = now;
      if (entry !== this.#admin) this.#used.set(record.id, now);
    }
    return identity;
  }

  async #look(): Promise<void> {
    this.#lookedAt = performance.now();
    this.#endExpired();
    const found = await this.#storage.read(this.#version);
    this.#isKnown = true;
    if (!found) return;
    this.#version = found.version;
    this.#adopt(found.records);
    if (this.#file !== undefined) await this.#writeCopy(this.#file, found.version, found.records);
  }

  /** Entries that are the same as before keep their identity, which open streams hold. */
  #adopt(records: readonly KeyRecord[]): void {
    const entries = new Map<string, Entry>();
    if (this.#admin) entries.set(this.#admin.record.digest, this.#admin);
    for (const record of records) {
      const before = this.#byDigest.get(record.digest);
      const isSame = before !== undefined && JSON.stringify(before.record) === JSON.stringify(record);
      const entry = isSame ? before : { ...entryOf(record, before?.revoked), usedAt: before?.usedAt ?? 0 };
      entries.set(record.digest, entry);
    }
    for (const [digest, { revoked }] of this.#byDigest) if (!entries.has(digest)) revoked.abort();
    this.#byDigest = entries;
  }

  #endExpired(): void {
    const now = Date.now();
    for (const { record, revoked } of this.#byDigest.values()) {
      if (record.expiresAt !== undefined && record.expiresAt <= now) revoked.abort();
    }
  }

  async #noteUse(): Promise<void> {
    if (this.#used.size === 0) return;
    const times = new Map(this.#used);
    this.#used.clear();
    // Not worth more than this try: the next use is noted again.
    await this.#storage.noteUse(times).catch(() => undefined);
  }

  #readCopy(file: string): void {
    try {
      const copy: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (!Value.Check(Copy, copy)) return;
      this.#adopt(copy.records);
      this.#isKnown = true;
    } catch {
      // There is none yet, or it was written by another release: Redis has them all.
    }
  }

  async #writeCopy(file: string, version: string, records: readonly KeyRecord[]): Promise<void> {
    try {
      await mkdir(path.dirname(file), { recursive: true });
      const next = `${file}.${process.pid}`;
      await writeFile(next, JSON.stringify({ version, records }), { mode: 0o600 });
      await rename(next, file);
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'the local copy of the keys cannot be written');
    }
  }
}

function entryOf(record: KeyRecord, revoked = new AbortController()): Entry {
  // every open stream of the key listens
  setMaxListeners(0, revoked.signal);
  const identity: Identity = {
    tenant: record.tenant,
    scopes: new Set(record.scopes as Scope[]),
    subject: `key:${record.id}`,
    revoked: revoked.signal,
  };
  return { record, identity, revoked, usedAt: 0 };
}

const adminRecord = (key: string): KeyRecord => ({
  ...{ id: 'admin', name: 'HOURGLASS_ADMIN_KEY', tenant: defaultTenant, scopes: [...scopes] },
  digest: digestOf(key),
  createdAt: 0,
});
