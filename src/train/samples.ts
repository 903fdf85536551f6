/**
 * What a model in training makes of the same few rows, epoch after epoch: pictures for people who watch a job. It reads weights
 * and changes nothing; a training with and without samples gives the same weights.
 */

import * as tf from '@tensorflow/tfjs-core';
import { float32, type NdArray, type NdArrays, sizeOf } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Engine, Executable } from '../engine/engine.ts';
import type { EpochSample, SampleRows } from '../jobspec/job.ts';
import { allParameters, codeOf, reconstructionOf } from '../models/autoencoder.ts';
import { parameter } from '../models/layers.ts';
import { specsOf } from '../models/parameters.ts';
import type { Plan } from '../models/plan.ts';
import { pick } from './evaluation.ts';
import type { RowRange } from './feeder.ts';

export type SampleSink = (rows: SampleRows, sample: EpochSample) => void;

export interface SampleOptions {
  readonly plan: Plan;
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly training: RowRange;
  readonly heldOut: RowRange;
  readonly seed: number;
}

const shownRows = 8;
/** bytes of the rows in one sample; larger pictures are thinned out */
const sampleBytes = 48 * 1024;
/** rows of a latent map */
const mappedRows = 300;
/** epochs of a phase that are all shown, and about how many of the others */
const firstEpochs = 4;
const laterEpochs = 14;

/** Whether the end of an epoch (from 1) of a phase is shown. */
export const isShown = (epoch: number, epochs: number): boolean =>
  epoch <= firstEpochs || epoch === epochs || epoch % Math.ceil(epochs / laterEpochs) === 0;

export class EpochSampler {
  readonly #options: SampleOptions;
  readonly #shape: Thinned;
  #opened: { readonly executable: Executable; readonly feeds: NdArrays; readonly rows: SampleRows } | undefined;

  constructor(options: SampleOptions) {
    this.#options = options;
    this.#shape = thinned(options.dataset.info.shape);
  }

  /** A look at the model with these weights. */
  async look(weights: NdArrays, phase: string, epoch: number, tell: SampleSink): Promise<void> {
    const { plan, dataset } = this.#options;
    this.#opened ??= await this.#open();
    const { executable, feeds, rows } = this.#opened;
    await executable.setConstants(pick(weights, allParameters(plan.autoencoder)));
    const { outputs, generated, codes } = (await executable.run(feeds)) as Record<string, NdArray<'float32'>>;
    const rowSize = sizeOf(dataset.info.shape);
    const shown = outputs?.data.subarray(0, rows.rows * rowSize) ?? new Float32Array(0);
    tell(rows, {
      phase,
      epoch,
      outputs: this.#bytes(shown),
      ...(generated && { generated: this.#bytes(generated.data.subarray(0, rows.rows * rowSize)) }),
      ...(codes && { codes: pairs(codes.data) }),
    });
  }

  async dispose(): Promise<void> {
    await this.#opened?.executable.dispose();
    this.#opened = undefined;
  }

  async #open() {
    const { plan, engine, dataset, heldOut, training, seed } = this.#options;
    const model = plan.autoencoder;
    const codeSize = sizeOf(model.codeShape);
    const isMap = codeSize === 2;
    const range = heldOut.end > heldOut.start ? heldOut : training;
    const wanted = isMap ? mappedRows : shownRows;
    const indices = spread(range, wanted);
    const shown = Math.min(indices.length, shownRows, Math.max(1, Math.floor(sampleBytes / this.#shape.size)));
    const split = dataset.split('train');
    const data = new Float32Array(indices.length * split.rowSize);
    await split.readRows(indices, data);
    const labels = isMap ? await split.labels() : undefined;
    const parameters = allParameters(model);
    const z = new Float32Array(shown * codeSize);
    new RandomStream(seed, 'samples').normal(z);
    const feeds: Record<string, NdArray<'float32'>> = {
      x: float32([1, indices.length, ...model.inputShape], data),
      ...(plan.generates && { z: float32([1, shown, ...model.codeShape], z) }),
    };
    const executable = await engine.compile({
      name: 'samples',
      state: {},
      constants: specsOf(parameters),
      feeds: Object.fromEntries(
        Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape: shape.slice(1) }]),
      ),
      step: ({ constants, feeds: given }) => {
        const code = codeOf(model, constants, parameter(given, 'x'));
        return {
          state: {},
          outputs: {
            outputs: reconstructionOf(model, constants, code),
            ...(isMap && { codes: tf.reshape(code, [indices.length, 2]) }),
            ...(plan.generates && { generated: reconstructionOf(model, constants, parameter(given, 'z')) }),
          },
        };
      },
    });
    const rows: SampleRows = {
      rows: shown,
      shape: [...this.#shape.shape],
      inputs: this.#bytes(data.subarray(0, shown * split.rowSize)),
      ...(labels && { labels: indices.map((row) => labels[row] ?? 0) }),
    };
    return { executable, feeds, rows };
  }

  /** Values as bytes in base64, thinned out. */
  #bytes(values: Float32Array): string {
    const [low, high] = this.#options.dataset.info.range;
    const scale = high > low ? 255 / (high - low) : 0;
    const { source, picked } = this.#shape;
    const rows = Math.floor(values.length / source);
    const bytes = new Uint8ClampedArray(rows * picked.length);
    for (let row = 0; row < rows; row++) {
      for (const [i, from] of picked.entries()) {
        bytes[row * picked.length + i] = ((values[row * source + from] ?? low) - low) * scale;
      }
    }
    return Buffer.from(bytes.buffer).toString('base64');
  }
}

interface Thinned {
  /** of one row as shown */
  readonly shape: readonly number[];
  readonly size: number;
  /** values of one row of the data set */
  readonly source: number;
  /** which of them are shown, in order */
  readonly picked: readonly number[];
}

/** Every nth pixel of a picture, or value of a row, so that a few rows fit. */
export function thinned(shape: readonly number[], most = sampleBytes / 4): Thinned {
  const source = sizeOf(shape);
  const [height = 1, width = 1, channels = 1] = shape.length === 3 ? shape : [1, source, 1];
  let step = 1;
  while (Math.ceil(height / step) * Math.ceil(width / step) * channels > most) step++;
  const picked: number[] = [];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      for (let c = 0; c < channels; c++) picked.push((y * width + x) * channels + c);
    }
  }
  const thin = [Math.ceil(height / step), Math.ceil(width / step), channels];
  return { shape: shape.length === 3 ? thin : [picked.length], size: picked.length, source, picked };
}

/** At most `count` rows of a range, evenly spread. */
function spread({ start, end }: RowRange, count: number): number[] {
  const rows = end - start;
  const taken = Math.min(rows, count);
  return Array.from({ length: taken }, (_, i) => start + Math.floor((i * rows) / taken));
}

function pairs(values: Float32Array): number[][] {
  const round = (value = 0): number => (Number.isFinite(value) ? Number(value.toPrecision(4)) : 0);
  return Array.from({ length: values.length / 2 }, (_, i) => [round(values[2 * i]), round(values[2 * i + 1])]);
}
