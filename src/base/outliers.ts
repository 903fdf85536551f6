/**
 * How unusual a row is to a model, as a p-value against rows that the model was not trained on. The score is the model's;
 * here is only its calibration, which is stored with a version as outliers.json.
 */

import { HourglassError } from './errors.ts';

export interface OutlierCalibration {
  /** held-out rows that it is made of */
  readonly rows: number;
  /** scores at evenly spaced shares of those rows, from the lowest to the highest */
  readonly quantiles: readonly number[];
}

const points = 1001;

/** At most 1,001 quantiles of the scores. Throws `invalid-dataset` when there are none or one is not finite. */
export function calibrate(scores: ArrayLike<number>): OutlierCalibration {
  const sorted = Array.from(scores).sort((a, b) => a - b);
  if (sorted.length === 0 || !sorted.every(Number.isFinite)) {
    throw new HourglassError(
      'invalid-dataset',
      'Outlier scores can only be calibrated on held-out rows with finite scores.',
    );
  }
  const count = Math.min(points, sorted.length);
  const quantiles = Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : (i / (count - 1)) * (sorted.length - 1);
    const [below, share] = [Math.floor(at), at % 1];
    return (sorted[below] as number) * (1 - share) + (sorted[Math.min(below + 1, sorted.length - 1)] as number) * share;
  });
  return { rows: sorted.length, quantiles };
}

/**
 * Two-sided: the share of held-out rows that are at least as far out as this score on its side, twice. Rows like the
 * held-out ones get values evenly spread over (0, 1]; the smallest possible one is 2 / (rows + 1).
 */
export function pValue({ rows, quantiles }: OutlierCalibration, score: number): number {
  const below = shareBelow(quantiles, score);
  const tail = (share: number): number => (share * rows + 1) / (rows + 1);
  return Math.min(1, 2 * Math.min(tail(below), tail(1 - below)));
}

/** Share of the distribution below a score, linear between quantiles. */
function shareBelow(quantiles: readonly number[], score: number): number {
  const last = quantiles.length - 1;
  if (!(score > (quantiles[0] as number))) return 0;
  if (score >= (quantiles[last] as number)) return 1;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((quantiles[middle] as number) <= score) low = middle;
    else high = middle;
  }
  const [from, to] = [quantiles[low] as number, quantiles[high] as number];
  return (low + (to > from ? (score - from) / (to - from) : 0)) / last;
}
