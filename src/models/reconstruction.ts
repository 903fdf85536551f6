/**
 * The objective that all feed-forward autoencoders share: reconstruct the clean input from the (possibly corrupted) input,
 * plus penalties.
 *
 *   x ─ corrupt ─► x̃ ─ encode ─► z ─ decode ─► x̂       L = mean over rows of loss(x̂, x) + Σ λ · penalty
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Corruption } from '../spec/model.ts';
import type { Autoencoder, Pass } from './autoencoder.ts';
import { corrupt, corruptionNoise } from './denoising.ts';
import { parameter } from './layers.ts';
import { lossPerRow, type ReconstructionLoss } from './losses.ts';
import type { NoiseFeed, Objective } from './objective.ts';
import type { Parameters } from './parameters.ts';

/** What a penalty may look at. */
export interface Seen {
  readonly p: Tensors;
  /** the output of every encoder layer, the code last */
  readonly layers: readonly tf.Tensor[];
}

export interface Penalty {
  readonly name: string;
  /** λ */
  readonly weight: number;
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  readonly statistics: Parameters;
  value(seen: Seen, pass: Pass): tf.Scalar;
}

export interface ReconstructionOptions {
  readonly loss: ReconstructionLoss;
  readonly corruption?: Corruption | undefined;
  readonly penalties: readonly Penalty[];
  /** of the data: smallest and largest value */
  readonly range: readonly [number, number];
}

const corruptionName = 'corruption';

export function reconstruction(model: Autoencoder, options: ReconstructionOptions): Objective {
  const { corruption, range, loss, penalties } = options;
  const noise: Record<string, NoiseFeed> = Object.assign(
    { ...model.noise },
    ...penalties.map((penalty) => penalty.noise),
  );
  if (corruption) noise[corruptionName] = corruptionNoise(corruption, model.inputShape);

  const inputOf = (feeds: Tensors): tf.Tensor => {
    const x = parameter(feeds, 'x');
    return corruption ? corrupt(x, parameter(feeds, corruptionName), corruption, range) : x;
  };
  return {
    feeds: { x: { from: 'rows' }, ...noise },
    loss(p, feeds) {
      const pass: Pass = { noise: feeds, statistics: {} };
      const x = inputOf(feeds);
      const layers = model.encode(p, x, pass);
      const code = layers.at(-1) ?? x;
      const error = tf.mean(lossPerRow(model.decode(p, code, pass), parameter(feeds, 'x'), loss)) as tf.Scalar;
      const metrics: Record<string, tf.Scalar> = penalties.length > 0 ? { reconstruction: error } : {};
      let total = error;
      for (const penalty of penalties) {
        const value = penalty.value({ p, layers }, pass);
        metrics[penalty.name] = value;
        total = tf.add(total, tf.mul(value, penalty.weight));
      }
      return { loss: total, metrics, statistics: pass.statistics };
    },
    heldOut(p, feeds) {
      const x = inputOf(feeds);
      const code = model.encode(p, x).at(-1) ?? x;
      return { loss: lossPerRow(model.decode(p, code), parameter(feeds, 'x'), loss) };
    },
  };
}

/** Of the model and of its penalties. */
export const statisticsFor = (model: Autoencoder, { penalties }: ReconstructionOptions): Parameters =>
  Object.assign({ ...model.statistics }, ...penalties.map((penalty) => penalty.statistics));
