/** A picture as a file becomes a frame of a codec for pictures: what both transports do alike. */

import { HourglassError } from '../base/errors.ts';
import type { PictureTarget } from '../codec/picture/choose-step.ts';
import { decodeWhole } from '../data/image.ts';
import type { PictureCodecs, PictureManifest, ServedFrame } from '../serve/pictures.ts';
import type { Asked } from '../serve/working-version.ts';

/** The picture, and what is asked of its frame; kind and search are of frames of rows. */
export interface PictureQuestion extends PictureTarget {
  readonly kind?: unknown;
  readonly search?: boolean | undefined;
  readonly receipt?: unknown;
}

/** Throws `invalid-request` for what only rows have, and what `PictureCodecs.encode` throws. */
export async function encodePictureFrame(
  codecs: PictureCodecs,
  asked: Asked<PictureManifest>,
  bytes: Uint8Array,
  { kind, search, receipt: _, ...target }: PictureQuestion,
  maxPixels: number,
): Promise<ServedFrame> {
  for (const [name, value] of Object.entries({ kind, search })) {
    // a message cannot tell `false` from absent
    if (value === undefined || value === false) continue;
    throw new HourglassError(
      'invalid-request',
      `?${name} is for frames of rows; pictures have one kind of frame. Leave it out.`,
      { field: name },
    );
  }
  return codecs.encode(asked, (channels) => decodeWhole(bytes, channels, maxPixels), target);
}

/** Throws `invalid-request` where bits a pixel are asked of a model for rows; `name`: as this transport calls the member. */
export function refuseBitsPerPixel(bpp: number | undefined, name: string): void {
  if (bpp === undefined) return;
  throw new HourglassError('invalid-request', `${name} is for codecs of pictures. Ask for maxBytes, psnr or quality.`, {
    field: 'bpp',
  });
}
