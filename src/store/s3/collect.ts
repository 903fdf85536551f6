/**
 * Deletes what nothing points to any more: objects of publications that were not finished, of deleted versions and of deleted
 * data sets. Nothing younger than the grace time goes, and nothing that a running job may read: a deleted data set stays as long
 * as there is a job that began before the deletion.
 */

import type { Collected } from '../contract.ts';
import { parseRecord } from './blobs.ts';
import type { BucketClient, ListedObject } from './bucket.ts';
import { datasetPrefix, deletedPrefix, parseDataset } from './datasets.ts';
import { type JobState, jobPrefix } from './jobs.ts';
import { type Objects, objectPrefix, shortestGraceMs } from './objects.ts';
import type { FileIndex } from './rows.ts';

/** Throws `storage-unavailable`. Safe beside publications, uploads and other collectors. The jobs of all tenants are in `jobs`. */
export async function collectBucket(
  bucket: BucketClient,
  objects: Objects,
  graceMs: number,
  jobs: BucketClient = bucket,
): Promise<Collected> {
  const limit = Date.now() - Math.max(graceMs, shortestGraceMs);
  // Objects first: what is written from now on is younger than anything in this list.
  const old: ListedObject[] = [];
  for await (const object of bucket.list(objectPrefix)) {
    if (object.modifiedAt < limit) old.push(object);
  }
  await forgetDeletedSets(bucket, jobs, limit);
  const used = await usedObjects(bucket, objects);
  let deleted = 0;
  let bytes = 0;
  for (const { key, etag, bytes: size } of old) {
    const now = used.has(shaOf(key)) ? undefined : await bucket.head(key);
    // Written again meanwhile: someone is about to point to it.
    if (!now || now.modifiedAt >= limit || !(await bucket.deleteIf(key, etag))) continue;
    deleted++;
    bytes += size;
  }
  return { deleted, bytes };
}

const shaOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

async function usedObjects(bucket: BucketClient, objects: Objects): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for await (const { key } of bucket.list('models/')) {
    if (!key.includes('/groups/')) continue;
    const found = await bucket.get(key);
    for (const { sha256 } of Object.values(found ? parseRecord(found.bytes).blobs : {})) used.add(sha256);
  }
  for (const prefix of [datasetPrefix, deletedPrefix]) {
    for await (const { key } of bucket.list(prefix)) {
      const found = await bucket.get(key);
      for (const index of Object.values(found ? parseDataset(found.bytes).files : {})) {
        used.add(index);
        const bytes = await objects.get(index);
        const { shards } = bytes ? (JSON.parse(Buffer.from(bytes).toString()) as FileIndex) : { shards: [] };
        for (const { sha256 } of shards) used.add(sha256);
      }
    }
  }
  return used;
}

/** Forgets deleted data sets that no job reads: deleted before `limit`, and no unfinished job began before that. */
async function forgetDeletedSets(bucket: BucketClient, jobs: BucketClient, limit: number): Promise<void> {
  let oldestJob = Number.POSITIVE_INFINITY;
  const deletedSets: ListedObject[] = [];
  for await (const object of bucket.list(deletedPrefix)) deletedSets.push(object);
  if (deletedSets.length === 0) return;
  for await (const { key } of jobs.list(jobPrefix)) {
    const found = key.endsWith('/state') ? await jobs.get(key) : undefined;
    if (found) oldestJob = Math.min(oldestJob, (JSON.parse(Buffer.from(found.bytes).toString()) as JobState).began);
  }
  const done = deletedSets.filter(({ modifiedAt }) => modifiedAt < limit && modifiedAt < oldestJob);
  await bucket.deleteAll(done.map(({ key }) => key));
}
