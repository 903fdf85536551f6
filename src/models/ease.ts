/** EASE as a model: one matrix of items × items, found in closed form (src/base/ease.ts). */

import * as tf from '@tensorflow/tfjs-core';
import { easeWeights } from '../base/ease.ts';
import { float32 } from '../base/ndarray.ts';
import { filterSparse } from '../base/sparse.ts';
import { parameter } from './layers.ts';
import type { RatingContext, RatingModel } from './recommender.ts';

const weightName = 'recommender/weight';

export function ease({ model, data }: RatingContext<'ease'>): RatingModel {
  const [items = 0] = data.shape;
  const { regularisation, positive } = model;
  return {
    scores: 'preferences',
    codeSize: items,
    parameters: {},
    complete(_weights, ratings, tick) {
      const liked = filterSparse(ratings, (entry) => (ratings.values[entry] as number) >= positive);
      return { [weightName]: float32([items, items], easeWeights(liked, regularisation, tick)) };
    },
    recommender: (weights) => ({
      name: 'recommender',
      inputs: { x: { dtype: 'float32', shape: [items] } },
      weights,
      call(inputs, p) {
        const x = parameter<tf.Tensor2D>(inputs, 'x');
        return { scores: tf.matMul(likes(x, positive), parameter<tf.Tensor2D>(p, weightName)) };
      },
    }),
  };
}

/** 1 where a rating is there and high enough. */
export const likes = (ratings: tf.Tensor2D, positive: number): tf.Tensor2D =>
  tf.cast(tf.logicalAnd(tf.greater(ratings, 0), tf.greaterEqual(ratings, positive)), 'float32');
