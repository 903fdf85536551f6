/**
 * The nets of the training benchmark: parameters, and one step as an engine program, with the loss and the
 * Adam that jobs train with. The Python side (bench/python) builds the same nets from the same numbers.
 *
 *   mlp   784 ─ 128 ─ 32 ─ 128 ─ 784                               ReLU between the layers
 *   deep  784 ─ 1000 ─ 500 ─ 250 ─ 30 ─ 250 ─ 500 ─ 1000 ─ 784     Hinton & Salakhutdinov (2006)
 *   conv  28²·1 ─ 16 ─ pool ─ 8 ─ pool ─ 8 ─ up ─ 16 ─ up ─ 1      3×3 'same', 2×2 max-pool, nearest ×2
 *   photo 128²·3, a photographs' codec                             photo.ts
 */

import * as tf from '@tensorflow/tfjs-core';
import { float32, type NdArray, type NdArrays, sizeOf, type TensorSpecs, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import type { OptimizerSpec } from '../../src/jobspec/training.ts';
import { crossEntropyFromLogits } from '../../src/models/losses.ts';
import { flushState } from '../../src/train/flush.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import {
  photoBatch,
  photoBatches,
  photoConstants,
  photoLoss,
  photoNoise,
  photoParameters,
  photoPixels,
  photos,
} from './photo.ts';

export const batch = 128;
export const pixels = 784;
/** minibatches of the data; also the steps of one call, as a worker would do it */
export const batches = 16;
export const learningRate = 1e-3;

export type NetName = 'mlp' | 'deep' | 'conv' | 'photo';
export const netNames: readonly NetName[] = ['mlp', 'deep', 'conv', 'photo'];

/** The data that a net is trained with: minibatches of rows of numbers. */
export interface Data {
  readonly batches: number;
  readonly batch: number;
  readonly pixels: number;
}
export const dataOf = (name: NetName): Data =>
  name === 'photo' ? { batches: photoBatches, batch: photoBatch, pixels: photoPixels } : { batches, batch, pixels };

export interface Net {
  readonly name: NetName;
  /** in the order in which the layers use them: weights [in, out] or [3, 3, in, out], then biases [out] */
  readonly parameters: TensorSpecs;
  readonly program: Program;
  /** what the program's constants hold */
  readonly constants: NdArrays;
}

const units = {
  mlp: [784, 128, 32, 128, 784],
  deep: [784, 1000, 500, 250, 30, 250, 500, 1000, 784],
} as const;
const channels = [1, 16, 8, 8, 16, 1] as const;

function layerParameters(sizes: readonly number[], kernel: readonly number[]): TensorSpecs {
  const specs: Record<string, { dtype: 'float32'; shape: number[] }> = {};
  for (let i = 0; i + 1 < sizes.length; i++) {
    const [from, to] = [sizes[i] as number, sizes[i + 1] as number];
    specs[`W${i}`] = { dtype: 'float32', shape: [...kernel, from, to] };
    specs[`b${i}`] = { dtype: 'float32', shape: [to] };
  }
  return specs;
}

function dense(p: Tensors, x: tf.Tensor, layers: number): tf.Tensor {
  let h = x as tf.Tensor2D;
  for (let i = 0; i < layers; i++) {
    h = tf.add(tf.matMul(h, p[`W${i}`] as tf.Tensor2D), p[`b${i}`]!);
    if (i + 1 < layers) h = tf.relu(h);
  }
  return h;
}

function convolutional(p: Tensors, x: tf.Tensor): tf.Tensor {
  const conv = (h: tf.Tensor, i: number) =>
    tf.add(tf.conv2d(h as tf.Tensor4D, p[`W${i}`] as tf.Tensor4D, 1, 'same'), p[`b${i}`]!);
  const pool = (h: tf.Tensor) => tf.maxPool(h as tf.Tensor4D, 2, 2, 'valid');
  const up = (h: tf.Tensor4D) => tf.image.resizeNearestNeighbor(h, [h.shape[1] * 2, h.shape[2] * 2]);
  let h: tf.Tensor4D = tf.reshape(x, [batch, 28, 28, 1]);
  h = pool(tf.relu(conv(h, 0)));
  h = pool(tf.relu(conv(h, 1)));
  h = up(tf.relu(conv(h, 2)) as tf.Tensor4D);
  h = up(tf.relu(conv(h, 3)) as tf.Tensor4D);
  return tf.reshape(conv(h, 4), [batch, pixels]);
}

