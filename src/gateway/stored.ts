/** Opens what is stored, for the processes that look at it: models and data sets of the tenant `default`, and of others when asked. */

import { ImportPool } from '../data/import-pool.ts';
import { createDatasetStore } from '../data/store.ts';
import type { UploadLimits } from '../data/upload.ts';
import type { Config } from '../platform/config.ts';
import type { Metrics } from '../platform/metrics.ts';
import { Registry, type RegistryOptions } from '../registry/registry.ts';
import type { Stores } from '../store/contract.ts';
import { openStores } from '../store/open.ts';
import { observeInto } from '../store/request-metrics.ts';

export interface StoredOptions {
  /** told of requests to a bucket */
  readonly metrics?: Metrics;
  readonly limits?: Partial<UploadLimits>;
  /** splits of data sets up to this size are kept in memory */
  readonly cacheBytes?: number;
}

/** Models of other tenants whose state is kept in memory, of each */
const keptModels = 100;

/** Throws what `openStores` throws. */
export async function openStored(config: Config, { metrics, limits = {}, cacheBytes }: StoredOptions = {}) {
  const imports = new ImportPool({ threads: config.importThreads, heapBytes: config.importMemoryBytes });
  const root = await openStores(config, metrics && observeInto(metrics));
  const open = async (stores: Stores, options: RegistryOptions) => ({
    stores,
    registry: await Registry.open(stores.versions, { ...options, ...(stores.isShared && { orphanAgeMs: 'never' }) }),
    datasets: createDatasetStore({
      ...{ files: stores.datasets, builtIns: stores.builtIns, limits, imports },
      ...(cacheBytes !== undefined && { cacheBytes }),
    }),
  });
  const first = await open(root, {});
  const ofTenant = async (tenant: string) =>
    open(await root.forTenant(tenant), { tenant, lender: first.registry, maxModels: keptModels });
  return { ...first, ofTenant };
}
