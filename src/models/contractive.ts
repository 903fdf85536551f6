/**
 * Contractive autoencoder: the code should move little when the input moves.
 *
 *   x ─► z ─► x̂            L = loss(x̂, x) + λ · mean over rows of ‖∂z/∂x‖²_F
 *
 *   one layer        ‖J‖²_F = Σⱼ φ′(aⱼ)² Σᵢ Wᵢⱼ²          (φ′ = z(1−z) for sigmoid units)
 *   any encoder      Σⱼ ‖∂zⱼ/∂x‖², one backward pass for each code unit
 *   an estimate      ‖vᵀJ‖² with random signs v, one backward pass, right on average (Hutchinson 1990)
 *
 * Rifai, Vincent, Muller, Glorot & Bengio 2011, "Contractive auto-encoders: explicit invariance during feature extraction".
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../spec/model.ts';
import type { Contraction } from '../spec/parts.ts';
import { parameter } from './layers.ts';
import type { Penalty } from './reconstruction.ts';

export type Encode = (x: tf.Tensor) => tf.Tensor;

/** φ′ as a function of φ's value. */
function slope(value: tf.Tensor, activation: Activation): tf.Tensor {
  switch (activation) {
    case 'linear':
      return tf.onesLike(value);
    case 'sigmoid':
      return tf.mul(value, tf.sub(1, value));
    case 'tanh':
      return tf.sub(1, tf.square(value));
    case 'relu':
      return tf.step(value);
    default:
      return activation satisfies never;
  }
}

/** Mean over rows of ‖∂z/∂x‖²_F for z = φ(x·W + b); W is [inputs, units]. */
export function closedForm(code: tf.Tensor, weight: tf.Tensor, activation: Activation): tf.Scalar {
  const columns = tf.sum(tf.square(weight), 0);
  return tf.mean(tf.sum(tf.mul(tf.square(slope(code, activation)), columns), 1));
}

/** The same for any encoder, exactly: `units` backward passes. */
export function exactNorm(encode: Encode, x: tf.Tensor, units: number): tf.Scalar {
  const batch = x.shape[0] ?? 1;
  let sum: tf.Tensor = tf.scalar(0);
  for (let j = 0; j < units; j++) {
    const unit = (input: tf.Tensor) => tf.sum(tf.slice(tf.reshape(encode(input), [batch, units]), [0, j], [batch, 1]));
    sum = tf.add(sum, tf.sum(tf.square(tf.grad(unit)(x))));
  }
  return tf.div(sum, batch);
}

/** An unbiased estimate; `signs` is −1 or 1, of the code's shape. */
export function estimatedNorm(encode: Encode, x: tf.Tensor, signs: tf.Tensor): tf.Scalar {
  const projected = (input: tf.Tensor) => tf.sum(tf.mul(encode(input), signs));
  return tf.div(tf.sum(tf.square(tf.grad(projected)(x))), x.shape[0] ?? 1);
}

export interface ContractionOptions {
  readonly contraction: Contraction;
  readonly codeShape: readonly number[];
  readonly codeActivation: Activation;
}

const signsName = 'contraction/signs';

export function contractionPenalty({ contraction, codeShape, codeActivation }: ContractionOptions): Penalty {
  const { method, weight } = contraction;
  const coin = { from: 'noise', distribution: { type: 'bernoulli', probability: 0.5 }, shape: codeShape } as const;
  return {
    name: 'contraction',
    weight,
    noise: method === 'estimate' ? { [signsName]: coin } : {},
    statistics: {},
    value({ p, x, code, encode }, pass) {
      switch (method) {
        case 'closed-form':
          return closedForm(code, parameter(p, 'encoder/0/weight'), codeActivation);
        case 'exact':
          return exactNorm(encode, x, codeShape[0] ?? 1);
        case 'estimate':
          return estimatedNorm(encode, x, tf.sub(tf.mul(parameter(pass.noise, signsName), 2), 1));
        default:
          return method satisfies never;
      }
    },
  };
}
