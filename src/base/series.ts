/** What a version of a model of series knows of its data, and how far a series is from what the model makes of it. */

import type { OutlierCalibration } from './outliers.ts';

/** Stored with the version under this name. */
export const seriesFile = 'series.json';

export interface SeriesModelFacts {
  /** time steps of a row */
  readonly steps: number;
  readonly channels: number;
  /** what the channels are called */
  readonly names?: readonly string[];
  /** standard deviation of each channel, which errors are measured in */
  readonly deviations: readonly number[];
  /** the model has learned to go on */
  readonly forecasts: boolean;
  /** a series with a larger score is called anomalous */
  readonly threshold: number;
  /** of scores of ordinary series that the model was not trained on */
  readonly calibration: OutlierCalibration;
}

/** Mean squared error of what was observed (NaN was not), in standard deviations of its channel; 0 where nothing was. */
export function seriesScore(
  values: ArrayLike<number>,
  answer: ArrayLike<number>,
  deviations: readonly number[],
): number {
  const channels = deviations.length;
  let [sum, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) continue;
    sum += ((value - (answer[i] as number)) / (deviations[i % channels] || 1)) ** 2;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** Share of ordinary series with a score at least as large; the smallest possible one is 1 / (rows + 1). */
export function shareAbove({ rows, quantiles }: OutlierCalibration, score: number): number {
  const last = quantiles.length - 1;
  let below = 0;
  while (below <= last && (quantiles[below] as number) < score) below++;
  const from = quantiles[below - 1];
  const to = quantiles[below];
  // linear between quantiles
  const at =
    from === undefined || to === undefined || to === from || last === 0
      ? below
      : below - 1 + (score - from) / (to - from);
  const share = last === 0 ? below : Math.min(1, Math.max(0, at / last));
  return ((1 - share) * rows + 1) / (rows + 1);
}

/** The score that so many of the ordinary series at most are above. */
export function scoreAt({ quantiles }: OutlierCalibration, falseAlarms: number): number {
  const place = (1 - falseAlarms) * (quantiles.length - 1);
  const [low, high] = [quantiles[Math.floor(place)] as number, quantiles[Math.ceil(place)] as number];
  return low + (high - low) * (place % 1);
}
