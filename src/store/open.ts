/**
 * Opens the storage that the settings name. Plain data goes in, so that a child process or a thread opens the same storage from
 * what its parent sends. What a bucket needs is loaded only when there is one.
 */

import path from 'node:path';
import type { Config } from '../platform/config.ts';
import type { ObserveRequests, Stores } from './contract.ts';
import { FolderBlobs } from './folder/blobs.ts';
import { FolderDatasets } from './folder/datasets.ts';
import { FolderJobs } from './folder/jobs.ts';
import { FolderResults } from './folder/results.ts';

/** The settings that say where things are kept. */
export type StoreSettings = Pick<Config, 'dataDir'> &
  Partial<Pick<Config, 'store' | 's3Endpoint' | 's3PathStyle' | 'cacheDir' | 'cacheBytes' | 'storeRefreshMs'>>;

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
  } = settings;
  const cacheDir = settings.cacheDir ?? path.join(dataDir, 'cache');
  if (store) {
    const { openBucketStores } = await import('./s3/open.ts');
    const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(store) ?? [];
    const place = {
      ...{ bucket, pathStyle: s3PathStyle, cacheDir, cacheBytes, holdMs: storeRefreshMs },
      prefix: prefix === '' ? '' : `${prefix}/`,
      ...(s3Endpoint && { endpoint: s3Endpoint }),
    };
    return openBucketStores(place, observe);
  }
  return {
    isShared: false,
    versions: await FolderBlobs.open(path.join(dataDir, 'registry')),
    datasets: new FolderDatasets(path.join(dataDir, 'datasets')),
    jobs: new FolderJobs(path.join(dataDir, 'jobs')),
    results: new FolderResults(cacheDir),
    // Calls on a folder fail by themselves; what is left over is removed when it is opened.
    ping: async () => {},
    collect: async () => ({ deleted: 0, bytes: 0 }),
    close: async () => {},
  };
}
