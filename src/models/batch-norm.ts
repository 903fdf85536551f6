/**
 * Batch normalisation over all axes but the last: with the batch's own mean and variance in training, which also feed running
 * ones, and with the running ones when serving.
 *
 *   y = γ·(x − μ)/√(σ² + ε) + β
 *
 * Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate shift".
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Layer, parameter } from './layers.ts';

const epsilon = 1e-3;
const memory = 0.95;

export interface BatchNormOptions {
  /** γ is learned, else it is 1 */
  readonly scale?: boolean;
  /** β is learned, else it is 0 */
  readonly shift?: boolean;
}

export function batchNorm(name: string, channels: number, learned: BatchNormOptions = {}): Layer {
  const { scale: scales = true, shift: shifts = true } = learned;
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((part) => `${name}/${part}`) as [
    string,
    string,
    string,
    string,
  ];
  const one = { shape: [channels], init: { type: 'constant', value: 1 } } as const;
  const zero = { shape: [channels], init: { type: 'zeros' } } as const;
  return {
    parameters: { ...(scales && { [scale]: one }), ...(shifts && { [shift]: zero }) },
    statistics: { [mean]: zero, [variance]: one },
    apply(p, x, pass) {
      const normalise = (mu: tf.Tensor, sigma2: tf.Tensor) => {
        const whitening = tf.rsqrt(tf.add(sigma2, epsilon));
        const factor = scales ? tf.mul(parameter(p, scale), whitening) : whitening;
        const normal = tf.mul(tf.sub(x, mu), factor);
        return shifts ? tf.add(normal, parameter(p, shift)) : normal;
      };
      if (!pass) return normalise(parameter(p, mean), parameter(p, variance));
      const axes = x.shape.map((_, i) => i).slice(0, -1);
      const mu = tf.mean(x, axes);
      const sigma2 = tf.mean(tf.square(tf.sub(x, mu)), axes);
      for (const [statistic, now] of [
        [mean, mu],
        [variance, sigma2],
      ] as const) {
        pass.statistics[statistic] = tf.add(tf.mul(parameter(p, statistic), memory), tf.mul(now, 1 - memory));
      }
      return normalise(mu, sigma2);
    },
  };
}
