/** A picture as a file becomes what a model that restores pictures takes: what both transports do alike. */

import { decodeWhole } from '../data/image.ts';
import type { Damaged, PictureRestorers, Restored, RestorerManifest } from '../serve/restorers.ts';
import type { Asked } from '../serve/working-version.ts';

/** Alpha below it is a hole. */
const opaque = 128;

/** Throws what `PictureRestorers.restore` and `decodeWhole` throw. */
export function restoreFile(
  restorers: PictureRestorers,
  asked: Asked<RestorerManifest>,
  bytes: Uint8Array,
  maxPixels: number,
): Promise<Restored> {
  return restorers.restore(asked, async ({ channels, hasMask }): Promise<Damaged> => {
    if (!hasMask) return { raster: await decodeWhole(bytes, channels as 1 | 3 | 4, maxPixels) };
    const whole = await decodeWhole(bytes, 4, maxPixels);
    const { width, height, data } = whole;
    const holes = new Uint8Array(width * height);
    for (let i = 0; i < holes.length; i++) holes[i] = (data[4 * i + 3] as number) < opaque ? 1 : 0;
    const raster = channels === 1 ? await decodeWhole(bytes, 1, maxPixels) : whole;
    return { raster, holes };
  });
}
