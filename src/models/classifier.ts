/**
 * A classifier on codes: a softmax layer, or a small network, on top of a trained encoder. It works on a copy of the encoder,
 * which is fine-tuned with the labels; the autoencoder itself stays as it was. With a frozen encoder there is no copy.
 *
 *   x ─ encoder (copy) ─► z ─ hidden … ─► logits ─ softmax ─► p(class ∣ x)
 *   └ corrupted              └ units left out                                  in training, where the head says so
 *
 *   cross-entropy  L = −ln p(label)          sse  L = Σ (p − one-hot(label))²
 *
 * Hinton & Salakhutdinov 2006; Vincent et al. 2010.
 */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { Head } from '../jobspec/model-members.ts';
import { type Autoencoder, allParameters, type Pass } from './autoencoder.ts';
import { corrupt, corruptionNoise } from './denoising.ts';
import { applyAll, denseStack, parameter, parametersOf } from './layers.ts';
import type { NoiseFeed, Objective, Phase, WeightChange } from './objective.ts';
import type { Parameters } from './parameters.ts';

const prefix = 'classifier/';
const keepName = 'keep';
const corruptionName = 'corruption';
const keepNoise = (size: number, dropout: number): NoiseFeed => ({
  from: 'noise',
  distribution: { type: 'bernoulli', probability: 1 - dropout },
  shape: [size],
});
const isEncoder = (name: string): boolean => name.startsWith('encoder/');

export interface Classifier {
  readonly classes: number;
  /** its own, beside those of the autoencoder */
  readonly parameters: Parameters;
  readonly statistics: Parameters;
  /** what a training pass needs in `noise` */
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  /** x [batch, …] → [batch, classes] */
  logits(p: Tensors, x: tf.Tensor, pass?: Pass): tf.Tensor2D;
}

export const probabilities = (classifier: Classifier, p: Tensors, x: tf.Tensor): tf.Tensor2D =>
  tf.softmax(classifier.logits(p, x));

const only = (parameters: Parameters, rename: (name: string) => string): Parameters =>
  Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => isEncoder(name))
      .map(([name, value]) => [rename(name), value]),
  );

export interface Labelled {
  readonly classes: number;
  /** of the data: smallest and largest value */
  readonly range: readonly [number, number];
}

export function classifier(model: Autoencoder, head: Head, { classes, range }: Labelled): Classifier {
  const { hidden, activation, freezeEncoder, dropout, corruption } = head;
  const inner = hidden.map(() => activation);
  const layers = denseStack(`${prefix}head`, [sizeOf(model.codeShape), ...hidden, classes], [...inner, 'linear']);
  const own = (name: string) => (freezeEncoder ? name : `${prefix}${name}`);
  const names = Object.keys(allParameters(model)).filter(isEncoder);
  return {
    classes,
    parameters: { ...(freezeEncoder ? {} : only(model.parameters, own)), ...parametersOf(layers) },
    statistics: freezeEncoder ? {} : only(model.statistics, own),
    noise: {
      ...(corruption && { [corruptionName]: corruptionNoise(corruption, model.inputShape) }),
      ...(dropout > 0 && { [keepName]: keepNoise(sizeOf(model.codeShape), dropout) }),
    },
    logits(p, clean, pass) {
      const x = pass && corruption ? corrupt(clean, parameter(pass.noise, corruptionName), corruption, range) : clean;
      const view = Object.fromEntries(names.map((name) => [name, parameter(p, own(name))]));
      const inner: Pass | undefined = pass && { noise: pass.noise, statistics: {} };
      const code = model.encode(view, x, freezeEncoder ? undefined : inner).at(-1) ?? x;
      for (const [name, value] of Object.entries(inner?.statistics ?? {})) {
        if (pass) pass.statistics[own(name)] = value;
      }
      const flat = tf.reshape(code, [x.shape[0] ?? 0, -1]);
      const kept = pass && dropout > 0 ? tf.mul(flat, tf.div(parameter(pass.noise, keepName), 1 - dropout)) : flat;
      return applyAll(layers, p, kept) as tf.Tensor2D;
    },
  };
}

/** −ln p(label) for logits [batch, classes] and one-hot labels: [batch] */
const crossEntropy = (logits: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor1D =>
  tf.sub(tf.logSumExp(logits, 1), tf.sum(tf.mul(logits, target), 1));

const squaredError = (logits: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor1D =>
  tf.sum(tf.square(tf.sub(tf.softmax(logits), target)), 1);

export function classification(classify: Classifier, loss: Head['loss']): Objective {
  const rowLoss = loss === 'cross-entropy' ? crossEntropy : squaredError;
  const evaluate = (p: Tensors, feeds: Tensors, pass?: Pass) => {
    const logits = classify.logits(p, parameter(feeds, 'x'), pass);
    const labels = parameter<tf.Tensor1D>(feeds, 'labels');
    const target = tf.cast(tf.oneHot(labels, classify.classes), 'float32') as tf.Tensor2D;
    return { logits, labels, losses: rowLoss(logits, target) };
  };
  return {
    feeds: { x: { from: 'rows' }, labels: { from: 'labels' }, ...classify.noise },
    loss(p, feeds) {
      const pass: Pass = { noise: feeds, statistics: {} };
      return { loss: tf.mean(evaluate(p, feeds, pass).losses), statistics: pass.statistics };
    },
    heldOut(p, feeds) {
      const { logits, labels, losses } = evaluate(p, feeds);
      const wrong = tf.notEqual(tf.argMax(logits, 1), labels);
      return { loss: losses, error: tf.cast(wrong, 'float32') as tf.Tensor1D };
    },
  };
}

/** The phase that trains it, after the autoencoder's own. */
export function classifierPhase(model: Autoencoder, classify: Classifier, head: Head, batchSize: number): Phase {
  const encoder = only(allParameters(model), (name) => name);
  const copies = Object.keys(encoder).map((from): WeightChange => ({ type: 'copy', from, to: `${prefix}${from}` }));
  return {
    name: 'classify',
    begin: head.freezeEncoder ? [] : copies,
    objective: classification(classify, head.loss),
    trainable: classify.parameters,
    statistics: classify.statistics,
    frozen: head.freezeEncoder ? encoder : {},
    ...(model.cost !== undefined && { cost: model.cost / 2 }),
    epochs: head.epochs,
    batchSize,
    optimizer: head.optimizer,
    report: 'classifier',
  };
}
