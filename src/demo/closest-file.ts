/** A picture as a file of this browser that is about as long as another one, or about as good. */

import { type LossyPicture, type LossyType, lossyPicture } from '../console/picture-formats.ts';
import type { Pixels } from '../sdk/picture.ts';

/** Of files that are no longer the best one; of files that are as good the shortest one. */
export type Wish = { readonly bytes: number } | { readonly psnr: number };

/** The coarsest or finest file where none comes so far; undefined where this browser writes no such files. */
export async function closestFile(pixels: Pixels, type: LossyType, wish: Wish): Promise<LossyPicture | undefined> {
  let found: LossyPicture | undefined;
  let last: LossyPicture | undefined;
  for (let [low, high] = [1, 101]; low < high; ) {
    const quality = (low + high) >> 1;
    const made = await lossyPicture(pixels, type, quality / 100);
    if (!made) return undefined;
    last = made;
    const isFine = 'bytes' in wish ? made.bytes > wish.bytes : made.psnr >= wish.psnr;
    if ('bytes' in wish ? !isFine : isFine) found = made;
    [low, high] = isFine ? [low, quality] : [quality + 1, high];
  }
  return found ?? last;
}
