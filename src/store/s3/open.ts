/** A bucket as a store, with a cache on this machine's disk in front of it. */

import path from 'node:path';
import { defaultTenant } from '../../base/caller.ts';
import { FileCache } from '../cache.ts';
import type { ObserveRequests, StoredRows, Stores } from '../contract.ts';
import { FolderResults } from '../folder/results.ts';
import { BucketBlobs } from './blobs.ts';
import { BucketClient, type BucketSettings } from './bucket.ts';
import { collectBucket } from './collect.ts';
import { BucketDatasets } from './datasets.ts';
import { BucketJobs } from './jobs.ts';
import { Objects } from './objects.ts';
import type { FileIndex } from './rows.ts';
import { ThreadRows } from './thread-rows.ts';

export interface BucketStoreSettings extends BucketSettings {
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** how long what was seen of a model is believed */
  readonly holdMs: number;
  /** files of data sets from this size on are read by a thread; default: where that pays */
  readonly threadFromBytes?: number;
}

const tenantPrefix = 'tenants/';

export interface BucketStores extends Stores {
  readonly bucket: BucketClient;
}

/** Of the tenant `default`; `forTenant` gives those of others, over the same connections. */
export function openBucketStores(options: BucketStoreSettings, observe?: ObserveRequests): BucketStores {
  const { cacheDir, cacheBytes, holdMs, threadFromBytes, ...root } = options;
  const bucket = new BucketClient(root, observe);
  // Files are named after their content there, and read by those whose records name them: tenants may share them.
  const cacheOptions = { root: path.join(cacheDir, 'store'), maxBytes: cacheBytes };
  const datasetsIn = (client: BucketClient, settings: BucketSettings, cache: FileCache): BucketDatasets => {
    const inThread = (index: FileIndex): StoredRows =>
      ThreadRows.open({ settings, cache: cacheOptions, index }, observe);
    return new BucketDatasets({
      ...{ bucket: client, objects: new Objects(client, cache), scratch: path.join(cacheDir, 'uploads'), inThread },
      ...(threadFromBytes !== undefined && { threadFromBytes }),
    });
  };
  const cache = new FileCache(cacheOptions);
  const builtIns = datasetsIn(bucket, root, cache);

  const open = (tenant: string): BucketStores => {
    const isDefault = tenant === defaultTenant;
    const under = `${tenantPrefix}${tenant}/`;
    const own = isDefault ? bucket : bucket.under(under);
    const ownCache = isDefault ? cache : new FileCache({ ...cacheOptions, nameSpace: tenant });
    const objects = new Objects(own, ownCache);
    return {
      bucket,
      isShared: true,
      versions: new BucketBlobs(own, objects, ownCache, holdMs),
      datasets: isDefault ? builtIns : datasetsIn(own, { ...root, prefix: root.prefix + under }, ownCache),
      builtIns,
      jobs: new BucketJobs(bucket),
      results: new FolderResults(isDefault ? cacheDir : path.join(cacheDir, 'tenants', tenant)),
      ping: () => bucket.ping(),
      tenants: () => bucket.folders(tenantPrefix),
      forTenant: async (name) => open(name),
      collect: (graceMs) => collectBucket(own, objects, graceMs, bucket),
      close: async () => bucket.close(),
    };
  };
  return open(defaultTenant);
}
