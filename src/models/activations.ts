/** Unit non-linearities φ by name. */

import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../jobspec/model.ts';

export function activate<T extends tf.Tensor>(x: T, activation: Activation): T {
  switch (activation) {
    case 'linear':
      return x;
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'tanh':
      return tf.tanh(x);
    case 'relu':
      return tf.relu(x);
    default:
      return activation satisfies never;
  }
}

/** The same of one number, outside of any program. */
export function activated(x: number, activation: Activation): number {
  switch (activation) {
    case 'linear':
      return x;
    case 'sigmoid':
      return 1 / (1 + Math.exp(-x));
    case 'tanh':
      return Math.tanh(x);
    case 'relu':
      return Math.max(x, 0);
    default:
      return activation satisfies never;
  }
}
