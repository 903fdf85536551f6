/**
 * Sparse autoencoder: each code unit is on for few inputs only, so there may be more units than inputs.
 *
 *   x ─► z = σ(x·W + b) ─► x̂          ρ̂ⱼ = mean of zⱼ over the rows
 *        └─► Σⱼ KL(ρ ‖ ρ̂ⱼ)            L = loss(x̂, x) + λ Σⱼ [ρ ln(ρ/ρ̂ⱼ) + (1−ρ) ln((1−ρ)/(1−ρ̂ⱼ))]
 *
 * Lee, Ekanadham & Ng 2008, "Sparse deep belief net model for visual area V2"; Ng 2011, CS294A lecture notes.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Sparsity } from '../jobspec/model-members.ts';
import { parameter } from './layers.ts';
import type { Penalty } from './reconstruction.ts';

/** keeps logarithms finite when a unit is never, or always, on */
const margin = 1e-6;
const meanName = 'sparsity/mean';

/** Σⱼ KL(ρ ‖ ρ̂ⱼ) of Bernoulli variables; `mean` is ρ̂, [units]. */
export function divergence(mean: tf.Tensor, target: number): tf.Scalar {
  const safe = tf.clipByValue(mean, margin, 1 - margin);
  const on = tf.mul(target, tf.sub(Math.log(target), tf.log(safe)));
  const off = tf.mul(1 - target, tf.sub(Math.log(1 - target), tf.log(tf.sub(1, safe))));
  return tf.sum(tf.add(on, off));
}

/** With `memory` m, ρ̂ = m · running mean + (1 − m) · batch mean. */
export function sparsityPenalty({ target, weight, memory }: Sparsity, units: number): Penalty {
  return {
    name: 'sparsity',
    weight,
    noise: {},
    statistics: memory > 0 ? { [meanName]: { shape: [units], init: { type: 'constant', value: target } } } : {},
    value({ p, layers }, pass) {
      const batchMean = tf.mean(tf.reshape(layers.at(-1) as tf.Tensor, [-1, units]), 0);
      if (memory === 0) return divergence(batchMean, target);
      const running = tf.add(tf.mul(parameter(p, meanName), memory), tf.mul(batchMean, 1 - memory));
      pass.statistics[meanName] = running;
      return divergence(running, target);
    },
  };
}
