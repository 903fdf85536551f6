/** Pictures of any size as answers: a file, or numbers as one row. */

import { float32 } from '../../../base/ndarray.ts';
import type { Raster } from '../../../codec/picture/transform.ts';
import { encodeWhole } from '../../../data/image.ts';
import { OutputFormat } from '../../../gen/hourglass/v1/inference_pb.ts';
import type { Demand } from '../../../serve/predictor.ts';
import { tensorMessage } from './tensor.ts';

/** PNG, or one row [1, height, width, channels] of numbers from 0 to 255. Throws `overloaded` when the numbers would find no room. */
export async function pictureContent(raster: Raster, format: OutputFormat, demand: Pick<Demand, 'reserve'>) {
  if (format !== OutputFormat.VALUES && format !== OutputFormat.RAW) {
    const files = [await encodeWhole(raster, 'image/png')];
    return { case: 'images', value: { files } } as const;
  }
  const { height, width, channels, data } = raster;
  demand.reserve?.(data.length * Float32Array.BYTES_PER_ELEMENT);
  const row = float32([1, height, width, channels], Float32Array.from(data));
  return { case: 'outputs', value: tensorMessage(row, format === OutputFormat.RAW) } as const;
}
