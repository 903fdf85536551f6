/**
 * Deep autoencoder by greedy layer-wise pretraining: each level is trained as an autoencoder of its own on the codes of the
 * levels below, its decoder is dropped, and the next level follows. Then the whole is unrolled (the decoder starts as the
 * encoder's weights transposed) and fine-tuned end to end.
 *
 *   pretrain 1       pretrain 2            unroll and train
 *   x ─► h₁ ─► x̂     x ═► h₁ ─► h₂ ─► ĥ₁    x ─► h₁ ─► h₂ ─► ĥ₁ ─► x̂        ═► frozen
 *
 * Bengio, Lamblin, Popovici & Larochelle 2007; Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural
 * networks", for the unrolling.
 */

import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Corruption } from '../jobspec/model.ts';
import type { Level, Pass } from './autoencoder.ts';
import { parameter } from './layers.ts';
import { lossPerRow } from './losses.ts';
import type { NoiseFeed, Objective, Phase } from './objective.ts';
import type { Parameters } from './parameters.ts';
import { corruptLevel, levelNoise } from './stacked-denoising.ts';

export interface GreedyOptions {
  readonly levels: readonly Level[];
  readonly corruption?: Corruption | undefined;
  readonly range: readonly [number, number];
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: Phase['optimizer'];
}

/** One phase for each level, from the input upwards. */
export const greedyPhases = (options: GreedyOptions): Phase[] =>
  options.levels.map((level, i) => ({
    name: `pretrain ${i + 1}/${options.levels.length}`,
    begin: [],
    objective: levelObjective(level, options.levels.slice(0, i), options),
    trainable: level.parameters,
    statistics: level.statistics,
    frozen: encoderParameters(options.levels.slice(0, i)),
    ...(level.cost !== undefined && { cost: level.cost }),
    epochs: options.epochs,
    batchSize: options.batchSize,
    optimizer: options.optimizer,
  }));

/** What it takes to run levels upwards: their decoders are gone. */
export const encoderParameters = (levels: readonly Level[]): Parameters =>
  Object.fromEntries(
    levels
      .flatMap(({ parameters, statistics }) => Object.entries({ ...parameters, ...statistics }))
      .filter(([name]) => name.startsWith('encoder/')),
  );

/** The codes of the levels below, x itself for the first. */
export const codesBelow = (below: readonly Level[], p: Tensors, x: Tensor): Tensor =>
  below.reduce((h, level) => level.encode(p, h), x);

function levelObjective(level: Level, below: readonly Level[], { corruption, range }: GreedyOptions): Objective {
  const noise: Record<string, NoiseFeed> = { ...level.noise };
  if (corruption) noise.corruption = levelNoise(corruption, level);
  const errors = (p: Tensors, feeds: Tensors, pass?: Pass) => {
    const h = codesBelow(below, p, parameter(feeds, 'x'));
    const seen = corruption ? corruptLevel(h, parameter(feeds, 'corruption'), { corruption, level, range }) : h;
    return lossPerRow(level.decode(p, level.encode(p, seen, pass), pass), h, level.loss);
  };
  return {
    feeds: { x: { from: 'rows' }, ...noise },
    loss(p, feeds) {
      const pass: Pass = { noise: feeds, statistics: {} };
      return { loss: tf.mean(errors(p, feeds, pass)), statistics: pass.statistics };
    },
    heldOut: (p, feeds) => ({ loss: errors(p, feeds) }),
  };
}
