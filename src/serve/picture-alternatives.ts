/**
 * Whether WebP suits a picture better than the model that coded it. Trying costs several encodings, so larger pictures are tried only where
 * there is a reason: the model fell short, or the picture takes clearly more bits than pictures of the model's kind do at this PSNR.
 */

import type { PictureReceipt, PictureTarget } from '../codec/picture/choose-step.ts';
import type { Raster } from '../codec/picture/transform.ts';
import type { Alternative } from '../codec/receipt.ts';
import type { PictureCodecFacts } from '../registry/manifest.ts';
import type { WebpCoder } from './alternatives.ts';

export interface Coded {
  readonly raster: Raster;
  readonly receipt: PictureReceipt;
  readonly target: PictureTarget;
  /** what the model's qualities took on held-out pictures */
  readonly picture: PictureCodecFacts;
}

/** Larger pictures would hold up the answer for too long. */
const mostPixels = 2 ** 20;
/** Always tried up to here: it takes some tens of milliseconds. */
const fewPixels = 2 ** 16;
/** times the bits of held-out pictures */
const unusual = 1.3;

/** Undefined when WebP is not tried, does not get there, or takes as many bytes. */
export async function betterWebp(webp: WebpCoder, coded: Coded): Promise<readonly Alternative[] | undefined> {
  const { raster, receipt, target, picture } = coded;
  const { width, height, channels } = raster;
  if (width * height > mostPixels) return undefined;
  const isShort = receipt.shortfall !== undefined;
  const isUnusual = receipt.bpp > unusual * usualBits(picture.qualities, receipt.estimatedPsnr);
  if (width * height > fewPixels && !isShort && !isUnusual) return undefined;
  const psnr = isShort && target.psnr !== undefined ? target.psnr : receipt.estimatedPsnr;
  const shape = [height, width, channels];
  const found = await webp(Float32Array.from(raster.data), { shape, range: [0, 255], psnr });
  if (!found || (!isShort && found.bytes >= receipt.wireBytes)) return undefined;
  return [{ type: 'webp', ...found }];
}

/** Bits a pixel of held-out pictures at a PSNR, between the qualities on a logarithmic scale; beyond them the last one's. */
function usualBits(qualities: PictureCodecFacts['qualities'], psnr: number): number {
  const above = qualities.findIndex((quality) => quality.psnr >= psnr);
  const [from, to] = [qualities[above - 1], qualities[above]];
  if (!from || !to) return (above < 0 ? qualities.at(-1) : qualities[0])?.bpp ?? Number.POSITIVE_INFINITY;
  const share = (psnr - from.psnr) / (to.psnr - from.psnr);
  return from.bpp * (to.bpp / from.bpp) ** share;
}
