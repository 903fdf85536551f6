/**
 * The net of a photographs' codec: 16 crops of 128 × 128 in three colours, cut into squares of 8 × 8 by a linear analysis, with noise in
 * the place of rounding, convolutions over the squares, and a linear synthesis whose squares overlap.
 *
 *   128²·3 ─ 8×8 stride 8 ─ 16²·192 + noise ─┬─ 32 ─ 32 ─ 192, 3×3 ─ + ─ 16×16 stride 8, transposed ─ 128²·3
 *                                            └──────────────────────┘
 */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpec, TensorSpecs } from '../../src/base/ndarray.ts';
import { float32, type NdArray, sizeOf } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Tensors } from '../../src/engine/engine.ts';

export const photoBatch = 16;
export const photoBatches = 4;
const side = 128;
const colours = 3;
export const photoPixels = side * side * colours;
const square = 8;
const wide = square * square * colours;
const hidden = 32;
const squares = side / square;

const f32 = (...shape: number[]): TensorSpec => ({ dtype: 'float32', shape });

export const photoParameters: TensorSpecs = {
  W0: f32(square, square, colours, wide),
  b0: f32(wide),
  W1: f32(3, 3, wide, hidden),
  b1: f32(hidden),
  W2: f32(3, 3, hidden, hidden),
  b2: f32(hidden),
  W3: f32(3, 3, hidden, wide),
  b3: f32(wide),
  // height, width, outputs, inputs: of the convolution that it is the transpose of
  W4: f32(2 * square, 2 * square, colours, wide),
  b4: f32(colours),
};

const noiseShape = [photoBatch, squares, squares, wide];
export const photoConstants: TensorSpecs = { noise: f32(...noiseShape) };

/** What rounding to steps of a twentieth would do to the numbers of the squares, the same in every step. */
export const photoNoise = (): NdArray =>
  float32(noiseShape, new RandomStream(1, 'noise').uniform(new Float32Array(sizeOf(noiseShape)), -0.025, 0.025));

/** Crops: for each colour a plane that rises, with grain. */
export function photos(): Float32Array {
  const rows = photoBatches * photoBatch;
  const slopes = new RandomStream(1, 'slopes').uniform(new Float32Array(rows * 2 * colours));
  const grain = new RandomStream(1, 'grain').uniform(new Float32Array(rows * photoPixels), 0, 0.2);
  return grain.map((noise, i) => {
    const [row, within] = [Math.floor(i / photoPixels), i % photoPixels];
    const colour = within % colours;
    const pixel = Math.floor(within / colours);
    const [across, down] = slopes.subarray((row * colours + colour) * 2) as unknown as [number, number];
    return noise + (0.4 * (across * (pixel % side) + down * Math.floor(pixel / side))) / side;
  });
}

/** Squares of the levels of a pixel: gradients stay large beside Adam's ε, which the frameworks put in different places. */
const levels = 255 ** 2;

/** The mean squared error of a batch, in levels from 0 to 255. */
export function photoLoss(p: Tensors, x: tf.Tensor, noise: tf.Tensor): tf.Scalar {
  const conv = (h: tf.Tensor, i: number, stride: number, pad: 'same' | 'valid') =>
    tf.add(tf.conv2d(h as tf.Tensor4D, p[`W${i}`] as tf.Tensor4D, stride, pad), p[`b${i}`]!);
  const image = tf.reshape(x, [photoBatch, side, side, colours]) as tf.Tensor4D;
  const code = tf.add(conv(image, 0, square, 'valid'), noise);
  const inner = tf.relu(conv(tf.relu(conv(code, 1, 1, 'same')), 2, 1, 'same'));
  const clean = tf.add(code, conv(inner, 3, 1, 'same')) as tf.Tensor4D;
  const size: [number, number, number, number] = [photoBatch, side, side, colours];
  const y = tf.add(tf.conv2dTranspose(clean, p.W4 as tf.Tensor4D, size, square, 'same'), p.b4!);
  return tf.mul(tf.mean(tf.squaredDifference(y, image)), levels) as tf.Scalar;
}
