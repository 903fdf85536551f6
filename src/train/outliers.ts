/** Fits the outlier score of a trained model: mean and spread on training rows, line and quantiles on held-out rows. */

import { float32, type NdArray, type NdArrays } from '../base/ndarray.ts';
import { calibrate, type OutlierCalibration } from '../base/outliers.ts';
import type { Dataset, Split } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { type Autoencoder, allParameters } from '../models/autoencoder.ts';
import { parameter } from '../models/layers.ts';
import { featureParameters, outlierFeatures, outlierNames } from '../models/outlier.ts';
import { specsOf } from '../models/parameters.ts';
import { pick } from './evaluation.ts';
import type { RowRange } from './feeder.ts';

export interface OutlierFit {
  /** by the names of the score's parameters */
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
  const { dataset, training, heldOut } = options;
  if (heldOut.end <= heldOut.start) return undefined;
  const spread = await meanAndSpread(dataset.split('train'), training);
  const { error, content } = await featuresOf(options, { ...options.weights, ...spread });
  const [alpha, beta] = lineThrough(content, error);
  const weights = { ...spread, [outlierNames.line]: float32([2], Float32Array.of(alpha, beta)) };
  return { weights, calibration: calibrate(error.map((value, i) => value - alpha - beta * (content[i] as number))) };
}

/** Least squares: y ≈ α + β·x. */
function lineThrough(x: readonly number[], y: readonly number[]): [alpha: number, beta: number] {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xx, xy] = [0, 0];
  for (const [i, value] of x.entries()) {
    xx += (value - mx) ** 2;
    xy += (value - mx) * ((y[i] as number) - my);
  }
  const beta = xx > 0 ? xy / xx : 0;
  return [my - beta * mx, beta];
}

/** The same memory each time: what is left from the block before lies behind the rows of a shorter last one. */
async function* blocks(split: Split, { start, end }: RowRange): AsyncGenerator<{ data: Float32Array; rows: number }> {
  const data = new Float32Array(batch * split.rowSize);
  for (let at = start; at < end; at += batch) {
    const rows = Math.min(batch, end - at);
    await split.readRange(at, at + rows, data);
    yield { data, rows };
  }
}

async function meanAndSpread(split: Split, training: RowRange): Promise<NdArrays> {
  const size = split.rowSize;
  const range = { start: training.start, end: Math.min(training.end, training.start + maxRows) };
  const [sums, squares] = [new Float64Array(size), new Float64Array(size)];
  for await (const { data, rows } of blocks(split, range)) {
    for (let row = 0; row < rows * size; row += size) {
      for (let i = 0; i < size; i++) {
        const value = data[row + i] as number;
        sums[i] = (sums[i] as number) + value;
        squares[i] = (squares[i] as number) + value * value;
      }
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

interface Features {
  readonly error: number[];
  readonly content: number[];
}

/** Of all held-out rows. */
async function featuresOf(
  { engine, dataset, model, heldOut, tick }: OutlierOptions,
  weights: NdArrays,
): Promise<Features> {
  const parameters = { ...allParameters(model), ...featureParameters(model) };
  const executable = await engine.compile({
    name: 'outliers',
    state: {},
    constants: specsOf(parameters),
    feeds: { x: { dtype: 'float32', shape: [batch, ...model.inputShape] } },
    step: ({ constants, feeds }) => ({
      state: {},
      outputs: { ...outlierFeatures(model, constants, parameter(feeds, 'x')) },
    }),
  });
  const features: Features = { error: [], content: [] };
  try {
    await executable.setConstants(pick(weights, parameters));
    for await (const { data, rows } of blocks(dataset.split('train'), heldOut)) {
      tick?.();
      const outputs = await executable.run({ x: float32([1, batch, ...model.inputShape], data) });
      for (const name of ['error', 'content'] as const) {
        features[name].push(...(outputs[name] as NdArray<'float32'>).data.subarray(0, rows));
      }
    }
  } finally {
    await executable.dispose();
  }
  return features;
}
