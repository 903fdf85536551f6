/**
 * Opens the storage that the settings name. Plain data goes in, so that a child process or a thread opens the same storage from
 * what its parent sends.
 */

import path from 'node:path';
import type { Config } from '../platform/config.ts';
import type { Stores } from './contract.ts';
import { FolderBlobs } from './folder/blobs.ts';
import { FolderDatasets } from './folder/datasets.ts';
import { FolderJobs } from './folder/jobs.ts';
import { FolderResults } from './folder/results.ts';

/** The settings that say where things are kept. */
export type StoreSettings = Pick<Config, 'dataDir'>;

export const storeSettings = ({ dataDir }: StoreSettings): StoreSettings => ({ dataDir });

/** Throws `storage-full`. */
export async function openStores({ dataDir }: StoreSettings): Promise<Stores> {
  return {
    versions: await FolderBlobs.open(path.join(dataDir, 'registry')),
    datasets: new FolderDatasets(path.join(dataDir, 'datasets')),
    jobs: new FolderJobs(path.join(dataDir, 'jobs')),
    results: new FolderResults(path.join(dataDir, 'cache')),
  };
}
