/**
 * AutoRec: an autoencoder of ratings whose loss is of those alone that were given. Sedhain et al. 2015.
 *
 *   r ─ (r − c)/s where rated, 0 elsewhere ─► h = φ(V·r + μ) ─ dropout ─► r̂ = c + s·(W·h + b)
 *   L = Σ over rated (r − r̂)² / (ratings of a row) + λ·(‖V‖² + ‖W‖²)
 *
 * By user a row is a person, and a new person is encoded like all others. By item a row is an item, and a person is a unit of
 * the output: a new person's weights w are found when asked, from ratings of items whose h is known. The weights of the people
 * who were trained on are a sample of what people are like, N(w̄, Σ); given the ratings y of items S the best guess is
 *
 *   r̂ = H·w̄ + F·δ,   F = H·√Σ,   δ = (F_Sᵀ·F_S + σ²I)⁻¹ F_Sᵀ (y − H_S·w̄)
 *
 * solved by conjugate gradients in the published graph.
 */

import * as tf from '@tensorflow/tfjs-core';
import { float32, type NdArrays } from '../base/ndarray.ts';
import { cholesky } from '../base/positive-definite.ts';
import { type SparseMatrix, transposeSparse } from '../base/sparse.ts';
import type { BatchFunction, Tensors } from '../engine/engine.ts';
import type { Activation } from '../jobspec/model.ts';
import { activated } from './activations.ts';
import { dense, parameter, parametersOf } from './layers.ts';
import type { Objective } from './objective.ts';
import { keep, keepFeed, pairOf, type RatingContext, type RatingModel, ratedMask } from './recommender.ts';

const names = { mean: 'recommender/mean', factors: 'recommender/factors' } as const;

/** From ratings to numbers around 0 and back. */
interface Scale {
  readonly centre: number;
  readonly half: number;
  readonly range: readonly [number, number];
}

function scaleOf(range: readonly [number, number]): Scale {
  return { centre: (range[0] + range[1]) / 2, half: Math.max((range[1] - range[0]) / 2, 0.5), range };
}

const scaled = (ratings: tf.Tensor, { centre, half }: Scale): tf.Tensor =>
  tf.mul(tf.div(tf.sub(ratings, centre), half), ratedMask(ratings));

