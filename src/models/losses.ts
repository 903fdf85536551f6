/**
 * Reconstruction losses, one value per row. They take the output before its activation, so that cross-entropy is computed
 * from logits and can neither overflow nor take the logarithm of 0.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Activation, Loss } from '../jobspec/model.ts';
import { activate } from './activations.ts';

export interface ReconstructionLoss {
  readonly loss: Loss;
  readonly outputActivation: Activation;
}

/** `output` (before activation) and `target` are [batch, …]; the answer is [batch]. */
export function lossPerRow(
  output: tf.Tensor,
  target: tf.Tensor,
  { loss, outputActivation }: ReconstructionLoss,
): tf.Tensor1D {
  const rows = output.shape[0] ?? 0;
  const flat = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [rows, -1]);
  switch (loss) {
    case 'bce':
      return tf.mean(flat(crossEntropyFromLogits(output, target)), 1);
    case 'mse':
      return tf.mean(flat(squaredError(output, target, outputActivation)), 1);
    case 'sse':
      return tf.sum(flat(squaredError(output, target, outputActivation)), 1);
    case 'half-sse':
      return tf.mul(tf.sum(flat(squaredError(output, target, outputActivation)), 1), 0.5);
    default:
      return loss satisfies never;
  }
}

/** −x·ln σ(a) − (1−x)·ln(1−σ(a)) = softplus(a) − a·x, elementwise, for logits a and targets x in [0,1]. */
export const crossEntropyFromLogits = (logits: tf.Tensor, target: tf.Tensor): tf.Tensor =>
  tf.sub(tf.softplus(logits), tf.mul(logits, target));

const squaredError = (output: tf.Tensor, target: tf.Tensor, activation: Activation): tf.Tensor =>
  tf.square(tf.sub(activate(output, activation), target));
