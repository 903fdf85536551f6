/** A bucket as a store, with a cache on this machine's disk in front of it. */

import path from 'node:path';
import { FileCache } from '../cache.ts';
import type { Stores } from '../contract.ts';
import { FolderResults } from '../folder/results.ts';
import { BucketBlobs } from './blobs.ts';
import { BucketClient, type BucketSettings } from './bucket.ts';
import { collectBucket } from './collect.ts';
import { BucketDatasets } from './datasets.ts';
import { BucketJobs } from './jobs.ts';
import { Objects } from './objects.ts';

export interface BucketStoreSettings extends BucketSettings {
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** how long what was seen of a model is believed */
  readonly holdMs: number;
}

export interface BucketStores extends Stores {
  readonly bucket: BucketClient;
}

export function openBucketStores({ cacheDir, cacheBytes, holdMs, ...settings }: BucketStoreSettings): BucketStores {
  const bucket = new BucketClient(settings);
  const cache = new FileCache({ root: path.join(cacheDir, 'store'), maxBytes: cacheBytes });
  const objects = new Objects(bucket, cache);
  return {
    bucket,
    isShared: true,
    versions: new BucketBlobs(bucket, objects, cache, holdMs),
    datasets: new BucketDatasets(bucket, objects, path.join(cacheDir, 'uploads')),
    jobs: new BucketJobs(bucket),
    results: new FolderResults(cacheDir),
    ping: () => bucket.ping(),
    collect: (graceMs) => collectBucket(bucket, objects, graceMs),
    close: async () => bucket.close(),
  };
}
