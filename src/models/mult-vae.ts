/**
 * Variational autoencoder with a multinomial likelihood: which items a person comes to like is drawn from one distribution
 * over all items. Liang et al. 2018, "Variational autoencoders for collaborative filtering":
 *
 *   x / ‖x‖ ─ dropout ─► tanh layers ─► μ, ln σ² ─► z = μ + σ·ε ─► tanh layers ─► π = softmax
 *   L = −Σ xᵢ ln πᵢ + β·KL(q(z ∣ x) ‖ N(0, I))
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import { likes } from './ease.ts';
import { applyAll, dense, denseStack, parameter, parametersOf } from './layers.ts';
import { keep, keepFeed, pairOf, type RatingContext, type RatingModel } from './recommender.ts';
import { divergenceFromPrior, type Posterior } from './variational.ts';

export function multVae({ model, data }: RatingContext<'mult-vae'>): RatingModel {
  const [items = 0] = data.shape;
  const { code, hidden, dropout, beta, positive } = model;
  const inner = hidden.map(() => 'tanh' as const);
  const trunk = denseStack('encoder', [items, ...hidden], inner);
  const top = { inputs: hidden.at(-1) ?? items, units: code, activation: 'linear' } as const;
  const mean = dense('encoder/mean', top);
  const logVariance = dense('encoder/log-variance', top);
  const decoder = denseStack('decoder', [code, ...hidden.toReversed(), items], [...inner, 'linear']);

  /** Of length 1, so that people with many items are no other input than people with few. */
  const normal = (liked: tf.Tensor2D): tf.Tensor2D =>
    tf.div(liked, tf.sqrt(tf.maximum(tf.sum(liked, 1, true), 1))) as tf.Tensor2D;
  const posterior = (p: Tensors, x: tf.Tensor): Posterior => {
    const h = applyAll(trunk, p, x);
    return { mean: mean.apply(p, h) as tf.Tensor2D, logVariance: logVariance.apply(p, h) as tf.Tensor2D };
  };
  /** −Σ xᵢ ln πᵢ: [batch] */
  const surprise = (p: Tensors, z: tf.Tensor, liked: tf.Tensor2D): tf.Tensor1D => {
    const logits = applyAll(decoder, p, z) as tf.Tensor2D;
    return tf.sub(tf.mul(tf.sum(liked, 1), tf.logSumExp(logits, 1)), tf.sum(tf.mul(liked, logits), 1));
  };
  const codeOf = (inputs: Tensors, p: Tensors): tf.Tensor2D =>
    posterior(p, normal(likes(parameter<tf.Tensor2D>(inputs, 'x'), positive))).mean;
  const inputs = { x: { dtype: 'float32', shape: [items] } } as const;
  return {
    scores: 'preferences',
    codeSize: code,
    parameters: parametersOf(trunk, [mean, logVariance], decoder),
    complete: (weights) => weights,
    objective: {
      feeds: {
        x: { from: 'rows' },
        epsilon: { from: 'noise', distribution: { type: 'normal' }, shape: [code] },
        ...(dropout > 0 && { keep: keepFeed(dropout, items) }),
      },
      loss(p, feeds) {
        const { seen, asked } = pairOf(feeds, items);
        const q = posterior(p, keep(normal(likes(seen, positive)), feeds, 'keep', dropout));
        const z = tf.add(q.mean, tf.mul(tf.exp(tf.mul(q.logVariance, 0.5)), parameter(feeds, 'epsilon')));
        const divergence = tf.mean(divergenceFromPrior(q)) as tf.Scalar;
        const likelihood = tf.mean(surprise(p, z, likes(asked, positive)));
        return { loss: tf.add(likelihood, tf.mul(divergence, beta)) as tf.Scalar, metrics: { divergence } };
      },
      heldOut(p, feeds) {
        const { seen, asked } = pairOf(feeds, items);
        return { loss: surprise(p, posterior(p, normal(likes(seen, positive))).mean, likes(asked, positive)) };
      },
    },
    encoder: (weights) => ({
      name: 'encoder',
      inputs,
      weights,
      call: (given, p) => ({ z: codeOf(given, p) }),
    }),
    recommender: (weights) => ({
      name: 'recommender',
      inputs,
      weights,
      call: (given, p) => ({ scores: applyAll(decoder, p, codeOf(given, p)) }),
    }),
  };
}
