/**
 * Opens the storage that the settings name, for one tenant: that of `default` is where everything lay before there were tenants.
 *
 *   data/registry …          s3://bucket/prefix/models …                       the tenant `default`
 *   data/tenants/NAME/…      s3://bucket/prefix/tenants/NAME/…                 another one
 *   data/jobs                s3://bucket/prefix/jobs                           checkpoints, by ids that are no tenant's twice
 * Plain data goes in, so that a child process or a thread opens the same storage from
 * what its parent sends. What a bucket needs is loaded only when there is one.
 */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { defaultTenant, tenantPattern } from '../base/caller.ts';
import type { Config } from '../platform/config.ts';
import type { ObserveRequests, Stores } from './contract.ts';
import { FolderBlobs } from './folder/blobs.ts';
import { FolderDatasets } from './folder/datasets.ts';
import { FolderJobs } from './folder/jobs.ts';
import { FolderResults } from './folder/results.ts';

const tenantRule = new RegExp(tenantPattern);

/** The settings that say where things are kept. */
export type StoreSettings = Pick<Config, 'dataDir'> &
  Partial<Pick<Config, 'store' | 's3Endpoint' | 's3PathStyle' | 'cacheDir' | 'cacheBytes' | 'storeRefreshMs'>> & {
    /** whose; default: the tenant `default` */
    readonly tenant?: string;
  };

export const storeSettings = (config: Config): StoreSettings => {
  const { dataDir, store, s3Endpoint, s3PathStyle, cacheDir, cacheBytes, storeRefreshMs } = config;
  return { dataDir, store, s3Endpoint, s3PathStyle, cacheDir, cacheBytes, storeRefreshMs };
};

/** Throws `storage-full`. A bucket is not asked for anything yet; `observe` is told of each request to it. */
export async function openStores(settings: StoreSettings, observe?: ObserveRequests): Promise<Stores> {
  const {
    dataDir,
    store,
    s3Endpoint,
    s3PathStyle = false,
    storeRefreshMs = 1000,
    cacheBytes = 10 * 2 ** 30,
    tenant = defaultTenant,
  } = settings;
  const cacheDir = settings.cacheDir ?? path.join(dataDir, 'cache');
  if (!store) return openFolders(dataDir, cacheDir, tenant);
  const { openBucketStores } = await import('./s3/open.ts');
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(store) ?? [];
  const place = {
    ...{ bucket, pathStyle: s3PathStyle, cacheDir, cacheBytes, holdMs: storeRefreshMs },
    prefix: prefix === '' ? '' : `${prefix}/`,
    ...(s3Endpoint && { endpoint: s3Endpoint }),
  };
  const stores = openBucketStores(place, observe);
  return tenant === defaultTenant ? stores : stores.forTenant(checkTenant(tenant));
}

async function openFolders(dataDir: string, cacheDir: string, tenant: string): Promise<Stores> {
  const isDefault = tenant === defaultTenant;
  const tenantsFolder = path.join(dataDir, 'tenants');
  const own = isDefault ? dataDir : path.join(tenantsFolder, checkTenant(tenant));
  const builtIns = new FolderDatasets(path.join(dataDir, 'datasets'));
  return {
    isShared: false,
    versions: await FolderBlobs.open(path.join(own, 'registry')),
    datasets: isDefault ? builtIns : new FolderDatasets(path.join(own, 'datasets')),
    builtIns,
    jobs: new FolderJobs(path.join(dataDir, 'jobs')),
    results: new FolderResults(isDefault ? cacheDir : path.join(cacheDir, 'tenants', tenant)),
    // Calls on a folder fail by themselves; what is left over is removed when it is opened.
    ping: async () => {},
    tenants: async () => (await readdir(tenantsFolder).catch(() => [])).filter((name) => tenantRule.test(name)).sort(),
    forTenant: (name) => openFolders(dataDir, cacheDir, name),
    collect: async () => ({ deleted: 0, bytes: 0 }),
    close: async () => {},
  };
}

/** A name that is part of a path. */
function checkTenant(name: string): string {
  if (!tenantRule.test(name)) throw new TypeError('not the name of a tenant');
  return name;
}
