/** Data sets that are made or fetched for a recipe and uploaded as any other. */

import path from 'node:path';
import { createDatasetStore } from '../../src/data/store.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { heartbeatForm } from './heartbeats.ts';
import type { Instance } from './instance.ts';
import { movieLensForms } from './movielens.ts';
import { pronunciationForm } from './pronunciation.ts';
import { patchForm } from './scenes.ts';

/** Throws for a name that no data set is made for, and where `npm run bench:data-sets` has not fetched one that it needs. Does nothing when the instance has it already. */
export async function uploadDataset(name: string, instance: Instance, dataFolder: string): Promise<void> {
  if (name === 'movielens-100k') {
    for (const [set, form] of Object.entries(movieLensForms(path.join(dataFolder, name)))) {
      await instance.upload(set, async () => form());
    }
    return;
  }
  if (name === 'ecg5000') {
    await instance.upload(name, async () => heartbeatForm(name, path.join(dataFolder, name)));
    return;
  }
  if (name === 'pronunciation') {
    await instance.upload(name, async () => pronunciationForm(name, path.join(dataFolder, name)));
    return;
  }
  if (name !== 'scene-patches') throw new Error(`there is no way to make the data set ${name}`);
  const store = createDatasetStore({ files: new FolderDatasets(path.join(dataFolder, 'datasets')) });
  await instance.upload(name, async () => {
    const sources = { digits: await store.open('mnist'), clothes: await store.open('fashion-mnist') };
    return patchForm(sources, name);
  });
}
