/**
 * Stacked denoising autoencoder: as a deep one, but each level is given a corrupted copy of what the levels below make of
 * the clean input, and is asked for the clean one.
 *
 *   x ═► h ─ q(h̃ ∣ h) ─► h̃ ─ encode ─► z ─ decode ─► ĥ        L = loss(ĥ, h)        ═► frozen, clean
 *
 * Vincent, Larochelle, Lajoie, Bengio & Manzagol 2010, "Stacked denoising autoencoders".
 */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { Activation, Corruption } from '../jobspec/model.ts';
import type { Level } from './autoencoder.ts';
import { corrupt, corruptionNoise } from './denoising.ts';
import type { NoiseFeed } from './objective.ts';

/** Between −unbounded and unbounded clipping changes nothing; an infinity would not survive in a model file. */
const unbounded = 3e38;

const rangeOf: Readonly<Record<Activation, readonly [number, number]>> = {
  linear: [-unbounded, unbounded],
  sigmoid: [0, 1],
  tanh: [-1, 1],
  relu: [0, unbounded],
};

export const levelNoise = (corruption: Corruption, level: Level): NoiseFeed =>
  corruptionNoise(corruption, level.inputShape);

export interface LevelCorruption {
  readonly corruption: Corruption;
  readonly level: Level;
  /** of the data; hidden units have the range of their activation */
  readonly range: readonly [number, number];
}

export const corruptLevel = (h: Tensor, noise: Tensor, { corruption, level, range }: LevelCorruption): Tensor =>
  corrupt(h, noise, corruption, level.inputActivation === undefined ? range : rangeOf[level.inputActivation]);
