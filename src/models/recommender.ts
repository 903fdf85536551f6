/**
 * What models of ratings have in common. Their rows come in pairs, [batch, 2 × columns]: the ratings that the model sees, and
 * those that it is asked for. In training both are the same; held-out ratings are asked for from the ones that were kept.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { NdArrays } from '../base/ndarray.ts';
import type { SparseMatrix } from '../base/sparse.ts';
import type { BatchFunction, Tensors } from '../engine/engine.ts';
import type { DatasetFacts } from '../jobspec/derived.ts';
import type { JobSpec } from '../jobspec/job.ts';
import type { ModelOf } from '../jobspec/model.ts';
import type { RecommenderModel } from '../jobspec/recommender.ts';
import { parameter } from './layers.ts';
import type { NoiseFeed, Objective, Phase } from './objective.ts';
import type { Parameters } from './parameters.ts';

export interface Recommender {
  /** what a score is: a rating, or only an order */
  readonly scores: 'ratings' | 'preferences';
  /** from the trained weights to those that are published: what has a closed form. `tick` is called now and then */
  complete(weights: NdArrays, ratings: SparseMatrix, tick: () => void): NdArrays;
  /** ratings of a person [batch, items] → scores [batch, items] */
  recommender(weights: NdArrays): BatchFunction;
  /** ratings of a person → code; absent where there is none */
  encoder?(weights: NdArrays): BatchFunction;
  /** of one person's code */
  readonly codeSize: number;
}

/** What a plan of a recommender is made of. */
export interface RatingModel extends Recommender {
  /** absent: all of it has a closed form */
  readonly objective?: Objective;
  readonly parameters: Parameters;
}

export interface RatingContext<T extends RecommenderModel['type']> {
  readonly model: ModelOf<T>;
  readonly data: DatasetFacts;
}

export const rowsInput = 'x';

/** The ratings seen and those asked for, [batch, columns] each. */
export function pairOf(feeds: Tensors, columns: number): { readonly seen: tf.Tensor2D; readonly asked: tf.Tensor2D } {
  const x = parameter<tf.Tensor2D>(feeds, rowsInput);
  return {
    seen: tf.slice(x, [0, 0], [-1, columns]),
    asked: tf.slice(x, [0, columns], [-1, columns]),
  };
}

/** 1 where there is a rating. */
export const ratedMask = (ratings: tf.Tensor): tf.Tensor => tf.cast(tf.greater(ratings, 0), 'float32');

export const keepFeed = (dropout: number, size: number): NoiseFeed => ({
  from: 'noise',
  distribution: { type: 'bernoulli', probability: 1 - dropout },
  shape: [size],
});

/** Inverted dropout: what stays grows, so that sums keep their mean. */
export const keep = (x: tf.Tensor, feeds: Tensors, name: string, dropout: number): tf.Tensor =>
  dropout > 0 ? tf.mul(x, tf.div(parameter(feeds, name), 1 - dropout)) : x;

export function ratingPhase({ training }: JobSpec, { objective, parameters }: RatingModel): Phase[] {
  if (!objective) return [];
  const { epochs, batchSize, optimizer } = training;
  const train = { name: 'train', begin: [], statistics: {}, frozen: {}, report: 'ratings' } as const;
  return [{ ...train, objective, trainable: parameters, epochs, batchSize, optimizer }];
}
