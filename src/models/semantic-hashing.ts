/**
 * Semantic hashing: an autoencoder of documents whose code is bits, so that documents about the same things have codes that differ in
 * few bits. Salakhutdinov & Hinton 2009:
 *
 *   ln(1 + x) / ‖·‖ ─ dropout ─► relu layers ─► BN ─► a ─► z = σ(a + noise) ─► relu layers ─► p = softmax
 *   L = −Σ xᵢ ln pᵢ / Σ xᵢ
 *
 * The noise is so large that only units which are almost 0 or 1 carry anything; served, a bit is a > 0. Normalisation keeps each
 * bit on for about half of the documents. The paper begins with restricted Boltzmann machines; normalisation and Adam do without.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { Autoencoder, Pass } from './autoencoder.ts';
import { batchNorm } from './batch-norm.ts';
import { type DocumentModel, dampened, surprise } from './counts.ts';
import { applyAll, dense, denseStack, parameter, parametersOf, statisticsOf } from './layers.ts';
import type { Objective } from './objective.ts';
import { keep, keepFeed } from './recommender.ts';

export function semanticHashing(
  { code, hidden, noise, dropout }: ModelOf<'semantic-hashing'>,
  words: number,
): DocumentModel {
  const inner = hidden.map(() => 'relu' as const);
  const trunk = denseStack('encoder', [words, ...hidden], inner);
  const top = dense(`encoder/${hidden.length}`, { inputs: hidden.at(-1) ?? words, units: code, activation: 'linear' });
  const norm = batchNorm('encoder/norm', code, { shift: false });
  const decoder = denseStack('decoder', [code, ...hidden.toReversed(), words], [...inner, 'linear']);

  const activation = (p: Tensors, x: tf.Tensor, pass?: Pass, feeds?: Tensors): tf.Tensor => {
    const counts = dampened(x);
    const length = tf.sqrt(tf.maximum(tf.sum(tf.square(counts), 1, true), 1));
    const input = tf.div(counts, length);
    const seen = feeds ? keep(input, feeds, 'keep', dropout) : input;
    return norm.apply(p, top.apply(p, applyAll(trunk, p, seen)), pass);
  };
  const bits = (p: Tensors, x: tf.Tensor): tf.Tensor => tf.cast(tf.greater(activation(p, x), 0), 'float32');
  const logits = (p: Tensors, z: tf.Tensor): tf.Tensor2D => applyAll(decoder, p, z) as tf.Tensor2D;

  const objective: Objective = {
    feeds: {
      x: { from: 'rows' },
      noise: { from: 'noise', distribution: { type: 'normal' }, shape: [code] },
      ...(dropout > 0 && { keep: keepFeed(dropout, words) }),
    },
    loss(p, feeds) {
      const pass: Pass = { noise: feeds, statistics: {} };
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const a = tf.add(activation(p, x, pass, feeds), tf.mul(parameter(feeds, 'noise'), noise));
      const perWord = tf.div(surprise(x, logits(p, tf.sigmoid(a))), tf.maximum(tf.sum(x, 1), 1));
      return { loss: tf.mean(perWord), statistics: pass.statistics };
    },
    heldOut(p, feeds) {
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const nats = surprise(x, logits(p, bits(p, x)));
      const count = tf.sum(x, 1) as tf.Tensor1D;
      return { loss: tf.div(nats, tf.maximum(count, 1)), nats, words: count };
    },
  };
  const autoencoder: Autoencoder = {
    ...{ inputShape: [words], codeShape: [code], noise: {}, outputActivation: 'linear' },
    parameters: parametersOf(trunk, [top, norm], decoder),
    statistics: statisticsOf([norm]),
    encode: (p, x) => [bits(p, x)],
    decode: (p, z) => tf.softmax(logits(p, z)),
  };
  return { autoencoder, objective };
}
