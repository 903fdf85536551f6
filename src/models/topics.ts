/**
 * ProdLDA: a variational autoencoder of documents whose code is a mixture of topics, and in which a word has to suit all topics of
 * the mixture. Srivastava & Sutton 2017, "Autoencoding variational inference for topic models":
 *
 *   x ─► softplus layers ─ dropout ─┬─► BN ─► μ ─────┐
 *                                   └─► BN ─► ln σ² ─┴─► h = μ + σ·ε ─► θ = softmax(h) ─ dropout ─► p = softmax(BN(θ·β))
 *
 *   L = −Σ xᵢ ln pᵢ + KL(q(h ∣ x) ‖ N(0, s²)),   s² = (1 − 1/K)/α: the Laplace approximation of a Dirichlet(α) prior
 *
 * Batch normalisation keeps the topics from becoming all the same; it has no scale of its own. Served: encode gives softmax(μ).
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { Autoencoder, Pass } from './autoencoder.ts';
import { batchNorm } from './batch-norm.ts';
import { type DocumentModel, dampened, surprise } from './counts.ts';
import { dense, parameter, parametersOf, statisticsOf } from './layers.ts';
import type { Objective } from './objective.ts';
import { keep, keepFeed } from './recommender.ts';
import type { Posterior } from './variational.ts';

export function topics({ code, hidden, concentration, dropout }: ModelOf<'topics'>, words: number): DocumentModel {
  const sizes = [words, ...hidden];
  const trunk = hidden.map((units, i) =>
    dense(`encoder/${i}`, { inputs: sizes[i] as number, units, activation: 'linear' }),
  );
  const top = { inputs: sizes.at(-1) as number, units: code, activation: 'linear' } as const;
  const mean = dense('encoder/mean', top);
  const logVariance = dense('encoder/log-variance', top);
  const meanNorm = batchNorm('encoder/mean/norm', code, { scale: false });
  const logVarianceNorm = batchNorm('encoder/log-variance/norm', code, { scale: false });
  const topicWords = 'decoder/topics';
  const wordNorm = batchNorm('decoder/norm', words, { scale: false });
  const decoder = {
    parameters: {
      [topicWords]: { shape: [code, words], init: { type: 'glorot-uniform', fanIn: code, fanOut: words } },
    },
  } as const;
  const layers = [
    [...trunk, mean, logVariance, meanNorm, logVarianceNorm],
    [decoder, wordNorm],
  ] as const;
  const priorVariance = (1 - 1 / code) / concentration;

  const posterior = (p: Tensors, x: tf.Tensor, pass?: Pass, feeds?: Tensors): Posterior => {
    let h: tf.Tensor = dampened(x);
    for (const layer of trunk) h = tf.softplus(layer.apply(p, h));
    if (feeds) h = keep(h, feeds, 'keep', hidden.length > 0 ? dropout : 0);
    return {
      mean: meanNorm.apply(p, mean.apply(p, h), pass) as tf.Tensor2D,
      logVariance: logVarianceNorm.apply(p, logVariance.apply(p, h), pass) as tf.Tensor2D,
    };
  };
  const logits = (p: Tensors, mixture: tf.Tensor, pass?: Pass): tf.Tensor2D =>
    wordNorm.apply(p, tf.matMul(mixture as tf.Tensor2D, parameter<tf.Tensor2D>(p, topicWords)), pass) as tf.Tensor2D;
  const drawn = ({ mean, logVariance }: Posterior, feeds: Tensors): tf.Tensor =>
    tf.softmax(tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), parameter(feeds, 'epsilon'))) as tf.Tensor2D);
  /** KL of each document: [batch] */
  const divergence = ({ mean, logVariance }: Posterior): tf.Tensor1D => {
    const ratio = tf.div(tf.add(tf.exp(logVariance), tf.square(mean)), priorVariance);
    return tf.mul(tf.sum(tf.sub(tf.add(ratio, Math.log(priorVariance) - 1), logVariance), 1), 0.5);
  };

  const objective: Objective = {
    feeds: {
      x: { from: 'rows' },
      epsilon: { from: 'noise', distribution: { type: 'normal' }, shape: [code] },
      ...(dropout > 0 && {
        ...(hidden.length > 0 && { keep: keepFeed(dropout, hidden.at(-1) as number) }),
        keepTopics: keepFeed(dropout, code),
      }),
    },
    loss(p, feeds) {
      const pass: Pass = { noise: feeds, statistics: {} };
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const q = posterior(p, x, pass, feeds);
      const mixture = keep(drawn(q, feeds), feeds, 'keepTopics', dropout);
      const apart = tf.mean(divergence(q)) as tf.Scalar;
      const loss = tf.add(tf.mean(surprise(x, logits(p, mixture, pass))), apart) as tf.Scalar;
      return { loss, metrics: { divergence: apart }, statistics: pass.statistics };
    },
    heldOut(p, feeds) {
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const q = posterior(p, x);
      const apart = divergence(q);
      const nats = tf.add(surprise(x, logits(p, drawn(q, feeds))), apart) as tf.Tensor1D;
      return { loss: nats, nats, divergence: apart, words: tf.sum(x, 1) };
    },
  };
  const autoencoder: Autoencoder = {
    ...{ inputShape: [words], codeShape: [code], noise: {}, outputActivation: 'linear' },
    parameters: parametersOf(...layers),
    statistics: statisticsOf(...layers),
    encode: (p, x) => [tf.softmax(posterior(p, x).mean)],
    decode: (p, z) => tf.softmax(logits(p, z)),
  };
  return { autoencoder, objective };
}
