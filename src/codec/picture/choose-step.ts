/** From what is asked of a picture's frame to its step: one rule for the server and for devices. */

import { HourglassError } from '../../base/errors.ts';
import { qualitySteps, stepCount } from './picture-codec.ts';
import { coefficientsIn, type EncodedPicture, encodePicture, type PictureProfile } from './picture-frame.ts';
import type { Raster } from './transform.ts';

/** At most one of the four; with none quality 8. */
export interface PictureTarget {
  /** 0 to 15, from coarse to fine */
  readonly quality?: number | undefined;
  /** the finest step whose whole frame is no longer */
  readonly maxBytes?: number | undefined;
  /** the same by bits a pixel */
  readonly bpp?: number | undefined;
  /** dB: the coarsest step that reaches it on this picture before the decoder's network makes it better */
  readonly psnr?: number | undefined;
}

export interface PictureReceipt {
  readonly model: string;
  /** SHA-256 of decoder and codec; the frame carries its beginning */
  readonly decoder: string;
  readonly kind: 'picture';
  readonly width: number;
  readonly height: number;
  /** number of the step; 8 more are twice the step */
  readonly step: number;
  /** the picture at one byte a value */
  readonly rawBytes: number;
  /** the frame with all its framing */
  readonly wireBytes: number;
  /** rawBytes / wireBytes */
  readonly ratio: number;
  /** bits a pixel */
  readonly bpp: number;
  /** dB of this picture without the decoder's network, which adds some tenths as a rule */
  readonly estimatedPsnr: number;
  /** said when the model cannot do what was asked */
  readonly shortfall?: string;
}

const defaultQuality = 8;

/** Throws `invalid-request` for options that contradict each other or cannot come true. */
export function encodeToTarget(
  name: string,
  profile: PictureProfile,
  raster: Raster,
  target: PictureTarget,
): { readonly frame: Uint8Array; readonly receipt: PictureReceipt } {
  const { quality = defaultQuality, maxBytes, bpp, psnr } = target;
  if ([target.quality, maxBytes, bpp, psnr].filter((dial) => dial !== undefined).length > 1) {
    throw new HourglassError(
      'invalid-request',
      'quality, maxBytes, bpp and psnr exclude each other. Give one of them.',
      {
        expected: 'one of quality, maxBytes, bpp, psnr',
      },
    );
  }
  const { width, height } = raster;
  const coefficients = coefficientsIn(profile.codec, raster);
  const at = (step: number): EncodedPicture => encodePicture(profile, raster, { step }, coefficients);
  let shortfall: string | undefined;
  let step = qualitySteps[Math.max(0, Math.min(qualitySteps.length - 1, quality))] as number;
  let made: EncodedPicture | undefined;
  if (quality >= qualitySteps.length)
    shortfall = `${name} has qualities 0 to ${qualitySteps.length - 1}, no ${quality}.`;
  const most = maxBytes ?? (bpp === undefined ? undefined : Math.floor((bpp * width * height) / 8));
  if (most !== undefined) {
    step = firstStep((candidate) => at(candidate).frame.length <= most);
    made = at(step);
    if (made.frame.length > most) {
      throw new HourglassError(
        'invalid-request',
        `The coarsest step of ${name} takes ${made.frame.length} bytes for this picture. Allow that many, or send it smaller.`,
        { field: maxBytes === undefined ? 'bpp' : 'maxBytes', expected: { atLeast: made.frame.length }, found: most },
      );
    }
  } else if (psnr !== undefined) {
    // the finest step that falls short, less one
    step = Math.max(0, firstStep((candidate) => decibels(at(candidate)) < psnr) - 1);
    if (decibels(at(stepCount - 1)) >= psnr) step = stepCount - 1;
    made = at(step);
    if (decibels(made) < psnr)
      shortfall = `${name} reaches about ${decibels(made).toFixed(1)} dB with this picture, not ${psnr} dB.`;
  }
  made ??= at(step);
  const wireBytes = made.frame.length;
  const rawBytes = width * height * profile.codec.channels;
  const receipt: PictureReceipt = {
    model: name,
    decoder: Array.from(profile.hash, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    kind: 'picture',
    ...{ width, height, step, rawBytes, wireBytes },
    ratio: hundredths(rawBytes / wireBytes),
    bpp: Math.round((8e4 * wireBytes) / (width * height)) / 1e4,
    estimatedPsnr: hundredths(decibels(made)),
    ...(shortfall !== undefined && { shortfall }),
  };
  return { frame: made.frame, receipt };
}

/** The finest step from which on `holds`, which is taken to hold for all coarser ones; the coarsest when it holds for none. */
function firstStep(holds: (step: number) => boolean): number {
  let [low, high] = [0, stepCount - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const decibels = ({ squaredError }: EncodedPicture): number =>
  squaredError === 0 ? 99 : Math.min(99, 10 * Math.log10(255 ** 2 / squaredError));

const hundredths = (value: number): number => Math.round(100 * value) / 100;
