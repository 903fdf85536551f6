// Previews of pictures of several sizes: a large one is never read as a whole, and looks as it does.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { DatasetStore, PictureArea } from '../../src/data/dataset.ts';
import { encodePng } from '../../src/data/image.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { readRows } from '../../src/gateway/dataset-preview.ts';
import { rowOfRaster } from '../../src/picture/row.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { zip } from '../data/archives.ts';

const [height, width, channels] = [700, 1200, 3];

it('reads of a large picture a few hundred thousand pixels, at equal distances', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-preview-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const store = createDatasetStore({ files: new FolderDatasets(folder) });
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    return channel === 0 ? ((pixel % width) * 255) / width : (Math.floor(pixel / width) * 255) / height;
  });
  const archive = zip([{ name: 'large.png', data: await encodePng(data, { height, width, channels }) }]);
  const content = Readable.from([archive], { objectMode: false });
  const parts = [{ role: 'rows' as const, fileName: 'a.zip', content }];
  await store.create('large', { parts, options: { keepSizes: true, testFraction: 0 } });

  let mostRead = 0;
  const watched: Pick<DatasetStore, 'info' | 'open'> = {
    info: (name) => store.info(name),
    async open(name) {
      const dataset = await store.open(name);
      const of = dataset.pictures?.bind(dataset);
      if (!of) throw new Error('the set has no pictures of several sizes');
      const pictures: typeof of = (split) => {
        const own = of(split);
        const read = async (index: number, area?: PictureArea) => {
          const raster = await own.read(index, area);
          mostRead = Math.max(mostRead, raster.width * raster.height);
          return raster;
        };
        return { length: own.length, channels: own.channels, size: (index) => own.size(index), read };
      };
      return new Proxy(dataset, { get: (target, key) => (key === 'pictures' ? pictures : Reflect.get(target, key)) });
    },
  };
  const { shape, values, info } = await readRows(watched, 'large', { split: 'train', offset: 0, limit: 1 });
  expect(shape).toEqual([96, 96, 3]);
  expect(mostRead).toBeLessThan(2 ** 18);
  const whole = rowOfRaster({ height, width, channels, data }, { height: 96, width: 96, channels });
  const differences = Array.from(values, (value, i) => Math.abs(value * info.scaling.divisor - (whole[i] ?? 0)));
  expect(Math.max(...differences)).toBeLessThan(4);
});
