/**
 * The device's half of a codec for pictures of any size: a version's bundle becomes an encoder that turns pixels into frames. No runtime is
 * needed, for the transform is integer arithmetic: every device, and the server, makes the same frame of the same pixels.
 *
 *   bundle.tar ─► codec ─► pixels (RGBA, any size) ─► coefficients ─► symbols ─► frame
 */

import { HourglassError } from '../base/errors.ts';
import { encodeToTarget, type PictureReceipt, type PictureTarget } from '../codec/picture/choose-step.ts';
import { pictureCodecFromBytes } from '../codec/picture/picture-codec-bytes.ts';
import type { PictureProfile } from '../codec/picture/picture-frame.ts';
import type { Raster } from '../codec/picture/transform.ts';
import { currentPreprocessing } from '../picture/preprocessing.ts';
import { rowOfRaster } from '../picture/row.ts';
import { type BundleManifest, openBundle } from './bundle.ts';
import type { Pixels } from './picture.ts';

export type { PictureReceipt, PictureTarget };

/** What a bundle of a codec for pictures says about itself. */
export interface PictureBundleManifest {
  readonly kind: 'picture';
  readonly model: string;
  readonly decoder: string;
  readonly channels: number;
  /** from coarse to fine, on held-out pictures */
  readonly qualities: readonly { readonly step: number; readonly bpp: number; readonly psnr: number }[];
}

export interface EncodedPictureFrame {
  readonly frame: Uint8Array;
  readonly receipt: PictureReceipt;
}

/** Throws `model-corrupt` when the bundle is damaged, `operation-not-supported` when it is of a model for rows. */
export async function loadPictureEncoder(bundle: Uint8Array): Promise<PictureEncoder> {
  const { manifest, bytes } = openBundle(bundle);
  const described = manifest as BundleManifest | PictureBundleManifest;
  if (!('kind' in described)) {
    throw new HourglassError(
      'operation-not-supported',
      `${manifest.model} is a model for rows. Load its bundle with loadEncoder.`,
    );
  }
  const hash = Uint8Array.from(described.decoder.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  return new PictureEncoder(described, { hash, codec: pictureCodecFromBytes(await bytes('codec.bin')) });
}

export class PictureEncoder {
  readonly manifest: PictureBundleManifest;
  readonly #profile: PictureProfile;

  constructor(manifest: PictureBundleManifest, profile: PictureProfile) {
    this.manifest = manifest;
    this.#profile = profile;
  }

  /**
   * A frame of pixels such as a canvas's ImageData. Transparent pixels are laid on white unless the model has alpha. Throws `invalid-request`
   * for a target that contradicts itself or cannot come true, `shape-mismatch` for pixels that do not fill the picture.
   */
  encode(pixels: Pixels, target: PictureTarget = {}): EncodedPictureFrame {
    const { width, height, data } = pixels;
    const isPicture = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
    if (!isPicture || data.length !== 4 * width * height) {
      throw new HourglassError(
        'shape-mismatch',
        `${data.length} bytes are not ${width} × ${height} pixels of four bytes each.`,
        {
          expected: [height, width, 4],
        },
      );
    }
    return encodeToTarget(this.manifest.model, this.#profile, rasterOf(pixels, this.#profile.codec.channels), target);
  }
}

function rasterOf(pixels: Pixels, channels: number): Raster {
  const { width, height, data } = pixels;
  if (channels === 4 || (channels === 3 && isOpaque(data))) return { width, height, channels: 4, data };
  const preprocessing = { ...currentPreprocessing, transparency: 'white' } as const;
  return { width, height, channels, data: rowOfRaster(pixels, { width, height, channels }, preprocessing) };
}

function isOpaque(data: Uint8ClampedArray): boolean {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}
