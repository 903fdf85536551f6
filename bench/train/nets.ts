/**
 * The three nets of the training benchmark: parameters, and one step (binary cross-entropy on logits, gradients, Adam) as
 * an engine program. The Python side (bench/python) builds the same nets from the same numbers.
 *
 *   mlp   784 ─ 128 ─ 32 ─ 128 ─ 784                               ReLU between the layers
 *   deep  784 ─ 1000 ─ 500 ─ 250 ─ 30 ─ 250 ─ 500 ─ 1000 ─ 784     Hinton & Salakhutdinov (2006)
 *   conv  28²·1 ─ 16 ─ pool ─ 8 ─ pool ─ 8 ─ up ─ 16 ─ up ─ 1      3×3 'same', 2×2 max-pool, nearest ×2
 */

import * as tf from '@tensorflow/tfjs-core';
import { type NdArray, sizeOf, type TensorSpecs, zeros } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';

export const batch = 128;
export const pixels = 784;
/** minibatches of the data; also the steps of one call, as a worker would do it */
export const batches = 16;
export const learningRate = 1e-3;

export type NetName = 'mlp' | 'deep' | 'conv';
export const netNames: readonly NetName[] = ['mlp', 'deep', 'conv'];

export interface Net {
  readonly name: NetName;
  /** in the order in which the layers use them: weights [in, out] or [3, 3, in, out], then biases [out] */
  readonly parameters: TensorSpecs;
  readonly program: Program;
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

/** Mean cross-entropy of targets in [0, 1] and logits, in the form that does not overflow: max(z, 0) − zx + ln(1 + e^−|z|). */
const crossEntropy = (z: tf.Tensor, x: tf.Tensor): tf.Scalar =>
  tf.mean(tf.add(tf.sub(tf.relu(z), tf.mul(z, x)), tf.log1p(tf.exp(tf.neg(tf.abs(z))))));

// ε as small as this has no weight: the frameworks put it in different places
const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-10];

/** lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) of the steps from `first` (counted from 0): Adam's bias correction (Kingma & Ba 2015, §2). */
export const adamRates = (first: number, count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => {
    const t = first + i + 1;
    return (learningRate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
  });

const zerosLike = (specs: TensorSpecs, prefix: string): TensorSpecs =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [`${prefix}/${name}`, spec]));

export function net(name: NetName): Net {
  const parameters = name === 'conv' ? layerParameters(channels, [3, 3]) : layerParameters(units[name], []);
  const names = Object.keys(parameters);
  const forward = (p: Tensors, x: tf.Tensor) => (name === 'conv' ? convolutional(p, x) : dense(p, x, names.length / 2));
  const program: Program = {
    name,
    state: { ...parameters, ...zerosLike(parameters, 'm'), ...zerosLike(parameters, 'v') },
    constants: {},
    feeds: { x: { dtype: 'float32', shape: [batch, pixels] }, rate: { dtype: 'float32', shape: [] } },
    step({ state, feeds }) {
      const loss = (...weights: tf.Tensor[]) =>
        crossEntropy(forward(Object.fromEntries(names.map((key, i) => [key, weights[i]!])), feeds.x!), feeds.x!);
      const { value, grads } = tf.valueAndGrads(loss)(names.map((key) => state[key]!));
      const next: Record<string, tf.Tensor> = {};
      for (const [i, key] of names.entries()) {
        const g = grads[i]!;
        const m = tf.add(tf.mul(state[`m/${key}`]!, beta1), tf.mul(g, 1 - beta1));
        const v = tf.add(tf.mul(state[`v/${key}`]!, beta2), tf.mul(tf.square(g), 1 - beta2));
        next[`m/${key}`] = m;
        next[`v/${key}`] = v;
        next[key] = tf.sub(state[key]!, tf.mul(feeds.rate!, tf.div(m, tf.add(tf.sqrt(v), epsilon))));
      }
      return { state: next, outputs: { loss: value } };
    },
  };
  return { name, parameters, program };
}

/** Glorot-uniform weights and zero biases, the same for every contender. */
export function initialParameters({ name, parameters }: Net): Record<string, NdArray> {
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
export function images(): Float32Array {
  const ink = new RandomStream(1, 'ink').uniform(new Float32Array(batches * batch * pixels));
  const drawn = new RandomStream(1, 'mask').bernoulli(new Float32Array(ink.length), 0.2);
  return ink.map((value, i) => value * (drawn[i] as number));
}