export function autorec({ model, data }: RatingContext<'autorec'>): RatingModel {
  const { by, code, activation, inputDropout, dropout, penalty } = model;
  const [items = 0] = data.shape;
  const people = data.rows.train;
  const [columns, rows] = by === 'item' ? [people, items] : [items, people];
  const scale = scaleOf(data.ratings?.range ?? [0, 1]);
  const encoder = dense('encoder', { inputs: columns, units: code, activation });
  const decoder = dense('decoder', { inputs: code, units: columns, activation: 'linear' });
  const perRow = Math.max(1, (data.ratings?.train ?? 0) / rows);

  const squaredErrors = (output: tf.Tensor, asked: tf.Tensor): tf.Tensor1D => {
    const errors = tf.mul(tf.sub(tf.add(tf.mul(output, scale.half), scale.centre), asked), ratedMask(asked));
    return tf.sum(tf.square(errors), 1);
  };
  const objective: Objective = {
    feeds: {
      x: { from: 'rows' },
      ...(inputDropout > 0 && { keepInput: keepFeed(inputDropout, columns) }),
      ...(dropout > 0 && { keep: keepFeed(dropout, code) }),
    },
    loss(p, feeds) {
      const { seen, asked } = pairOf(feeds, columns);
      const h = encoder.apply(p, keep(scaled(seen, scale), feeds, 'keepInput', inputDropout));
      const output = decoder.apply(p, keep(h, feeds, 'keep', dropout));
      const squares = tf.addN(
        ['encoder', 'decoder'].map((layer) => tf.sum(tf.square(parameter(p, `${layer}/weight`)))),
      );
      const fit = tf.div(tf.mean(squaredErrors(output, asked)), perRow) as tf.Scalar;
      return { loss: tf.add(fit, tf.mul(squares, penalty / perRow)), metrics: { fit } };
    },
    heldOut(p, feeds) {
      const { seen, asked } = pairOf(feeds, columns);
      const output = decoder.apply(p, encoder.apply(p, scaled(seen, scale)));
      const count = tf.sum(ratedMask(asked), 1) as tf.Tensor1D;
      return { loss: squaredErrors(output, asked), ratings: count };
    },
  };
  const common = {
    scores: 'ratings',
    codeSize: code,
    objective,
    parameters: parametersOf([encoder, decoder]),
  } as const;
  const inputs = { x: { dtype: 'float32', shape: [items] } } as const;
  const clipped = (output: tf.Tensor): tf.Tensor =>
    tf.clipByValue(tf.add(tf.mul(output, scale.half), scale.centre), ...scale.range);
  if (by === 'user') {
    const codeOf = (given: Tensors, p: Tensors) => encoder.apply(p, scaled(parameter(given, 'x'), scale));
    return {
      ...common,
      complete: (weights) => weights,
      encoder: (weights) => ({ name: 'encoder', inputs, weights, call: (given, p) => ({ z: codeOf(given, p) }) }),
      recommender: (weights) => ({
        name: 'recommender',
        inputs,
        weights,
        call: (given, p) => ({ scores: clipped(decoder.apply(p, codeOf(given, p))) }),
      }),
    };
  }
  const personOf = (given: Tensors, p: Tensors): tf.Tensor2D =>
    foldIn(p, parameter<tf.Tensor2D>(given, 'x'), scale, model.noise / scale.half ** 2);
  const published = (weights: NdArrays, name: string, call: BatchFunction['call']): BatchFunction => ({
    ...{ name, inputs, call },
    weights: { [names.mean]: weights[names.mean] as never, [names.factors]: weights[names.factors] as never },
  });
  return {
    ...common,
    codeSize: code + 1,
    complete: (weights, ratings, tick) => ({
      ...weights,
      ...personFactors({ weights, ratings, scale, activation, tick }),
    }),
    encoder: (weights) => published(weights, 'encoder', (given, p) => ({ z: personOf(given, p) })),
    recommender: (weights) =>
      published(weights, 'recommender', (given, p) => {
        const deviation = tf.matMul(personOf(given, p), parameter<tf.Tensor2D>(p, names.factors), false, true);
        return { scores: clipped(tf.add(deviation, parameter(p, names.mean))) };
      }),
  };
}

/** Steps of conjugate gradients; about as many as eigenvalues that stand out from the noise. */
const steps = 40;

/** δ of each person, [batch, code + 1]. */
function foldIn(p: Tensors, ratings: tf.Tensor2D, scale: Scale, noise: number): tf.Tensor2D {
  const factors = parameter<tf.Tensor2D>(p, names.factors);
  const rated = ratedMask(ratings) as tf.Tensor2D;
  const rest = tf.mul(tf.sub(scaled(ratings, scale), parameter(p, names.mean)), rated) as tf.Tensor2D;
  const applied = (direction: tf.Tensor2D): tf.Tensor2D =>
    tf.add(
      tf.matMul(tf.mul(tf.matMul(direction, factors, false, true), rated) as tf.Tensor2D, factors),
      tf.mul(direction, noise),
    ) as tf.Tensor2D;
  const square = (x: tf.Tensor2D): tf.Tensor => tf.sum(tf.square(x), 1, true);
  let residual = tf.matMul(rest, factors) as tf.Tensor2D;
  let direction = residual;
  let solution = tf.mul(residual, 0) as tf.Tensor2D;
  let size = square(residual);
  // Far below what a rating shows; keeps 0 / 0 out of what is solved already.
  const tiny = 1e-20;
  for (let step = 0; step < steps; step++) {
    const image = applied(direction);
    const length = tf.div(size, tf.add(tf.sum(tf.mul(direction, image), 1, true), tiny));
    solution = tf.add(solution, tf.mul(direction, length)) as tf.Tensor2D;
    residual = tf.sub(residual, tf.mul(image, length)) as tf.Tensor2D;
    const next = square(residual);
    direction = tf.add(residual, tf.mul(direction, tf.div(next, tf.add(size, tiny)))) as tf.Tensor2D;
    size = next;
  }
  return solution;
}

