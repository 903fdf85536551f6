/**
 * What handlers work with, by tenant: queue, models, data sets and predictions of the caller's own tenant and of nobody else.
 * Transports look it up once for each call, from its Caller; a handler has no other way to any of it, so that what belongs
 * to another tenant is for it as if it did not exist.
 */

import { defaultTenant } from '../base/caller.ts';
import type { DatasetStore } from '../data/dataset.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import type { PredictionService } from '../serve/prediction-service.ts';
import type { TenantQuota } from './quotas.ts';

export interface Tenant {
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly predictions: PredictionService;
  readonly quota: TenantQuota;
}

/** Tenants that are kept open. One that is closed is opened again when it is asked for; nothing of it is lost. */
const mostOpen = 500;

export class Tenants {
  readonly #first: Tenant;
  readonly #open: (name: string) => Promise<Tenant>;
  /** in order of use, the longest unused first */
  readonly #others = new Map<string, Tenant>();
  readonly #opening = new Map<string, Promise<Tenant>>();

  /** `first` is the tenant `default`; `open` makes others at their first use. */
  constructor(first: Tenant, open: (name: string) => Promise<Tenant> = () => Promise.reject(new Error('one tenant'))) {
    this.#first = first;
    this.#open = open;
  }

  /** Without a promise where it is open. Rejects with what opening its storage throws, such as `storage-unavailable`. */
  of(name: string): Tenant | Promise<Tenant> {
    if (name === defaultTenant) return this.#first;
    const known = this.#others.get(name);
    if (!known) return this.#begin(name);
    this.#others.delete(name);
    this.#others.set(name, known);
    return known;
  }

  #begin(name: string): Promise<Tenant> {
    const running = this.#opening.get(name);
    if (running) return running;
    const opening = this.#open(name)
      .then((tenant) => {
        this.#others.set(name, tenant);
        const [oldest] = this.#others.keys();
        if (this.#others.size > mostOpen && oldest !== undefined) this.#others.delete(oldest);
        return tenant;
      })
      .finally(() => this.#opening.delete(name));
    this.#opening.set(name, opening);
    return opening;
  }
}
