/** Likelihoods of counts of words. */

import * as tf from '@tensorflow/tfjs-core';
import type { Autoencoder } from './autoencoder.ts';
import type { Objective } from './objective.ts';

export interface DocumentModel {
  readonly autoencoder: Autoencoder;
  readonly objective: Objective;
}

/** −Σ xᵢ ln softmax(logits)ᵢ: counts and logits [batch, words] → nats of each document [batch] */
export function surprise(counts: tf.Tensor2D, logits: tf.Tensor2D): tf.Tensor1D {
  return tf.sub(tf.mul(tf.sum(counts, 1), tf.logSumExp(logits, 1)), tf.sum(tf.mul(counts, logits), 1));
}

/** ln(1 + x), so that a word that comes often does not outweigh all others. */
export const dampened = (counts: tf.Tensor): tf.Tensor2D => tf.log1p(counts) as tf.Tensor2D;
