/**
 * How unusual a row is to an autoencoder: what is lost in reconstruction, as a share of what there was to reconstruct.
 *
 *   s = ln( (‖x − x̂‖² + ε) / (‖x − μ‖² + ε) )        μ: mean of the training rows,  ε: a thousandth of the mean ‖x − μ‖²
 *
 * The plain error calls a simple picture usual, however badly it comes back; the share does not. Low scores are unusual as
 * well: rows simpler than any of the training rows.
 */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import { type Autoencoder, codeOf, reconstructionOf } from './autoencoder.ts';
import { parameter } from './layers.ts';
import type { Parameters } from './parameters.ts';

const meanName = 'outlier/mean';
const floorName = 'outlier/floor';

/** What the score needs beside the model: mean row, and ε. */
export const outlierParameters = (model: Autoencoder): Parameters => ({
  [meanName]: { shape: [sizeOf(model.inputShape)], init: { type: 'zeros' } },
  [floorName]: { shape: [], init: { type: 'constant', value: 1 } },
});

export const outlierNames = { mean: meanName, floor: floorName } as const;

/** x [batch, …] → [batch]; larger is more unusual. */
export function outlierScore(model: Autoencoder, p: Tensors, x: tf.Tensor): tf.Tensor1D {
  const rows = x.shape[0] ?? 0;
  const flat = (t: tf.Tensor) => tf.reshape(t, [rows, -1]);
  const distance = (a: tf.Tensor, b: tf.Tensor) =>
    tf.add(tf.sum(tf.square(tf.sub(a, b)), 1), parameter(p, floorName)) as tf.Tensor1D;
  const answer = flat(reconstructionOf(model, p, codeOf(model, p, x)));
  return tf.sub(tf.log(distance(flat(x), answer)), tf.log(distance(flat(x), parameter(p, meanName))));
}
