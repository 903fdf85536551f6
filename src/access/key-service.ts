/**
 * What callers may do with keys: the one way for every transport. An admin sees and makes keys of its own tenant; an admin of
 * the tenant `default`, who operates the service, those of all tenants.
 */

import { randomBytes } from 'node:crypto';
import { type Caller, defaultTenant, scopes } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { hideCredentials } from '../platform/secrets.ts';
import { digestOf, newKey } from './api-key.ts';
import { type KeyRecord, type KeyRequest, type KeyView, viewOf } from './key-record.ts';
import type { KeyRing } from './key-ring.ts';
import type { KeyStorage } from './key-storage.ts';

export interface NewKey extends KeyView {
  /** the key itself, which is not shown again */
  readonly key: string;
}

/** How many keys there may be, of all tenants and of one other than `default`, so that none takes the places of the others. */
export interface KeyLimits {
  readonly all: number;
  readonly tenant: number;
}
const usualLimits: KeyLimits = { all: 10_000, tenant: 1000 };
/** Expired keys are listed for so long, then removed by whoever makes another one. */
const keepExpiredMs = 7 * 24 * 3600 * 1000;
const defaultOverlapSeconds = 3600;

export class KeyService {
  readonly #storage: KeyStorage;
  readonly #ring: KeyRing;
  readonly #limits: KeyLimits;

  constructor(storage: KeyStorage, ring: KeyRing, limits: KeyLimits = usualLimits) {
    this.#storage = storage;
    this.#ring = ring;
    this.#limits = limits;
  }

  /** Newest first. Throws `queue-unavailable`, as all of these do. */
  async list(caller: Caller): Promise<KeyView[]> {
    await this.#ring.refresh();
    const used = await this.#storage.lastUsed();
    return this.#ring.records
      .filter((record) => maySee(caller, record))
      .sort((a, b) => b.createdAt - a.createdAt || a.id.localeCompare(b.id))
      .map((record) => viewOf(record, used.get(record.id)));
  }

