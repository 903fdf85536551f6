/** Fits the outlier score of a trained model: the mean of the training rows, then quantiles of the score on held-out rows. */

import { float32, type NdArray, type NdArrays } from '../base/ndarray.ts';
import { calibrate, type OutlierCalibration } from '../base/outliers.ts';
import type { Dataset, Split } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { type Autoencoder, allParameters } from '../models/autoencoder.ts';
import { parameter } from '../models/layers.ts';
import { outlierNames, outlierParameters, outlierScore } from '../models/outlier.ts';
import { specsOf } from '../models/parameters.ts';
import { pick } from './evaluation.ts';
import type { RowRange } from './feeder.ts';

export interface OutlierFit {
  /** mean row and floor, by the names of the score's parameters */
  readonly weights: NdArrays;
  readonly calibration: OutlierCalibration;
}

export interface OutlierOptions {
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly model: Autoencoder;
  readonly weights: NdArrays;
  readonly training: RowRange;
  readonly heldOut: RowRange;
  /** called between batches; a throw ends it */
  readonly tick?: (() => void) | undefined;
}

const batch = 256;
/** rows that mean and floor are taken from: more change neither in a digit that matters */
const maxRows = 20_000;

/** Undefined where no rows are held out. */
export async function fitOutliers(options: OutlierOptions): Promise<OutlierFit | undefined> {
  const { dataset, model, training, heldOut } = options;
  if (heldOut.end <= heldOut.start) return undefined;
  const weights = await meanAndSpread(dataset.split('train'), training);
  const scores = await scoreRows(options, { ...options.weights, ...weights }, model);
  return { weights, calibration: calibrate(scores) };
}

async function* blocks(split: Split, { start, end }: RowRange): AsyncGenerator<{ data: Float32Array; rows: number }> {
  for (let at = start; at < end; at += batch) {
    const rows = Math.min(batch, end - at);
    const data = new Float32Array(batch * split.rowSize);
    await split.readRange(at, at + rows, data);
    yield { data, rows };
  }
}

async function meanAndSpread(split: Split, training: RowRange): Promise<NdArrays> {
  const size = split.rowSize;
  const range = { start: training.start, end: Math.min(training.end, training.start + maxRows) };
  const [sums, squares] = [new Float64Array(size), new Float64Array(size)];
  for await (const { data, rows } of blocks(split, range)) {
    for (let i = 0; i < rows * size; i++) {
      const value = data[i] as number;
      sums[i % size] = (sums[i % size] as number) + value;
      squares[i % size] = (squares[i % size] as number) + value * value;
    }
  }
  const count = range.end - range.start;
  const mean = sums.map((sum) => sum / count);
  const spread = squares.reduce((total, square, i) => total + square / count - (mean[i] as number) ** 2, 0);
  return {
    [outlierNames.mean]: float32([size], Float32Array.from(mean)),
    [outlierNames.floor]: float32([], Float32Array.of(Math.max(spread, 1e-6) / 1000)),
  };
}

async function scoreRows({ engine, dataset, heldOut, tick }: OutlierOptions, weights: NdArrays, model: Autoencoder) {
  const parameters = { ...allParameters(model), ...outlierParameters(model) };
  const executable = await engine.compile({
    name: 'outliers',
    state: {},
    constants: specsOf(parameters),
    feeds: { x: { dtype: 'float32', shape: [batch, ...model.inputShape] } },
    step: ({ constants, feeds }) => ({
      state: {},
      outputs: { score: outlierScore(model, constants, parameter(feeds, 'x')) },
    }),
  });
  const scores: number[] = [];
  try {
    await executable.setConstants(pick(weights, parameters));
    for await (const { data, rows } of blocks(dataset.split('train'), heldOut)) {
      tick?.();
      const { score } = await executable.run({ x: float32([1, batch, ...model.inputShape], data) });
      scores.push(...(score as NdArray<'float32'>).data.subarray(0, rows));
    }
  } finally {
    await executable.dispose();
  }
  return scores;
}