interface Trained {
  readonly weights: NdArrays;
  readonly ratings: SparseMatrix;
  readonly scale: Scale;
  readonly activation: Activation;
  readonly tick: () => void;
}

/** Mean rating and factors of every item, from the codes of items and the weights of people. */
function personFactors({ weights, ratings, scale, activation, tick }: Trained): NdArrays {
  const [v, mu, w, b] = ['encoder/weight', 'encoder/bias', 'decoder/weight', 'decoder/bias'].map(
    (name) => weights[name]?.data as Float32Array,
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const code = mu.length;
  const width = code + 1;
  const people = b.length;
  const codes = itemCodes({ v, mu, ratings, scale, activation, tick });
  // Weights of each person, the bias being that of a unit that is always 1.
  const weightOf = (unit: number, person: number): number =>
    (unit < code ? w[unit * people + person] : b[person]) as number;
  const mean = Float64Array.from({ length: width }, (_, unit) => {
    let sum = 0;
    for (let person = 0; person < people; person++) sum += weightOf(unit, person);
    return sum / people;
  });
  const spread = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    if (i % 16 === 0) tick();
    const own = Float64Array.from({ length: people }, (_, person) => weightOf(i, person) - (mean[i] as number));
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let person = 0; person < people; person++) sum += (own[person] as number) * weightOf(j, person);
      spread[i * width + j] = sum / people;
    }
  }
  let trace = 0;
  for (let i = 0; i < width; i++) trace += spread[i * width + i] as number;
  // With fewer people than units the sample has directions without any spread.
  for (let i = 0; i < width; i++) spread[i * width + i] = (spread[i * width + i] as number) + 1e-6 * trace + 1e-12;
  const root = cholesky(spread, width, tick);
  const items = ratings.columns;
  const means = new Float32Array(items);
  const factors = new Float32Array(items * width);
  for (let item = 0; item < items; item++) {
    if (item % 64 === 0) tick();
    const own = codes.subarray(item * width, (item + 1) * width);
    means[item] = own.reduce((sum, value, unit) => sum + value * (mean[unit] as number), 0);
    for (let i = 0; i < width; i++) {
      const value = own[i] as number;
      for (let j = 0; j <= i; j++) {
        const at = item * width + j;
        factors[at] = (factors[at] as number) + value * (root[i * width + j] as number);
      }
    }
  }
  return { [names.mean]: float32([items], means), [names.factors]: float32([items, width], factors) };
}

interface Encoded extends Omit<Trained, 'weights'> {
  readonly v: Float32Array;
  readonly mu: Float32Array;
}

/** [items, code + 1], the last column being 1: an encoder applied to sparse rows. */
function itemCodes({ v, mu, ratings, scale, activation, tick }: Encoded): Float32Array {
  const code = mu.length;
  const width = code + 1;
  const byItem = transposeSparse(ratings);
  const sums = new Float32Array(byItem.rows * code);
  for (let item = 0; item < byItem.rows; item++) {
    if (item % 64 === 0) tick();
    const row = sums.subarray(item * code, (item + 1) * code);
    row.set(mu);
    for (let entry = byItem.starts[item] as number; entry < (byItem.starts[item + 1] as number); entry++) {
      const value = ((byItem.values[entry] as number) - scale.centre) / scale.half;
      const from = (byItem.indices[entry] as number) * code;
      for (let unit = 0; unit < code; unit++) row[unit] = (row[unit] as number) + value * (v[from + unit] as number);
    }
  }
  const codes = new Float32Array(byItem.rows * width).fill(1);
  for (let item = 0; item < byItem.rows; item++) {
    for (let unit = 0; unit < code; unit++) {
      codes[item * width + unit] = activated(sums[item * code + unit] as number, activation);
    }
  }
  return codes;
}
