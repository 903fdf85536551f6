/**
 * What each tenant may take of this gateway: requests and rows a second, streams at once, bytes that are stored. Accounts are in
 * memory, so that no prediction waits for Redis: each gateway process has its own. The tenant `default` operates the service and
 * has no limits. How refusals look on the wire is said by the transports.
 */

import { defaultTenant } from '../base/caller.ts';
import { HourglassError, type QuotaPolicy } from '../base/errors.ts';
import type { Config } from '../platform/config.ts';
import type { Metrics } from '../platform/metrics.ts';
import { showBytes } from '../platform/setting-kinds.ts';
import { TokenBucket } from '../platform/token-bucket.ts';
import type { Registry } from '../registry/registry.ts';
import { checkRoom } from '../registry/room.ts';
import type { RowQuota } from '../serve/row-quota.ts';
import type { Places } from './places.ts';

export type QuotaConfig = Pick<
  Config,
  'tenantRequests' | 'tenantRows' | 'tenantStreams' | 'tenantDatasetBytes' | 'tenantModelBytes'
>;

type Refused = (quota: 'requests' | 'rows' | 'streams' | 'dataset-bytes' | 'model-bytes') => void;

interface Rate {
  readonly policy: QuotaPolicy;
  readonly bucket: TokenBucket;
}

/** a refusal of what does not come back by itself with time */
const retrySeconds = 30;

/** milliseconds; absent: the machine's own clock */
type Clock = (() => number) | undefined;

function rateOf(name: string, perSecond: number | null, now: Clock, unit?: string): Rate | undefined {
  if (perSecond === null) return undefined;
  const policy = { name, quota: perSecond, windowSeconds: 1, ...(unit !== undefined && { unit }) };
  return { policy, bucket: new TokenBucket(perSecond, now) };
}

export class TenantQuota {
  readonly #config: QuotaConfig;
  readonly #refused: Refused;
  readonly #requests: Rate | undefined;
  readonly #rows: Rate | undefined;
  /** absent: as many rows as the models can answer */
  readonly rows: RowQuota | undefined;
  /** RateLimit-Policy of every answer; undefined: no rate is limited */
  readonly policies: string | undefined;
  #streams = 0;
  /** bytes of data sets that are being added */
  #adding = 0;

  constructor(config: QuotaConfig, refused: Refused = () => undefined, now?: Clock) {
    this.#config = config;
    this.#refused = refused;
    this.#requests = rateOf('requests', config.tenantRequests, now);
    this.#rows = rateOf('rows', config.tenantRows, now, 'rows');
    const rates = this.#rates();
    this.policies = rates.length === 0 ? undefined : rates.map(({ policy }) => policyItem(policy)).join(', ');
    this.rows = this.#rows && this.#rowQuota(this.#rows);
  }

  /** Counts a request. Throws `quota-exceeded`. */
  takeRequest(): void {
    if (this.tryRequest()) return;
    this.#refused('requests');
    throw tooFast(
      this.#requests!,
      (rate, wait) =>
        `Your tenant sends more than ${rate} requests a second (HOURGLASS_TENANT_REQUESTS). Try again in ${wait}, or send more rows in each request.`,
    );
  }

  /** Counts a request; false, and nothing counted, where `takeRequest` would throw. */
  tryRequest(): boolean {
    return this.#requests === undefined || this.#requests.bucket.take(1);
  }

  /** For a request that is counted elsewhere. */
  giveRequestBack(): void {
    this.#requests?.bucket.owe(-1);
  }

