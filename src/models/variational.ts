/**
 * Variational autoencoder: the encoder gives a distribution over codes, the decoder one over inputs; new inputs come from
 * decoding codes drawn from the prior.
 *
 *            ┌─► μ ──────┐
 *   x ─► h ──┤           ├─► z = μ + σ·ε ─► p(x ∣ z)        ε ~ N(0, I),  prior p(z) = N(0, I)
 *            └─► ln σ² ──┘
 *
 *   k = 1   L = −E ln p(x ∣ z) + β·KL(q(z ∣ x) ‖ p(z)),  KL = ½ Σ (μ² + σ² − 1 − ln σ²)
 *   k > 1   L = −ln (1/k) Σᵢ p(x, zᵢ) / q(zᵢ ∣ x)            the importance-weighted bound
 *
 * All in nats per row. Served: encode gives μ. Kingma & Welling 2014, "Auto-encoding variational Bayes"; Burda, Grosse &
 * Salakhutdinov 2016, "Importance weighted autoencoders".
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { Activation } from '../jobspec/model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { applyAll, applyEach, dense, denseStack, parameter, parametersOf } from './layers.ts';
import { crossEntropyFromLogits } from './losses.ts';
import type { NoiseFeed, Objective } from './objective.ts';

export interface VariationalOptions {
  readonly code: number;
  readonly hidden: readonly number[];
  readonly activation: Activation;
  readonly likelihood: 'bernoulli' | 'gaussian';
}

export interface Posterior {
  /** [batch, code] */
  readonly mean: tf.Tensor2D;
  /** ln σ² */
  readonly logVariance: tf.Tensor2D;
}

export interface VariationalAutoencoder extends Autoencoder {
  posterior(p: Tensors, x: tf.Tensor): Posterior;
  readonly likelihood: 'bernoulli' | 'gaussian';
}

export function variationalAutoencoder(options: VariationalOptions, inputShape: Shape): VariationalAutoencoder {
  const { code, hidden, activation, likelihood } = options;
  const inputs = sizeOf(inputShape);
  const inner = hidden.map(() => activation);
  const trunk = denseStack('encoder', [inputs, ...hidden], inner);
  const top = { inputs: hidden.at(-1) ?? inputs, units: code, activation: 'linear' } as const;
  const mean = dense('encoder/mean', top);
  const logVariance = dense('encoder/log-variance', top);
  const decoder = denseStack('decoder', [code, ...hidden.toReversed(), inputs], [...inner, 'linear']);
  const flat = (x: tf.Tensor) => tf.reshape(x, [-1, inputs]);
  return {
    inputShape,
    codeShape: [code],
    parameters: parametersOf(trunk, [mean, logVariance], decoder),
    statistics: {},
    noise: {},
    outputActivation: likelihood === 'bernoulli' ? 'sigmoid' : 'linear',
    likelihood,
    encode(p, x) {
      const layers = applyEach(trunk, p, flat(x));
      return [...layers, mean.apply(p, layers.at(-1) ?? flat(x))];
    },
    decode: (p, z) => tf.reshape(applyAll(decoder, p, z), [-1, ...inputShape]),
    posterior(p, x) {
      const h = applyAll(trunk, p, flat(x));
      return { mean: mean.apply(p, h) as tf.Tensor2D, logVariance: logVariance.apply(p, h) as tf.Tensor2D };
    },
  };
}

export interface BoundOptions {
  /** k */
  readonly samples: number;
  readonly beta: number;
  /** true: pixels are drawn as 0 and 1 with the grey values as probabilities, anew at each step */
  readonly binarize: boolean;
}

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/** ln p(x ∣ z): `output` [batch, k, inputs], `x` [batch, 1, inputs] → [batch, k] */
function logLikelihood(output: tf.Tensor, x: tf.Tensor, likelihood: 'bernoulli' | 'gaussian'): tf.Tensor {
  switch (likelihood) {
    case 'bernoulli':
      return tf.neg(tf.sum(crossEntropyFromLogits(output, x), 2));
    case 'gaussian':
      return tf.neg(tf.sum(tf.add(tf.mul(tf.square(tf.sub(output, x)), 0.5), halfLogTwoPi), 2));
    default:
      return likelihood satisfies never;
  }
}