  /** Throws `key-not-found`, also for keys of other tenants. */
  async get(caller: Caller, id: string): Promise<KeyView> {
    await this.#ring.refresh();
    const record = this.#find(caller, id);
    return viewOf(record, (await this.#storage.lastUsed()).get(id));
  }

  /** Throws `forbidden` for a key of another tenant, `invalid-request` for a name that holds a secret, `quota-exceeded`. */
  async create(caller: Caller, request: KeyRequest): Promise<NewKey> {
    const { name, scopes: allowed, tenant = caller.tenant, expiresInSeconds } = request;
    if (tenant !== caller.tenant && caller.tenant !== defaultTenant) throw otherTenant(tenant);
    if (hideCredentials(name) !== name) throw secretName();
    await this.#requirePlace(tenant);
    const { key, record } = recordOf({ name, tenant, scopes: [...new Set(allowed)] }, expiresInSeconds);
    const added = await this.#storage.add(record, { most: this.#limits.all });
    if (added === 'full') throw tooMany(this.#limits.all);
    await this.#ring.refresh();
    return { ...viewOf(record, undefined), key };
  }

  /** A new key with the same name, tenant, scopes and lifetime; the old one expires after the overlap. Throws `key-not-found`, `quota-exceeded`. */
  async rotate(caller: Caller, id: string, overlapSeconds = defaultOverlapSeconds): Promise<NewKey> {
    for (;;) {
      await this.#ring.refresh();
      const old = this.#find(caller, id);
      const now = Date.now();
      if (old.expiresAt !== undefined && old.expiresAt <= now) throw notFound(id);
      await this.#requirePlace(old.tenant);
      const lifeSeconds = old.expiresAt === undefined ? undefined : Math.ceil((old.expiresAt - old.createdAt) / 1000);
      const { key, record } = recordOf(old, lifeSeconds);
      const ending = {
        ...old,
        expiresAt: Math.min(old.expiresAt ?? Number.POSITIVE_INFINITY, now + overlapSeconds * 1000),
      };
      // False when somebody else has just changed the old key: look again.
      if (!(await this.#storage.rotate(old, ending, record))) continue;
      await this.#ring.refresh();
      return { ...viewOf(record, undefined), key };
    }
  }

  /** It opens nothing from now on. Throws `key-not-found`. */
  async revoke(caller: Caller, id: string): Promise<KeyView> {
    await this.#ring.refresh();
    const record = this.#find(caller, id);
    if (!(await this.#storage.remove(id))) throw notFound(id);
    await this.#ring.refresh();
    return viewOf(record, undefined);
  }

  /** Where there is no key at all: the first one, with every scope; undefined when there are some, or another gateway has made it. */
  async createFirst(): Promise<string | undefined> {
    await this.#ring.refresh();
    if (this.#ring.records.length > 0 || this.#ring.hasAdminKey) return undefined;
    const { key, record } = recordOf({ name: 'first admin', tenant: defaultTenant, scopes: [...scopes] }, undefined);
    if ((await this.#storage.add(record, { most: this.#limits.all, onlyFirst: true })) !== 'ok') return undefined;
    await this.#ring.refresh();
    return key;
  }

  /**
   * Throws `quota-exceeded` where there are enough keys already; those that have expired make room first. Counts in the local copy: two gateways
   * may let a few more in at the same time.
   */
  async #requirePlace(tenant: string): Promise<void> {
    const isTheirs = (record: KeyRecord): boolean => tenant === defaultTenant || record.tenant === tenant;
    const most = tenant === defaultTenant ? this.#limits.all : this.#limits.tenant;
    const isFull = (): boolean => this.#ring.records.filter(isTheirs).length >= most;
    await this.#ring.refresh();
    await this.#removeExpired(keepExpiredMs, () => true);
    if (!isFull()) return;
    await this.#removeExpired(0, isTheirs);
    if (isFull()) throw tooMany(most);
  }

  /** Those that have been expired for so long. */
  async #removeExpired(forMs: number, isMeant: (record: KeyRecord) => boolean): Promise<void> {
    const before = Date.now() - forMs;
    const isOld = (record: KeyRecord): boolean =>
      record.expiresAt !== undefined && record.expiresAt <= before && isMeant(record);
    const old = this.#ring.records.filter(isOld);
    for (const { id } of old) await this.#storage.remove(id);
    if (old.length > 0) await this.#ring.refresh();
  }

  #find(caller: Caller, id: string): KeyRecord {
    const record = this.#ring.records.find((candidate) => candidate.id === id);
    if (!record || !maySee(caller, record)) throw notFound(id);
    return record;
  }
}

function recordOf(about: Pick<KeyRecord, 'name' | 'tenant' | 'scopes'>, lifeSeconds: number | undefined) {
  const key = newKey();
  const createdAt = Date.now();
  const record: KeyRecord = {
    id: randomBytes(8).toString('hex'),
    ...{ name: about.name, tenant: about.tenant, scopes: [...about.scopes] },
    digest: digestOf(key),
    createdAt,
    ...(lifeSeconds !== undefined && { expiresAt: createdAt + lifeSeconds * 1000 }),
  };
  return { key, record };
}

const maySee = ({ tenant }: Caller, record: KeyRecord): boolean => tenant === defaultTenant || tenant === record.tenant;

const notFound = (id: string): HourglassError =>
  new HourglassError('key-not-found', 'There is no key with this id. It may have been revoked.', {
    field: 'id',
    found: id.slice(0, 100),
  });

const tooMany = (limit: number): HourglassError =>
  new HourglassError('quota-exceeded', `There are ${limit} keys already. Revoke some that nobody uses.`, {
    expected: limit,
  });

const secretName = (): HourglassError =>
  new HourglassError(
    'invalid-request',
    'The name holds a key or a token, and it would be stored and shown. Choose another.',
    {
      field: '/name',
    },
  );

const otherTenant = (tenant: string): HourglassError =>
  new HourglassError(
    'forbidden',
    `Only an admin of the tenant ${defaultTenant} makes keys of other tenants. Leave "tenant" out.`,
    { field: '/tenant', found: tenant },
  );
