/**
 * What codes are good for, measured on test rows: a linear probe and the vote of nearest neighbours. Rows are encoded once;
 * the codes then are a data set of their own.
 */

import * as tf from '@tensorflow/tfjs-core';
import { type NdArray, type NdArrays, type Shape, sizeOf } from '../base/ndarray.ts';
import type { Dataset, Split, SplitName } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { type Autoencoder, allParameters, codeOf } from '../models/autoencoder.ts';
import { classifier, classifierPhase } from '../models/classifier.ts';
import { parameter } from '../models/layers.ts';
import { initialise, specsOf } from '../models/parameters.ts';
import type { Head } from '../spec/parts.ts';
import { Evaluation, pick } from './evaluation.ts';
import type { RowRange } from './feeder.ts';
import { trainPhase } from './phase.ts';

export interface Codes {
  readonly rows: number;
  /** values of one code */
  readonly size: number;
  /** [rows, size] */
  readonly values: Float32Array;
  readonly labels: Uint8Array | Int32Array;
}

const batch = 256;

export interface EncodeOptions {
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly model: Autoencoder;
  readonly weights: NdArrays;
  readonly split: SplitName;
  readonly range: RowRange;
  /** called between batches; a throw ends it */
  readonly tick?: (() => void) | undefined;
}

export async function encodeRows({
  engine,
  dataset,
  model,
  weights,
  split,
  range,
  tick,
}: EncodeOptions): Promise<Codes> {
  const source = dataset.split(split);
  const size = sizeOf(model.codeShape);
  const rows = range.end - range.start;
  const values = new Float32Array(rows * size);
  const parameters = allParameters(model);
  const executable = await engine.compile({
    name: 'encode',
    state: {},
    constants: specsOf(parameters),
    feeds: { x: { dtype: 'float32', shape: [batch, ...model.inputShape] } },
    step: ({ constants, feeds }) => ({
      state: {},
      outputs: { z: tf.reshape(codeOf(model, constants, parameter(feeds, 'x')), [batch, size]) },
    }),
  });
  try {
    await executable.setConstants(pick(weights, parameters));
    for (let at = 0; at < rows; at += batch) {
      tick?.();
      const count = Math.min(batch, rows - at);
      const data = new Float32Array(batch * source.rowSize);
      await source.readRange(range.start + at, range.start + at + count, data);
      const { z } = await executable.run({ x: { dtype: 'float32', shape: [1, batch, ...model.inputShape], data } });
      values.set((z as NdArray<'float32'>).data.subarray(0, count * size), at * size);
    }
  } finally {
    await executable.dispose();
  }
  const labels = (await source.labels())?.slice(range.start, range.end) ?? new Uint8Array(0);
  return { rows, size, values, labels };
}

/** Each value minus its mean over the training codes, by its deviation; a constant one becomes 0. */
function standardise(train: Codes, test: Codes): void {
  for (let j = 0; j < train.size; j++) {
    let [sum, squares] = [0, 0];
    for (let i = j; i < train.values.length; i += train.size) sum += train.values[i] as number;
    const mean = sum / train.rows;
    for (let i = j; i < train.values.length; i += train.size) squares += ((train.values[i] as number) - mean) ** 2;
    const deviation = Math.sqrt(squares / train.rows);
    const factor = deviation > 1e-6 ? 1 / deviation : 0;
    for (const { values, size } of [train, test]) {
      for (let i = j; i < values.length; i += size) values[i] = ((values[i] as number) - mean) * factor;
    }
  }
}

const probeHead: Head = {
  hidden: [],
  activation: 'linear',
  loss: 'cross-entropy',
  dropout: 0,
  freezeEncoder: true,
  epochs: 30,
  optimizer: {
    type: 'adam',
    learningRate: 0.003,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
    weightDecay: 0,
    schedule: { type: 'cosine', warmupEpochs: 0, final: 0 },
  },
};

/** A small data set gets as many steps as a larger one. */
const probeSteps = 4000;
const probeBatch = 100;

