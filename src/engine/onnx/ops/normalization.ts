/** Batch normalisation and local response normalisation of NHWC images. */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { add, binary, div, matMul, mul, sub, unary } from '../nodes.ts';

/** (x − mean) / √(variance + ε) · scale + offset, as one multiplication and one addition of the full tensor. */
lower<tf.FusedBatchNormInputs, tf.FusedBatchNormAttrs>(
  tf.FusedBatchNorm,
  ({ g, inputs, attrs: { varianceEpsilon } }) => {
    const { x, mean, variance, scale, offset } = inputs as { [Name in keyof typeof inputs]: Value };
    const epsilon = g.scalar('float32', varianceEpsilon);
    const spread = unary(g, 'Sqrt', add(g, variance, epsilon));
    const factor = scale ? div(g, scale, spread) : unary(g, 'Reciprocal', spread);
    const centre = mul(g, mean, factor);
    const shift = offset ? sub(g, offset, centre) : unary(g, 'Neg', centre);
    return add(g, mul(g, x, factor), shift);
  },
);

/** Sums over the channels within a radius: a product with a band of ones. */
function nearby(g: Graph, x: Value, radius: number): Value {
  const channels = x.shape.at(-1)!;
  const band = Array.from({ length: channels * channels }, (_, k) =>
    Math.abs(Math.floor(k / channels) - (k % channels)) <= radius ? 1 : 0,
  );
  return matMul(g, x, g.constant('float32', [channels, channels], band));
}

/** bias + alpha · Σ x² nearby */
function lrnBase(g: Graph, x: Value, { depthRadius, bias, alpha }: tf.LRNAttrs): Value {
  const energy = nearby(g, mul(g, x, x), depthRadius);
  return add(g, mul(g, energy, g.scalar('float32', alpha)), g.scalar('float32', bias));
}

lower<tf.LRNInputs, tf.LRNAttrs>(tf.LRN, ({ g, inputs: { x }, attrs }) =>
  mul(g, x, binary(g, 'Pow', lrnBase(g, x, attrs), g.scalar('float32', -attrs.beta))),
);
// d/dx of x · n^−β with n = bias + α Σ x²: dy · n^−β − 2αβ x · Σ (dy · y / n)
lower<tf.LRNGradInputs, tf.LRNGradAttrs>(tf.LRNGrad, ({ g, inputs: { x, y, dy }, attrs }) => {
  const base = lrnBase(g, x, attrs);
  const direct = mul(g, dy, binary(g, 'Pow', base, g.scalar('float32', -attrs.beta)));
  const through = nearby(g, div(g, mul(g, dy, y), base), attrs.depthRadius);
  return sub(g, direct, mul(g, mul(g, x, through), g.scalar('float32', 2 * attrs.alpha * attrs.beta)));
});
