/** Which quality a frame gets: one rule for the server and for devices. */

import { HourglassError } from '../base/errors.ts';

/** At most one of the three; with none the finest quality. */
export interface QualityTarget {
  /** index of a quality, coarse to fine */
  readonly quality?: number | undefined;
  /** the finest quality whose whole frame is no longer */
  readonly maxBytes?: number | undefined;
  /** dB: the coarsest quality that is expected to reach it, the finest when none does */
  readonly psnr?: number | undefined;
}

export interface QualityChoice {
  readonly index: number;
  /** said when the model cannot do what was asked */
  readonly shortfall?: string;
}

export interface ChoiceOptions {
  /** the model, for messages: `digits@2` */
  readonly name: string;
  /** from coarse to fine */
  readonly qualities: readonly { readonly psnr: number }[];
  readonly target: QualityTarget;
  /** length of the frame at a quality */
  readonly bytesAt: (index: number) => number | Promise<number>;
}

/** Throws `invalid-request` for options that contradict each other. */
export function checkTarget({ quality, maxBytes, psnr }: QualityTarget): void {
  if ([quality, maxBytes, psnr].filter((dial) => dial !== undefined).length <= 1) return;
  throw new HourglassError('invalid-request', 'quality, maxBytes and psnr exclude each other. Give one of them.', {
    expected: 'one of quality, maxBytes, psnr',
  });
}

/** Throws `invalid-request` when the coarsest quality takes more bytes than allowed. */
export async function chooseQuality({ name, qualities, target, bytesAt }: ChoiceOptions): Promise<QualityChoice> {
  const finest = qualities.length - 1;
  const best = qualities[finest]?.psnr.toFixed(1);
  const { quality, maxBytes, psnr } = target;
  if (psnr !== undefined) {
    const index = qualities.findIndex((candidate) => candidate.psnr >= psnr);
    if (index >= 0) return { index };
    return { index: finest, shortfall: `${name} reaches about ${best} dB, not ${psnr} dB.` };
  }
  if (quality !== undefined) {
    if (quality <= finest) return { index: quality };
    const shortfall = `${name} has qualities 0 to ${finest}, no ${quality}; ${finest} reaches about ${best} dB.`;
    return { index: finest, shortfall };
  }
  if (maxBytes === undefined) return { index: finest };
  let least = 0;
  for (let index = finest; index >= 0; index--) {
    least = await bytesAt(index);
    if (least <= maxBytes) return { index };
  }
  throw new HourglassError(
    'invalid-request',
    `The coarsest quality of ${name} takes ${least} bytes for these rows. Allow that many, or send fewer rows.`,
    { field: 'maxBytes', expected: { atLeast: least }, found: maxBytes },
  );
}
