/** Codes of whole splits, and what their nearest neighbours say of classes. */

import * as tf from '@tensorflow/tfjs-core';
import { type NdArray, type NdArrays, sizeOf } from '../base/ndarray.ts';
import type { Dataset, SplitName } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { type Autoencoder, allParameters, codeOf } from '../models/autoencoder.ts';
import { parameter } from '../models/layers.ts';
import { specsOf } from '../models/parameters.ts';
import { pick } from './evaluation.ts';
import type { RowRange } from './feeder.ts';

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
