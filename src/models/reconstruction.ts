/**
 * The objective that all autoencoders share: reconstruct the clean input from the (possibly corrupted) input, plus penalties.
 *
 *   x ─ corrupt ─► x̃ ─ encode ─► z ─ decode ─► x̂       L = mean over rows of loss(x̂, x) + Σ penalties
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Corruption } from '../spec/model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { corrupt, corruptionNoise } from './corruption.ts';
import { parameter } from './layers.ts';
import { lossPerRow, type ReconstructionLoss } from './losses.ts';
import type { Feed, Objective } from './objective.ts';

export interface ReconstructionOptions {
  readonly loss: ReconstructionLoss;
  readonly corruption?: Corruption;
  /** of the data: smallest and largest value */
  readonly range: readonly [number, number];
}

export function reconstruction(model: Autoencoder, options: ReconstructionOptions): Objective {
  const { corruption, range, loss } = options;
  const feeds: Record<string, Feed> = { x: { from: 'rows' } };
  if (corruption) {
    feeds.noise = { from: 'noise', distribution: corruptionNoise(corruption), shape: model.inputShape };
  }
  const errors = (p: Tensors, feeds: Tensors): tf.Tensor1D => {
    const x = parameter(feeds, 'x');
    const seen = corruption ? corrupt(x, parameter(feeds, 'noise'), corruption, range) : x;
    const layers = model.encode(p, seen);
    const output = model.decode(p, layers[layers.length - 1] ?? seen);
    return lossPerRow(output, x, loss) as tf.Tensor1D;
  };
  return {
    feeds,
    loss: (p, feeds) => ({ loss: tf.mean(errors(p, feeds)) as tf.Scalar }),
    heldOut: errors,
  };
}
