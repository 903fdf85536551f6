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

const maxKeys = 10_000;
/** Expired keys are listed for so long, then removed by whoever makes another one. */
const keepExpiredMs = 7 * 24 * 3600 * 1000;
const defaultOverlapSeconds = 3600;

export class KeyService {
  readonly #storage: KeyStorage;
  readonly #ring: KeyRing;

  constructor(storage: KeyStorage, ring: KeyRing) {
    this.#storage = storage;
    this.#ring = ring;
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
    await this.#removeLongExpired();
    const { key, record } = recordOf({ name, tenant, scopes: [...new Set(allowed)] }, expiresInSeconds);
    const added = await this.#storage.add(record, { most: maxKeys });
    if (added === 'full') {
      throw new HourglassError('quota-exceeded', `There are ${maxKeys} keys already. Revoke some that nobody uses.`, {
        expected: maxKeys,
      });
    }
    await this.#ring.refresh();
    return { ...viewOf(record, undefined), key };
  }

  /** A new key with the same name, tenant, scopes and lifetime; the old one expires after the overlap. Throws `key-not-found`. */
  async rotate(caller: Caller, id: string, overlapSeconds = defaultOverlapSeconds): Promise<NewKey> {
    for (;;) {
      await this.#ring.refresh();
      const old = this.#find(caller, id);
      const now = Date.now();
      if (old.expiresAt !== undefined && old.expiresAt <= now) throw notFound(id);
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
    if ((await this.#storage.add(record, { most: maxKeys, onlyFirst: true })) !== 'ok') return undefined;
    await this.#ring.refresh();
    return key;
  }

  async #removeLongExpired(): Promise<void> {
    const before = Date.now() - keepExpiredMs;
    const old = this.#ring.records.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < before);
    for (const { id } of old) await this.#storage.remove(id);
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
