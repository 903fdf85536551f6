/**
 * k-sparse autoencoder: of the code's units only the k largest stay, the others become 0. Gradients flow through those that
 * stayed. Linear units, tied weights.
 *
 *   x ─► a = x·W + b ─► z = a on supp_k(a), else 0 ─► x̂ = z·Wᵀ + b′
 *
 * With k small from the beginning some units are never among the largest and learn nothing, so training comes down to k.
 * After training a code may keep α·k units, which tell classes apart better (§2.1); decoding uses the k largest of them.
 * Makhzani & Frey 2013, "k-Sparse autoencoders".
 */

import * as tf from '@tensorflow/tfjs-core';

/**
 * [batch, units] → the same with all but the k largest of each row set to 0. Units that are equal to the k-th largest all
 * stay, which between real-valued activations does not happen.
 */
export function keepLargest(a: tf.Tensor, k: number): tf.Tensor {
  const masked = tf.customGrad((x, save) => {
    const input = x as tf.Tensor2D;
    const { values } = tf.topk(input, k);
    const threshold = tf.slice(values as tf.Tensor2D, [0, k - 1], [-1, 1]);
    const mask = tf.cast(tf.greaterEqual(input, threshold), 'float32');
    (save as tf.GradSaveFunc)([mask]);
    return {
      value: tf.mul(input, mask) as tf.Tensor,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, saved[0] as tf.Tensor),
    };
  });
  return masked(a);
}

/**
 * What decoding uses of codes [batch, units] with more than k units: the k largest of those that are not 0, as `keepLargest`
 * would have left of the activations. Without a gradient.
 */
export function largestOfCode(z: tf.Tensor, k: number): tf.Tensor {
  const present = tf.where(tf.equal(z, 0), tf.scalar(absent), z) as tf.Tensor2D;
  const threshold = tf.slice(tf.topk(present, k).values, [0, k - 1], [-1, 1]);
  return tf.mul(z, tf.cast(tf.greaterEqual(present, threshold), 'float32'));
}

/** Below every activation. */
const absent = -3e38;

/** α·k, at most all. */
export const encodedUnits = ({ active, alpha, code }: { active: number; alpha: number; code: number }): number =>
  Math.min(code, Math.round(alpha * active));

export interface Stage {
  readonly active: number;
  readonly epochs: number;
}

/** k·2ⁿ, …, 2k, together half of the epochs as far as they can be divided, then k. */
export function stages(active: number, units: number, halvings: number, epochs: number): Stage[] {
  const each = Math.max(1, Math.floor(epochs / 2 / Math.max(1, halvings)));
  const before: Stage[] = [];
  let left = epochs;
  for (let i = halvings; i > 0 && left > each; i--) {
    if (active * 2 ** i > units) continue;
    before.push({ active: active * 2 ** i, epochs: each });
    left -= each;
  }
  return [...before, { active, epochs: left }];
}
