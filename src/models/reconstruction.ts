/**
 * The objective that all feed-forward autoencoders share: reconstruct the clean input from the (possibly corrupted) input,
 * plus penalties; with compression the code is quantised on its way, and its bits cost.
 *
 *   x ─ corrupt ─► x̃ ─ encode ─► z ─ (quantise) ─► decode ─► x̂       L = mean over rows of loss(x̂, x) + Σ λ · penalty
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Corruption } from '../jobspec/model.ts';
import type { Autoencoder, Pass } from './autoencoder.ts';
import type { RateModel } from './compression.ts';
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
  readonly rate?: RateModel | undefined;
  /** of the data: smallest and largest value */
  readonly range: readonly [number, number];
}

const corruptionName = 'corruption';

export function reconstruction(model: Autoencoder, options: ReconstructionOptions): Objective {
  const { corruption, range, loss, penalties, rate } = options;
  const noise: Record<string, NoiseFeed> = Object.assign(
    { ...model.noise, ...rate?.noise },
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
      const coding = rate?.noisy(p, code, feeds);
      const output = model.decode(p, coding?.code ?? code, pass);
      const error = tf.mean(lossPerRow(output, parameter(feeds, 'x'), loss)) as tf.Scalar;
      const metrics: Record<string, tf.Scalar> = rate || penalties.length > 0 ? { reconstruction: error } : {};
      let total = error;
      if (rate && coding) {
        const bits = tf.mean(coding.bits) as tf.Scalar;
        metrics.bytes = tf.div(bits, 8);
        total = tf.add(total, rate.price(p, bits));
        rate.steer(p, bits, pass);
      }
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
      const errors = (z: tf.Tensor): tf.Tensor1D => lossPerRow(model.decode(p, z), parameter(feeds, 'x'), loss);
      if (!rate) return { loss: errors(code) };
      const coding = rate.rounded(p, code);
      const error = errors(coding.code);
      return {
        loss: tf.add(error, rate.price(p, coding.bits)),
        reconstruction: error,
        bytes: tf.div(coding.bits, 8),
      };
    },
  };
}

/** Of the model, of its rate and of its penalties. */
export const statisticsFor = (model: Autoencoder, { penalties, rate }: ReconstructionOptions): Parameters =>
  Object.assign({ ...model.statistics, ...rate?.statistics }, ...penalties.map((penalty) => penalty.statistics));
