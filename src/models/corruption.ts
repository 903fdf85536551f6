/**
 * The noise q(x̃ ∣ x) of denoising autoencoders inside a program, from noise that arrives as a feed. The same definitions as
 * src/data/corruption.ts, which works on the host for evaluation.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Corruption } from '../spec/model.ts';
import type { Distribution } from './objective.ts';

/** What one value of noise per input value is drawn from. */
export function corruptionNoise(corruption: Corruption): Distribution {
  switch (corruption.type) {
    case 'gaussian':
      return { type: 'normal' };
    case 'masking':
      return { type: 'bernoulli', probability: 1 - corruption.probability };
    case 'salt-and-pepper':
      return { type: 'uniform' };
    default:
      return corruption satisfies never;
  }
}

/** `noise` has the shape of `x` and comes from `corruptionNoise`; `range` is the data's, [pepper, salt]. */
export function corrupt(
  x: tf.Tensor,
  noise: tf.Tensor,
  corruption: Corruption,
  [low, high]: readonly [number, number],
): tf.Tensor {
  switch (corruption.type) {
    case 'gaussian':
      return tf.clipByValue(tf.add(x, tf.mul(noise, corruption.sigma)), low, high);
    case 'masking':
      return tf.mul(x, noise);
    case 'salt-and-pepper': {
      const half = corruption.probability / 2;
      const peppered = tf.where(tf.less(noise, half), tf.scalar(low), x);
      return tf.where(tf.greaterEqual(noise, 1 - half), tf.scalar(high), peppered);
    }
    default:
      return corruption satisfies never;
  }
}