/** ½ Σ (μ² + σ² − 1 − ln σ²) over the code: [batch] */
export const divergenceFromPrior = ({ mean, logVariance }: Posterior): tf.Tensor1D =>
  tf.mul(tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1)), 1), 0.5);

/** Reconstruction and divergence, [batch] each, from noise [batch, k, code]; for k > 1 the bound has no separate parts. */
function boundParts(model: VariationalAutoencoder, p: Tensors, x: tf.Tensor, noise: tf.Tensor3D, samples: number) {
  const [batch, , code] = noise.shape;
  const posterior = model.posterior(p, x);
  const [mean, logVariance] = [posterior.mean, posterior.logVariance].map((t) => tf.reshape(t, [batch, 1, code])) as [
    tf.Tensor3D,
    tf.Tensor3D,
  ];
  const z = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise));
  const inputs = sizeOf(model.inputShape);
  const output = tf.reshape(model.decode(p, tf.reshape(z, [batch * samples, code])), [batch, samples, inputs]);
  const likelihood = logLikelihood(output, tf.reshape(x, [batch, 1, inputs]), model.likelihood);
  return { posterior, z, logVariance, likelihood };
}

/** [batch]: the negative bound on ln p(x) in nats, smaller is better. */
export function negativeBound(
  model: VariationalAutoencoder,
  p: Tensors,
  x: tf.Tensor,
  noise: tf.Tensor3D,
  { samples, beta }: Pick<BoundOptions, 'samples' | 'beta'>,
): { readonly bound: tf.Tensor1D; readonly divergence?: tf.Tensor1D } {
  const { posterior, z, logVariance, likelihood } = boundParts(model, p, x, noise, samples);
  if (samples === 1) {
    const divergence = divergenceFromPrior(posterior);
    return { bound: tf.sub(tf.mul(divergence, beta), tf.squeeze(likelihood, [1])), divergence };
  }
  // ln p(z) − ln q(z ∣ x): the constants of the two normal densities cancel
  const logPrior = tf.mul(tf.square(z), -0.5);
  const logPosterior = tf.mul(tf.add(tf.square(noise), logVariance), -0.5);
  const logWeight = tf.add(likelihood, tf.sum(tf.sub(logPrior, logPosterior), 2));
  return { bound: tf.sub(Math.log(samples), tf.logSumExp(logWeight, 1)) };
}

export function variationalObjective(model: VariationalAutoencoder, options: BoundOptions): Objective {
  const { samples, binarize } = options;
  const noise: Record<string, NoiseFeed> = {
    epsilon: { from: 'noise', distribution: { type: 'normal' }, shape: [samples, ...model.codeShape] },
  };
  if (binarize) noise.pixels = { from: 'noise', distribution: { type: 'uniform' }, shape: model.inputShape };
  const evaluate = (p: Tensors, feeds: Tensors) => {
    const grey = parameter(feeds, 'x');
    const x = binarize ? tf.cast(tf.less(parameter(feeds, 'pixels'), grey), 'float32') : grey;
    return negativeBound(model, p, x, parameter<tf.Tensor3D>(feeds, 'epsilon'), options);
  };
  return {
    feeds: { x: { from: 'rows' }, ...noise },
    loss(p, feeds) {
      const { bound, divergence } = evaluate(p, feeds);
      return { loss: tf.mean(bound), ...(divergence && { metrics: { divergence: tf.mean(divergence) as tf.Scalar } }) };
    },
    heldOut: (p, feeds) => ({ loss: evaluate(p, feeds).bound }),
  };
}
