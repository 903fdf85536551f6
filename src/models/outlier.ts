/**
 * How unusual a row is to an autoencoder: how much worse it comes back than rows with as much to reconstruct usually do.
 *
 *   s = ln(‖x − x̂‖² + ε) − (α + β·ln(d(x) + ε))
 *
 *   d(x): for pictures their detail, the squared differences between neighbouring pixels, summed; else ‖x − μ‖²
 *
 * α and β are fitted on held-out rows, so the plain error of a simple picture that comes back badly is not hidden behind that
 * of detailed ones that come back well. Low scores are unusual as well.
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import { type Autoencoder, codeOf, reconstructionOf } from './autoencoder.ts';
import { parameter } from './layers.ts';
import type { Parameters } from './parameters.ts';

/** What the score needs beside the model's weights: μ, ε, [α, β]. */
export const outlierNames = { mean: 'outlier/mean', floor: 'outlier/floor', line: 'outlier/line' } as const;

/** mean and floor come from training rows, the line from `outlierFeatures` of held-out rows */
export const featureParameters = (model: Autoencoder): Parameters => ({
  [outlierNames.mean]: { shape: [sizeOf(model.inputShape)], init: { type: 'zeros' } },
  [outlierNames.floor]: { shape: [], init: { type: 'constant', value: 1 } },
});

const isPicture = (shape: Shape): boolean => shape.length === 3 && (shape[0] ?? 0) > 1 && (shape[1] ?? 0) > 1;

const sumOfSquares = (x: tf.Tensor): tf.Tensor1D => tf.sum(tf.square(tf.reshape(x, [x.shape[0] ?? 0, -1])), 1);

/** Squared differences between neighbours below and beside, summed: [batch, height, width, channels] → [batch] */
function detail(x: tf.Tensor): tf.Tensor1D {
  const [rows = 0, height = 0, width = 0, channels = 0] = x.shape;
  const part = (top: number, left: number, h: number, w: number) =>
    tf.slice(x, [0, top, left, 0], [rows, h, w, channels]);
  const below = tf.sub(part(1, 0, height - 1, width), part(0, 0, height - 1, width));
  const beside = tf.sub(part(0, 1, height, width - 1), part(0, 0, height, width - 1));
  return tf.add(sumOfSquares(below), sumOfSquares(beside));
}

/** x [batch, …] → ln of error and of what there was to reconstruct, [batch] each */
export function outlierFeatures(
  model: Autoencoder,
  p: Tensors,
  x: tf.Tensor,
): { error: tf.Tensor1D; content: tf.Tensor1D } {
  const rows = x.shape[0] ?? 0;
  const floor = parameter(p, outlierNames.floor);
  const answer = reconstructionOf(model, p, codeOf(model, p, x));
  const flat = tf.reshape(x, [rows, -1]);
  const error = sumOfSquares(tf.sub(flat, tf.reshape(answer, [rows, -1])));
  const content = isPicture(model.inputShape) ? detail(x) : sumOfSquares(tf.sub(flat, parameter(p, outlierNames.mean)));
  return { error: tf.log(tf.add(error, floor)), content: tf.log(tf.add(content, floor)) };
}

/** x [batch, …] → [batch]; around 0 for rows like the held-out ones */
export function outlierScore(model: Autoencoder, p: Tensors, x: tf.Tensor): tf.Tensor1D {
  const { error, content } = outlierFeatures(model, p, x);
  const line = parameter(p, outlierNames.line);
  const at = (i: number) => tf.reshape(tf.slice(line, [i], [1]), []);
  return tf.sub(error, tf.add(at(0), tf.mul(content, at(1))));
}
