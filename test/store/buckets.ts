// One S3 server for a test file, and stores on prefixes and disks of their own in it.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import type { Stores } from '../../src/store/contract.ts';
import { openStores } from '../../src/store/open.ts';
import { startBucket, type TestBucket } from '../helpers/s3.ts';

export function emptyDisk(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-disk-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A factory for `describe.each`: each call is an empty store, which it opens as often as asked, each time on an empty disk. */
export function bucketStores<T>(part: (stores: Stores) => T): () => () => Promise<T> {
  let bucket: TestBucket;
  beforeAll(async () => {
    bucket = await startBucket();
  });
  afterAll(() => bucket?.stop());
  return () => {
    const store = `s3://test/${randomUUID()}`;
    return async () => {
      const stores = await openStores(bucket.settings(emptyDisk(), { store }));
      onTestFinished(() => stores.close());
      return part(stores);
    };
  };
}