/** Share of wrongly classified test rows by a softmax layer on standardised codes. Changes the codes. */
export async function linearProbe(
  engine: Engine,
  train: Codes,
  test: Codes,
  { classes, tick }: { readonly classes: number; readonly tick?: (() => void) | undefined },
): Promise<number> {
  standardise(train, test);
  const identity = identityModel([train.size]);
  const perEpoch = Math.max(1, Math.floor(train.rows / probeBatch));
  const head = { ...probeHead, epochs: Math.max(probeHead.epochs, Math.ceil(probeSteps / perEpoch)) };
  const dataset = asDataset(train, test, classes);
  const onTop = classifier(identity, head, { classes, range: dataset.info.range });
  const phase = classifierPhase(identity, onTop, head, probeBatch);
  const { weights } = await trainPhase(
    phase,
    {
      engine,
      dataset,
      labels: train.labels,
      seed: 1,
      training: { start: 0, end: train.rows },
      heldOut: { start: 0, end: 0 },
      afterChunk: async () => tick?.(),
      afterEpoch: async () => {},
    },
    {
      progress: { position: { phase: 0, epoch: 0, chunk: 0 }, epochs: [], sums: {}, best: null, seconds: 0 },
      weights: initialise(onTop.parameters, 1),
      moments: {},
      best: {},
    },
  );
  const range = { start: 0, end: test.rows };
  const evaluation = await Evaluation.compile(phase, {
    engine,
    dataset,
    split: 'test',
    range,
    batch: probeBatch,
    seed: 1,
  });
  try {
    return (await evaluation.measure(weights)).error ?? Number.NaN;
  } finally {
    await evaluation.dispose();
  }
}

/** Share of wrongly classified test rows by the vote of the k nearest training codes; the nearest of the tied classes wins. */
export async function nearestNeighbours(
  engine: Engine,
  train: Codes,
  test: Codes,
  { k, tick }: { readonly k: number; readonly tick?: (() => void) | undefined },
): Promise<number> {
  const { rows, size } = train;
  const chunk = Math.max(1, Math.floor(2 ** 24 / rows));
  const executable = await engine.compile({
    name: 'neighbours',
    state: {},
    constants: { codes: { dtype: 'float32', shape: [rows, size] } },
    feeds: { z: { dtype: 'float32', shape: [chunk, size] } },
    step({ constants, feeds }) {
      const codes = parameter<tf.Tensor2D>(constants, 'codes');
      // ‖z − c‖² = ‖z‖² − 2 z·c + ‖c‖², of which the first is the same for all c
      const near = tf.sub(
        tf.mul(tf.matMul(parameter<tf.Tensor2D>(feeds, 'z'), codes, false, true), 2),
        tf.sum(tf.square(codes), 1),
      );
      return { state: {}, outputs: { nearest: tf.topk(near, Math.min(k, rows)).indices } };
    },
  });
  let wrong = 0;
  try {
    await executable.setConstants({ codes: { dtype: 'float32', shape: [rows, size], data: train.values } });
    for (let at = 0; at < test.rows; at += chunk) {
      tick?.();
      const data = new Float32Array(chunk * size);
      data.set(test.values.subarray(at * size, Math.min(test.rows, at + chunk) * size));
      const { nearest } = await executable.run({ z: { dtype: 'float32', shape: [1, chunk, size], data } });
      const found = (nearest as NdArray<'int32'>).data;
      const width = found.length / chunk;
      for (let i = 0; i < Math.min(chunk, test.rows - at); i++) {
        const votes = Array.from(found.subarray(i * width, (i + 1) * width), (row) => train.labels[row] as number);
        if (winner(votes) !== test.labels[at + i]) wrong++;
      }
    }
  } finally {
    await executable.dispose();
  }
  return wrong / test.rows;
}

/** The most frequent; of equals the one that comes first, which is the nearest. */
function winner(votes: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const vote of votes) counts.set(vote, (counts.get(vote) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return votes.find((vote) => counts.get(vote) === most);
}

const identityModel = (shape: Shape): Autoencoder => ({
  inputShape: shape,
  codeShape: shape,
  parameters: {},
  statistics: {},
  noise: {},
  outputActivation: 'linear',
  encode: (_, x) => [x],
  decode: (_, z) => z,
});

function asDataset(train: Codes, test: Codes, classes: number): Dataset {
  const splits = { train: asSplit(train), test: asSplit(test) };
  return {
    info: {
      name: 'codes',
      hash: 'codes',
      shape: [train.size],
      range: [0, 0],
      rows: { train: train.rows, test: test.rows },
      classes,
      builtIn: false,
    },
    split: (name) => splits[name],
    close: async () => {},
  };
}

const asSplit = ({ rows, size, values, labels }: Codes): Split => ({
  length: rows,
  inMemory: true,
  storedBytes: values.byteLength,
  rowSize: size,
  readRange: async (start, end, out) => out.set(values.subarray(start * size, end * size)),
  async readRows(numbers, out) {
    for (const [i, row] of numbers.entries()) out.set(values.subarray(row * size, (row + 1) * size), i * size);
  },
  labels: async () => labels,
});
