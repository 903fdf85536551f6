/** The pictures of a data set, whole or in part, whether all have one size or each its own. */

import { sizeOf } from '../base/ndarray.ts';
import type { Raster } from '../codec/picture/transform.ts';
import { pictureShapeOf } from '../picture/preprocessing.ts';
import type { Dataset, PictureArea, Pictures, SplitName } from './dataset.ts';

/** Undefined when the rows of the set are no pictures. */
export function picturesOf(dataset: Dataset, split: SplitName): Pictures | undefined {
  const own = dataset.pictures?.(split);
  if (own) return own;
  const shape = pictureShapeOf(dataset.info.shape);
  if (!shape) return undefined;
  const rows = dataset.split(split);
  const { height, width, channels } = shape;
  const scale = 255 / (dataset.info.range[1] <= 1 ? 1 : 255);
  return {
    length: rows.length,
    channels: channels as Pictures['channels'],
    size: () => ({ height, width }),
    async read(index, area = { top: 0, left: 0, height, width }) {
      const values = new Float32Array(sizeOf(dataset.info.shape));
      await rows.readRange(index, index + 1, values);
      const data = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.round(value * scale))));
      return cropRaster({ height, width, channels, data }, area);
    },
  };
}

/** Pictures that are in memory already. */
export const picturesInMemory = (rasters: readonly Raster[], channels: Pictures['channels']): Pictures => ({
  length: rasters.length,
  channels,
  size: (index) => rasters[index] as Raster,
  read: async (index, area) => {
    const raster = rasters[index] as Raster;
    return area ? cropRaster(raster, area) : raster;
  },
});

export function cropRaster({ width, height, channels, data }: Raster, area: PictureArea): Raster {
  if (area.height === height && area.width === width) return { width, height, channels, data };
  const out = new Uint8Array(area.height * area.width * channels);
  for (let y = 0; y < area.height; y++) {
    const from = ((area.top + y) * width + area.left) * channels;
    out.set(data.subarray(from, from + area.width * channels), y * area.width * channels);
  }
  return { width: area.width, height: area.height, channels, data: out };
}

/** Some pictures of a split, without the others. */
export const somePictures = (pictures: Pictures, start: number, end: number): Pictures => ({
  ...pictures,
  length: end - start,
  size: (index) => pictures.size(start + index),
  read: (index, area) => pictures.read(start + index, area),
});
