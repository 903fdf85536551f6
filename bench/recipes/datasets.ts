/** Data sets that are made or fetched for a recipe and uploaded as any other. */

import path from 'node:path';
import { createDatasetStore } from '../../src/data/store.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { fieldForm, pixelsOf, readFields } from './fields.ts';
import { heartbeatForm } from './heartbeats.ts';
import type { Instance } from './instance.ts';
import { movieLensForms } from './movielens.ts';
import { pronunciationForm } from './pronunciation.ts';
import { patchForm } from './scenes.ts';

/** What fields' patches are like: chosen on development data, see ../fields.md. */
const fieldPatches = { patch: 12, components: 20 };

/** By the name of a recipe's data set: the forms to upload, by the name of each data set; data that was fetched is in `folder`. */
const fetched: Readonly<Record<string, (folder: string) => Readonly<Record<string, () => FormData>>>> = {
  'movielens-100k': movieLensForms,
  ecg5000: (folder) => ({ ecg5000: () => heartbeatForm('ecg5000', folder) }),
  pronunciation: (folder) => ({ pronunciation: () => pronunciationForm('pronunciation', folder) }),
  'indian-pines': (folder) => ({
    'indian-pines': () => {
      const fields = readFields(folder);
      return fieldForm('indian-pines', fields, pixelsOf('indian-pines', fields.classes), fieldPatches);
    },
  }),
};

/**
 * Does nothing when the instance has it already. Throws for a name that no data set is made for, and where `npm run bench:data-sets` has not
 * fetched one that it needs.
 */
export async function uploadDataset(name: string, instance: Instance, dataFolder: string): Promise<void> {
  const forms = fetched[name]?.(path.join(dataFolder, name));
  for (const [set, form] of Object.entries(forms ?? {})) await instance.upload(set, async () => form());
  if (forms) return;
  if (name !== 'scene-patches') throw new Error(`there is no way to make the data set ${name}`);
  const store = createDatasetStore({ files: new FolderDatasets(path.join(dataFolder, 'datasets')) });
  await instance.upload(name, async () => {
    const sources = { digits: await store.open('mnist'), clothes: await store.open('fashion-mnist') };
    return patchForm(sources, name);
  });
}
