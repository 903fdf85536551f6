/**
 * Restricted Boltzmann machine: visible units v and hidden units h with symmetric weights, trained by contrastive divergence.
 *
 *   v₀ ─► p(h ∣ v₀) ─ sample ─► h₀ ─► v₁ ─► p(h ∣ v₁) ─ … ─► vₖ, p(h ∣ vₖ)
 *
 *   p(hⱼ=1 ∣ v) = σ(v·W + c)ⱼ        p(vᵢ=1 ∣ h) = σ(h·Wᵀ + b)ᵢ        ΔW ∝ ⟨v₀ᵀ p(h∣v₀)⟩ − ⟨vₖᵀ p(h∣vₖ)⟩
 *
 * Gaussian units have the same means without σ and unit variance; rectified ones are max(0, a + N(0, σ(a))). As an
 * autoencoder: z = p(h ∣ v), x̂ = p(v ∣ z), which is a tied one-layer autoencoder.
 *
 * Hinton 2002 (CD); Hinton & Salakhutdinov 2006 (constants); Nair & Hinton 2010 (rectified units); Hinton 2010, "A practical
 * guide to training restricted Boltzmann machines".
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Activation } from '../jobspec/model.ts';
import { parameter } from './layers.ts';
import { lossPerRow, type ReconstructionLoss } from './losses.ts';
import type { NoiseFeed, Objective } from './objective.ts';

export type Units = 'binary' | 'gaussian' | 'rectified';

export interface RbmNames {
  /** [visible, hidden] */
  readonly weight: string;
  readonly hiddenBias: string;
  readonly visibleBias: string;
}

export interface RbmOptions {
  readonly names: RbmNames;
  readonly visible: number;
  readonly hidden: number;
  readonly visibleUnits: Units;
  readonly hiddenUnits: Units;
  /** k of CD-k */
  readonly steps: number;
  /** false: the reconstruction's means are used, as Hinton & Salakhutdinov do; hidden units are always sampled */
  readonly sampleVisible: boolean;
  readonly weightCost: number;
  /** feeds → v₀ [batch, visible]: the data, or what lower machines make of it */
  readonly input: (p: Tensors, feeds: Tensors) => tf.Tensor2D;
}

/** The expected value of units as a function of their input. */
export const meanActivation = {
  binary: 'sigmoid',
  gaussian: 'linear',
  rectified: 'relu',
} as const satisfies Record<Units, Activation>;

function mean(input: tf.Tensor2D, units: Units): tf.Tensor2D {
  switch (units) {
    case 'binary':
      return tf.sigmoid(input);
    case 'gaussian':
      return input;
    case 'rectified':
      return tf.relu(input);
    default:
      return units satisfies never;
  }
}

/** `noise` is uniform for binary units, else normal. */
function sample(input: tf.Tensor2D, units: Units, noise: tf.Tensor2D): tf.Tensor2D {
  switch (units) {
    case 'binary':
      return tf.cast(tf.less(noise, tf.sigmoid(input)), 'float32');
    case 'gaussian':
      return tf.add(input, noise);
    case 'rectified':
      return tf.relu(tf.add(input, tf.mul(noise, tf.sqrt(tf.sigmoid(input)))));
    default:
      return units satisfies never;
  }
}

const noiseFor = (units: Units, count: number): NoiseFeed => ({
  from: 'noise',
  distribution: { type: units === 'binary' ? 'uniform' : 'normal' },
  shape: [count],
});

const hiddenNoise = (step: number) => `hidden/${step}`;
const visibleNoise = (step: number) => `visible/${step}`;

/** The update directions of CD-k, negative since optimizers descend; they follow the statistics' means over the batch. */
export function contrastiveDivergence(options: RbmOptions): Objective {
  const { names, visible, hidden, visibleUnits, hiddenUnits, steps, sampleVisible, weightCost, input } = options;
  const noise: Record<string, NoiseFeed> = {};
  for (let step = 0; step < steps; step++) {
    noise[hiddenNoise(step)] = noiseFor(hiddenUnits, hidden);
    if (sampleVisible) noise[visibleNoise(step)] = noiseFor(visibleUnits, visible);
  }
  const upwards = (p: Tensors, v: tf.Tensor2D): tf.Tensor2D =>
    tf.add(tf.matMul(v, parameter<tf.Tensor2D>(p, names.weight)), parameter(p, names.hiddenBias));
  const downwards = (p: Tensors, h: tf.Tensor2D): tf.Tensor2D =>
    tf.add(tf.matMul(h, parameter<tf.Tensor2D>(p, names.weight), false, true), parameter(p, names.visibleBias));

  return {
    feeds: { x: { from: 'rows' }, ...noise },
    directions(p, feeds) {
      const v0 = input(p, feeds);
      const batch = v0.shape[0];
      let a = upwards(p, v0);
      const positive = mean(a, hiddenUnits);
      let v = v0;
      for (let step = 0; step < steps; step++) {
        const b = downwards(p, sample(a, hiddenUnits, parameter(feeds, hiddenNoise(step))));
        v = sampleVisible ? sample(b, visibleUnits, parameter(feeds, visibleNoise(step))) : mean(b, visibleUnits);
        a = upwards(p, v);
      }
      const negative = mean(a, hiddenUnits);
      const weight = parameter<tf.Tensor2D>(p, names.weight);
      const statistics = tf.sub(tf.matMul(v, negative, true), tf.matMul(v0, positive, true));
      return {
        loss: tf.mean(tf.sum(tf.square(tf.sub(v0, v)), 1)),
        gradients: {
          [names.weight]: tf.add(tf.div(statistics, batch), tf.mul(weight, weightCost)),
          [names.hiddenBias]: tf.mean(tf.sub(negative, positive), 0),
          [names.visibleBias]: tf.mean(tf.sub(v, v0), 0),
        },
      };
    },
    heldOut(p, feeds) {
      const v0 = input(p, feeds);
      const output = downwards(p, mean(upwards(p, v0), hiddenUnits));
      return { loss: lossPerRow(output, v0, lossOf(visibleUnits)) };
    },
  };
}

/** How well visible units are reconstructed. */
const lossOf = (units: Units): ReconstructionLoss =>
  units === 'binary'
    ? { loss: 'bce', outputActivation: 'sigmoid' }
    : { loss: 'mse', outputActivation: meanActivation[units] };
