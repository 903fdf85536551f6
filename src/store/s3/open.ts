/** A bucket as a store, with a cache on this machine's disk in front of it. */

import path from 'node:path';
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

export interface BucketStores extends Stores {
  readonly bucket: BucketClient;
}

export function openBucketStores(options: BucketStoreSettings, observe?: ObserveRequests): BucketStores {
  const { cacheDir, cacheBytes, holdMs, threadFromBytes, ...settings } = options;
  const bucket = new BucketClient(settings, observe);
  const cacheOptions = { root: path.join(cacheDir, 'store'), maxBytes: cacheBytes };
  const cache = new FileCache(cacheOptions);
  const objects = new Objects(bucket, cache);
  const threadOf = (index: FileIndex): StoredRows => ThreadRows.open({ settings, cache: cacheOptions, index }, observe);
  return {
    bucket,
    isShared: true,
    versions: new BucketBlobs(bucket, objects, cache, holdMs),
    datasets: new BucketDatasets({
      ...{ bucket, objects, scratch: path.join(cacheDir, 'uploads'), inThread: threadOf },
      ...(threadFromBytes !== undefined && { threadFromBytes }),
    }),
    jobs: new BucketJobs(bucket),
    results: new FolderResults(cacheDir),
    ping: () => bucket.ping(),
    collect: (graceMs) => collectBucket(bucket, objects, graceMs),
    close: async () => bucket.close(),
  };
}
