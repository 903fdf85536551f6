/** How well the ends of test series are foretold from what is before, beside simple forecasts. */

import type { SeriesScores } from '../figures/report.ts';
import { firstChannel, lengthsOf, type SeriesModel, type SeriesRows, seasonOf } from './series-model.ts';

export interface Measured {
  readonly rows: SeriesRows;
  readonly isAnomalous: readonly boolean[];
  readonly mean: Float32Array;
  readonly deviations: readonly number[];
  readonly shape: readonly [steps: number, channels: number];
}

/** of a series, at its end */
const share = 0.25;
const shown = 2;

/** Of ordinary series; those that are too short are left out. Undefined where none is left. */
export async function forecastScores(
  model: SeriesModel,
  { rows, isAnomalous, mean, deviations, shape }: Measured,
  training: SeriesRows,
  tick: () => void,
) {
  const [steps, channels] = shape;
  const size = steps * channels;
  const lengths = lengthsOf(rows, steps, channels);
  const season = seasonOf(training, steps, channels);
  const seen = rows.values.slice();
  const cuts = Array.from(lengths, (length) => Math.max(1, Math.round(length * (1 - share))));
  for (const [row, cut] of cuts.entries()) seen.fill(Number.NaN, row * size + cut * channels, (row + 1) * size);
  const answers = await model.reconstruct({ count: rows.count, values: seen }, tick);
  const sums = { model: 0, lastValue: 0, seasonal: 0, mean: 0 };
  let counted = 0;
  const examples: SeriesScores['examples'] = [];
  for (const [row, cut] of cuts.entries()) {
    if (isAnomalous[row]) continue;
    let [squares, own] = [0, 0];
    for (let i = cut * channels; i < (lengths[row] as number) * channels; i++) {
      const value = rows.values[row * size + i] as number;
      if (Number.isNaN(value)) continue;
      const guesses = {
        model: answers[row * size + i] as number,
        lastValue: lastBefore(seen, row * size, i, channels),
        seasonal: seasonBefore(seen, row * size, { i, cut, channels, season }),
        mean: mean[i] as number,
      };
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) {
        sums[name] += ((value - (guesses[name] ?? (mean[i] as number))) / (deviations[i % channels] as number)) ** 2;
      }
      squares += ((value - guesses.model) / (deviations[i % channels] as number)) ** 2;
      own++;
    }
    counted += own;
    if (own > 0 && examples.length < shown) {
      examples.push({
        what: `forecast from step ${cut + 1} on`,
        score: squares / own,
        ...firstChannel(rows.values, answers, row, steps, channels),
        seen: cut,
      });
    }
  }
  if (counted === 0) return undefined;
  const rms = (sum: number): number => Math.sqrt(sum / counted);
  const { model: ours, ...beside } = sums;
  return {
    examples,
    scores: {
      ...{ share, season, model: rms(ours) },
      ...{ lastValue: rms(beside.lastValue), seasonal: rms(beside.seasonal), mean: rms(beside.mean) },
    },
  };
}

/** The last observed value of the same channel. */
function lastBefore(seen: Float32Array, start: number, i: number, channels: number): number | undefined {
  for (let at = i - channels; at >= 0; at -= channels) {
    const value = seen[start + at] as number;
    if (!Number.isNaN(value)) return value;
  }
  return undefined;
}

interface Season {
  readonly i: number;
  readonly cut: number;
  readonly channels: number;
  readonly season: number;
}

/** The value whole seasons before, the last one that was seen; where there is none the last value. */
function seasonBefore(seen: Float32Array, start: number, { i, cut, channels, season }: Season): number | undefined {
  if (season > 0) {
    for (let at = i - season * channels; at >= 0; at -= season * channels) {
      const value = seen[start + at] as number;
      if (at < cut * channels && !Number.isNaN(value)) return value;
    }
  }
  return lastBefore(seen, start, i, channels);
}
