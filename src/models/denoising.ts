/**
 * Denoising autoencoder: sees a corrupted input and is asked for the clean one, with fresh noise at each step.
 *
 *   x ─ q(x̃ ∣ x) ─► x̃ ─ encode ─► z ─ decode ─► x̂        L = loss(x̂, x): against the clean x, not x̃
 *
 *   gaussian         x̃ = x + σ·n, clipped to the data's range      n ~ N(0, 1)
 *   masking          x̃ = x·m                                       m ~ Bernoulli(1 − p)
 *   salt-and-pepper  x̃ = lowest, highest or x                      with p/2, p/2, 1 − p
 *   hole             x̃ = middle of the range in a square, else x   inpainting: Pathak et al. 2016, "Context encoders"
 *
 * Any autoencoder becomes one by corruption of its input. Vincent, Larochelle, Bengio & Manzagol 2008, "Extracting and
 * composing robust features with denoising autoencoders". The noise arrives as a feed; src/data has the same definitions
 * for data on the host.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../base/ndarray.ts';
import type { Corruption } from '../jobspec/model.ts';
import type { Distribution, NoiseFeed } from './objective.ts';

/** The noise that `corrupt` needs for rows of a shape. */
export const corruptionNoise = (corruption: Corruption, shape: Shape): NoiseFeed => ({
  from: 'noise',
  distribution: distributionOf(corruption),
  shape,
});

function distributionOf(corruption: Corruption): Distribution {
  switch (corruption.type) {
    case 'gaussian':
      return { type: 'normal' };
    case 'masking':
      return { type: 'bernoulli', probability: 1 - corruption.probability };
    case 'salt-and-pepper':
      return { type: 'uniform' };
    case 'hole':
      return { type: 'hole', size: corruption.size };
    default:
      return corruption satisfies never;
  }
}

/** `noise` comes from the feed that `corruptionNoise` describes; `range` is the data's. */
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
    case 'hole':
      return tf.add(tf.mul(x, noise), tf.mul(tf.sub(1, noise), (low + high) / 2));
    default:
      return corruption satisfies never;
  }
}
