/**
 * Tied weights: the decoder has no matrices of its own, it uses the encoder's transposed, and so has half the parameters.
 *
 *   x ── W₀ ──► h ── W₁ ──► z ── W₁ᵀ ──► ĥ ── W₀ᵀ ──► x̂        z = φ(x·W + b),  x̂ = ψ(z·Wᵀ + b′)
 *
 * Vincent et al. 2008; Bengio, Lamblin, Popovici & Larochelle 2007, "Greedy layer-wise training of deep networks".
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../jobspec/model.ts';
import { activate } from './activations.ts';
import { type Layer, parameter } from './layers.ts';

export interface TiedLayer {
  /** of the layer whose weight is used, [units, inputs of this one] */
  readonly weight: string;
  /** of the bias, which is this layer's own */
  readonly bias: string;
  readonly units: number;
  readonly activation: Activation;
}

/** φ(z·Wᵀ + b′); W belongs to an encoder layer, whose gradient then has two parts. */
export const tied = ({ weight, bias, units, activation }: TiedLayer): Layer => ({
  parameters: { [bias]: { shape: [units], init: { type: 'zeros' } } },
  apply: (p, z) =>
    activate(
      tf.add(tf.matMul(z as tf.Tensor2D, parameter<tf.Tensor2D>(p, weight), false, true), parameter(p, bias)),
      activation,
    ),
});
