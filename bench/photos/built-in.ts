/** Pictures of a built-in data set, whose package must be installed, laid on white. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Raster } from '../../src/codec/picture/transform.ts';
import type { SplitName } from '../../src/data/dataset.ts';
import { picturesOf } from '../../src/data/pictures.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';

export async function builtInPictures(name: string): Promise<Readonly<Record<SplitName, readonly Raster[]>>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hourglass-built-in-'));
  try {
    const dataset = await createDatasetStore({ files: new FolderDatasets(folder) }).open(name);
    const read = async (split: SplitName): Promise<Raster[]> => {
      const pictures = picturesOf(dataset, split);
      if (!pictures) throw new Error(`the rows of ${name} are no pictures`);
      const rasters: Raster[] = [];
      for (let i = 0; i < pictures.length; i++) rasters.push(onWhite(await pictures.read(i)));
      return rasters;
    };
    const found = { train: await read('train'), test: await read('test') };
    await dataset.close();
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function onWhite(raster: Raster): Raster {
  const { width, height, channels, data } = raster;
  if (channels !== 4) return raster;
  const out = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    const alpha = data[4 * i + 3] as number;
    for (let c = 0; c < 3; c++) {
      out[3 * i + c] = Math.round(((data[4 * i + c] as number) * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return { width, height, channels: 3, data: out };
}