// ε as small as this has no weight: the frameworks put it in different places
const adam = {
  type: 'adam',
  learningRate,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-10,
  weightDecay: 0,
  schedule: { type: 'constant' },
} as const satisfies OptimizerSpec;

/** What the optimizer is told in the steps from `first` (counted from 0): a row of numbers for each. */
export function optimizerFeed(first: number, count: number): NdArray {
  const { scalars, scalarNames } = optimizer(adam, {});
  const rows = Array.from({ length: count }, (_, i) => scalars({ step: first + i, stepsPerEpoch: 1, epochs: 1 }));
  const data = rows.flatMap((row) => scalarNames.map((name) => row[name] as number));
  return float32([count, scalarNames.length], Float32Array.from(data));
}

export function net(name: NetName): Net {
  const parameters = parametersOf(name);
  const names = Object.keys(parameters);
  const { batch, pixels } = dataOf(name);
  const lossOf = (p: Tensors, x: tf.Tensor, constants: Tensors): tf.Scalar => {
    if (name === 'photo') return photoLoss(p, x, constants.noise!);
    const logits = name === 'conv' ? convolutional(p, x) : dense(p, x, names.length / 2);
    return tf.mean(crossEntropyFromLogits(logits, x));
  };
  const rule = optimizer(adam, parameters);
  const program: Program = {
    name,
    state: { ...parameters, ...rule.state },
    constants: name === 'photo' ? photoConstants : {},
    feeds: {
      x: { dtype: 'float32', shape: [batch, pixels] },
      optimizer: { dtype: 'float32', shape: [rule.scalarNames.length] },
    },
    step({ state, feeds, constants }) {
      const weights = Object.fromEntries(names.map((key) => [key, state[key]!]));
      const loss = (...values: tf.Tensor[]) => {
        const p = Object.fromEntries(names.map((key, i) => [key, values[i]!]));
        return lossOf(p, feeds.x!, constants);
      };
      const { value, grads } = tf.valueAndGrads(loss)(Object.values(weights));
      const gradients = Object.fromEntries(names.map((key, i) => [key, grads[i]!]));
      const scalars = Object.fromEntries(
        rule.scalarNames.map((key, i) => [key, tf.reshape(tf.slice(feeds.optimizer!, [i], [1]), [])]),
      );
      const next = rule.update(weights, gradients, state, scalars);
      return { state: flushState({ ...next.parameters, ...next.state }), outputs: { loss: value } };
    },
  };
  return { name, parameters, program, constants: name === 'photo' ? { noise: photoNoise() } : {} };
}

function parametersOf(name: NetName): TensorSpecs {
  if (name === 'photo') return photoParameters;
  return name === 'conv' ? layerParameters(channels, [3, 3]) : layerParameters(units[name], []);
}

/** Glorot-uniform weights and zero biases, the same for every contender. */
export function initialParameters({ name, parameters }: Omit<Net, 'constants'>): Record<string, NdArray> {
  const random = new RandomStream(1, `init/${name}`);
  return Object.fromEntries(
    Object.entries(parameters).map(([key, { shape }]) => {
      const array = zeros('float32', shape);
      if (shape.length > 1) {
        const receptive = sizeOf(shape.slice(0, -2));
        const limit = Math.sqrt(6 / (receptive * ((shape.at(-2) as number) + (shape.at(-1) as number))));
        random.uniform(array.data, -limit, limit);
      }
      return [key, array];
    }),
  );
}

/** Images of the statistics of handwritten digits: a fifth of the pixels inked, uniformly in (0, 1). */
export function images(name: NetName = 'mlp'): Float32Array {
  if (name === 'photo') return photos();
  const ink = new RandomStream(1, 'ink').uniform(new Float32Array(batches * batch * pixels));
  const drawn = new RandomStream(1, 'mask').bernoulli(new Float32Array(ink.length), 0.2);
  return ink.map((value, i) => value * (drawn[i] as number));
}
