/**
 * Warnings about rows outside of the range of values that a model was trained on: it answers them, but the answer may mean
 * nothing. The usual cause are rows that were not scaled as the data set was.
 */

import type { Manifest, Operation } from '../registry/manifest.ts';
import type { OutsideRange, ValueRange } from './row-check.ts';
import { takesCodes } from './served-model.ts';

/** excursions up to this part of the range are not worth a word */
const tolerance = 0.01;
/** Noise takes values out of the range, and a denoising model is there to take them back: one more range on either side. */
const noiseTolerance = 1;

/** The values that an operation takes without a warning; undefined for codes, whose range is not known. */
export function expectedRange({ inputRange: [low, high] }: Manifest, operation: Operation): ValueRange | undefined {
  if (takesCodes(operation)) return undefined;
  const margin = (high - low) * (operation === 'denoise' ? noiseTolerance : tolerance);
  return [low - margin, high + margin];
}

/** In ASCII, since it also travels as a header. */
export function rangeWarning(manifest: Manifest, { low, high, row }: OutsideRange): string {
  const { name, version, inputRange, inputScaling } = manifest;
  const [least, most] = inputRange;
  const divisor = inputScaling?.divisor ?? 1;
  const found =
    high > most
      ? low < least
        ? `values from ${short(low)} to ${short(high)}`
        : `values up to ${short(high)}`
      : `values down to ${short(low)}`;
  const trained = `${name}@${version} was trained on values from ${short(least)} to ${short(most)}`;
  const isUnscaled = divisor !== 1 && high > most;
  const scaled = divisor === 1 ? '' : `, which were divided by ${divisor} (inputScaling.divisor)`;
  const advice = isUnscaled
    ? `Divide the values by ${divisor} before sending them.`
    : 'Send rows of the same unit and scale as the training data.';
  return `The rows have ${found}, first in row ${row}; ${trained}${scaled}. The answer may be meaningless. ${advice}`;
}

/** Of a float32, without the digits that it does not have. */
const short = (value: number): string => String(Number(value.toPrecision(7)));
