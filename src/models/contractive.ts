/**
 * Contractive autoencoder: the code should move little when the input moves.
 *
 *   x ─► z ─► x̂            L = loss(x̂, x) + λ · mean over rows of ‖∂z/∂x‖²_F
 *
 *   one layer        ‖J‖²_F = Σⱼ φ′(aⱼ)² Σᵢ Wᵢⱼ²          (φ′ = z(1−z) for sigmoid units)
 *   several layers   Σⱼ ‖∂zⱼ/∂x‖², each code unit pulled back through all layers
 *   an estimate      ‖vᵀJ‖² with random signs v, one row pulled back, right on average (Hutchinson 1990)
 *
 * Rifai, Vincent, Muller, Glorot & Bengio 2011, "Contractive auto-encoders: explicit invariance during feature extraction".
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../jobspec/model.ts';
import type { Contraction } from '../jobspec/model-members.ts';
import { parameter } from './layers.ts';
import type { Penalty } from './reconstruction.ts';

/** φ′ as a function of φ's value. */
export function slope(value: tf.Tensor, activation: Activation): tf.Tensor {
  switch (activation) {
    case 'linear':
      return tf.onesLike(value);
    case 'sigmoid':
      return tf.mul(value, tf.sub(1, value));
    case 'tanh':
      return tf.sub(1, tf.square(value));
    case 'relu':
      return tf.step(value);
    default:
      return activation satisfies never;
  }
}

/** A dense layer z = φ(h·W + b), as far as its derivative goes. */
export interface DerivableLayer {
  /** [inputs, units] */
  readonly weight: tf.Tensor2D;
  readonly activation: Activation;
  /** [batch, units] */
  readonly output: tf.Tensor;
}

/**
 * vᵀ·∂z/∂x through layers given from the input upwards: [batch, n, code] → [batch, n, inputs]. Written out rather than taken
 * from tf.grad, because a loss with this inside is differentiated again, and tfjs leaves out the part of a second derivative
 * that goes through the value of an activation.
 */
export function pullBack(v: tf.Tensor, layers: readonly DerivableLayer[]): tf.Tensor {
  const [batch = 0, count = 0] = v.shape;
  let g = v;
  for (const { weight, activation, output } of layers.toReversed()) {
    const [inputs, units] = weight.shape;
    const scaled = tf.mul(g, tf.reshape(slope(output, activation), [batch, 1, units]));
    g = tf.reshape(tf.matMul(tf.reshape(scaled, [batch * count, units]) as tf.Tensor2D, weight, false, true), [
      batch,
      count,
      inputs,
    ]);
  }
  return g;
}

/** Mean over rows of ‖∂z/∂x‖²_F for one layer. */
export function closedForm({ output, weight, activation }: DerivableLayer): tf.Scalar {
  const columns = tf.sum(tf.square(weight), 0);
  return tf.mean(tf.sum(tf.mul(tf.square(slope(output, activation)), columns), 1));
}

/** The same for any number of layers: every unit of the code is pulled back. */
export function exactNorm(layers: readonly DerivableLayer[]): tf.Scalar {
  const [batch = 0, units = 0] = layers.at(-1)?.output.shape ?? [];
  const each = tf.tile(tf.reshape(tf.eye(units), [1, units, units]), [batch, 1, 1]);
  return tf.div(tf.sum(tf.square(pullBack(each, layers))), batch);
}

/** An unbiased estimate; `signs` is −1 or 1, of the code's shape. */
export function estimatedNorm(layers: readonly DerivableLayer[], signs: tf.Tensor): tf.Scalar {
  const [batch = 0, units = 0] = signs.shape;
  return tf.div(tf.sum(tf.square(pullBack(tf.reshape(signs, [batch, 1, units]), layers))), batch);
}

const signsName = 'contraction/signs';

/** `activations` are those of the encoder's layers encoder/0, encoder/1, … */
export function contractionPenalty(
  { method, weight }: Contraction,
  activations: readonly Activation[],
  codeShape: readonly number[],
): Penalty {
  const coin = { from: 'noise', distribution: { type: 'bernoulli', probability: 0.5 }, shape: codeShape } as const;
  return {
    name: 'contraction',
    weight,
    noise: method === 'estimate' ? { [signsName]: coin } : {},
    statistics: {},
    value({ p, layers }, pass) {
      const derivable = layers.map(
        (output, i): DerivableLayer => ({
          output,
          weight: parameter(p, `encoder/${i}/weight`),
          activation: activations[i] ?? 'linear',
        }),
      );
      switch (method) {
        case 'closed-form':
          return closedForm(derivable[0] as DerivableLayer);
        case 'exact':
          return exactNorm(derivable);
        case 'estimate':
          return estimatedNorm(derivable, tf.sub(tf.mul(parameter(pass.noise, signsName), 2), 1));
        default:
          return method satisfies never;
      }
    },
  };
}