  /** The RateLimit field: what is there now of each rate. */
  get rateLimit(): string {
    const items = this.#rates().map(({ policy: { name }, bucket }) =>
      serviceItem(name, bucket.remaining, bucket.waitSeconds),
    );
    return items.join(', ');
  }

  /** Counts a stream until the function is called. Throws `quota-exceeded`. */
  openStream(): () => void {
    const { tenantStreams: most } = this.#config;
    if (most !== null && this.#streams >= most) {
      this.#refused('streams');
      throw new HourglassError(
        'quota-exceeded',
        `Your tenant has ${this.#streams} streams, uploads and downloads open, and HOURGLASS_TENANT_STREAMS allows ${most}. Close one first.`,
        {
          ...{ found: this.#streams, expected: most, retryAfter: 1 },
          policy: { name: 'streams', quota: most, unit: 'concurrent-requests' },
        },
      );
    }
    this.#streams++;
    let isOpen = true;
    return () => {
      if (isOpen) this.#streams--;
      isOpen = false;
    };
  }

  /** A stream that also needs one of the places that all clients share. Throws `quota-exceeded`, `overloaded`. */
  takePlace(places: Places, client: string): () => void {
    const close = this.openStream();
    try {
      const giveBack = places.take(client);
      return () => {
        close();
        giveBack();
      };
    } catch (error) {
      close();
      throw error;
    }
  }

  /**
   * For one data set that is being added; undefined where their bytes are not limited. `stored` tells the bytes of those that are
   * there.
   */
  roomForDataset(stored: () => Promise<number>): DatasetRoom | undefined {
    const { tenantDatasetBytes: most } = this.#config;
    if (most === null) return undefined;
    let taken = 0;
    return {
      take: async (bytes) => {
        // Counted before it is waited for, so that of two that come at once one sees the other.
        taken += bytes;
        this.#adding += bytes;
        const found = (await stored()) + this.#adding;
        if (bytes === 0 ? found < most : found <= most) return;
        this.#refused('dataset-bytes');
        throw datasetsFull(found, most);
      },
      release: () => {
        this.#adding -= taken;
        taken = 0;
      },
    };
  }

  /** Throws `quota-exceeded` where the tenant's models leave no room for another version. */
  async checkModels(registry: Registry): Promise<void> {
    const { tenantModelBytes: most } = this.#config;
    if (most === null) return;
    try {
      await checkRoom(registry, most);
    } catch (error) {
      if (error instanceof HourglassError && error.code === 'quota-exceeded') this.#refused('model-bytes');
      throw error;
    }
  }

  #rates(): Rate[] {
    return [this.#requests, this.#rows].filter((rate) => rate !== undefined);
  }

  #rowQuota(rate: Rate): RowQuota {
    return {
      isOpen: () => rate.bucket.remaining > 0,
      take: (rows) => {
        if (rate.bucket.take(rows)) return;
        this.#refused('rows');
        throw tooFast(
          rate,
          (most, wait) =>
            `Your tenant sends more than ${most} rows a second (HOURGLASS_TENANT_ROWS). Try again in ${wait}, or send fewer rows.`,
        );
      },
      owe: (rows) => rate.bucket.owe(rows),
    };
  }
}

/** Bytes that one data set takes while it is being added. */
export interface DatasetRoom {
  /** Counts bytes. Throws `quota-exceeded`; of 0 bytes where nothing more fits. */
  take(bytes: number): Promise<void>;
  /** The data set is there, and counts as stored, or was given up. */
  release(): void;
}

const noLimits: QuotaConfig = {
  ...{ tenantRequests: null, tenantRows: null, tenantStreams: null },
  ...{ tenantDatasetBytes: null, tenantModelBytes: null },
};
export const noQuota = new TenantQuota(noLimits);

/** Accounts outlive the tenants that are kept open: whoever is opened again has what it had. */
const mostKept = 10_000;

export class Quotas {
  readonly #config: QuotaConfig;
  readonly #metrics: Metrics;
  readonly #now: Clock;
  readonly #byTenant = new Map<string, TenantQuota>();

  constructor(config: QuotaConfig, metrics: Metrics, now?: Clock) {
    this.#config = config;
    this.#metrics = metrics;
    this.#now = now;
  }

  of(tenant: string): TenantQuota {
    if (tenant === defaultTenant) return noQuota;
    const known = this.#byTenant.get(tenant);
    if (known) return known;
    const refused: Refused = (quota) => this.#metrics.count('quotaRefusals', 1, { quota });
    const quota = new TenantQuota(this.#config, refused, this.#now);
    const [oldest] = this.#byTenant.keys();
    if (this.#byTenant.size >= mostKept && oldest !== undefined) this.#byTenant.delete(oldest);
    this.#byTenant.set(tenant, quota);
    return quota;
  }
}

/**
 * Members of the header fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4). `rows`,
 * `bytes` and `jobs` are no units of its registry: clients that do not know a unit shall pass its policy over.
 */
export const policyItem = ({ name, quota, unit, windowSeconds }: QuotaPolicy): string =>
  `"${name}";q=${quota}${windowSeconds === undefined ? '' : `;w=${windowSeconds}`}${unit === undefined ? '' : `;qu="${unit}"`}`;

/** `seconds`: for so long nothing more can be had; told only where nothing is left. */
export const serviceItem = (name: string, remaining: number, seconds: number): string =>
  `"${name}";r=${remaining}${remaining > 0 ? '' : `;t=${Math.ceil(seconds)}`}`;

function tooFast({ policy, bucket }: Rate, message: (rate: number, wait: string) => string): HourglassError {
  const seconds = bucket.waitSeconds;
  const wait = seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : `${Math.ceil(seconds)} s`;
  return new HourglassError('quota-exceeded', message(policy.quota, wait), {
    ...{ expected: policy.quota, retryAfter: seconds, policy },
  });
}

const datasetsFull = (found: number, most: number): HourglassError =>
  new HourglassError(
    'quota-exceeded',
    `The data sets of your tenant would take ${found} bytes, and HOURGLASS_TENANT_DATASET_BYTES allows ${showBytes(most)}. Delete some that nobody needs.`,
    { found, expected: most, retryAfter: retrySeconds, policy: { name: 'dataset-bytes', quota: most, unit: 'bytes' } },
  );
