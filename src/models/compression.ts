/**
 * Training for compression: the code is quantised in the loop, and the length of its symbols is part of the loss.
 *
 *   x ─ encode ─► z ─ + Δ·u ─► z̃ ─ decode ─► x̂        L = loss(x̂, x) + λ · R(z̃),  u ~ U(−½, ½), rounding in its place when measuring
 *                              └─► R = −Σⱼ log₂ pⱼ(z̃ⱼ)     pⱼ: the mass that a prior gives the step around z̃ⱼ
 *
 * Steps Δⱼ and priors (a mixture of logistics for each unit) are learned with the weights; only the steps outlive training,
 * since the tables that frames are coded with are counted from real codes. Ballé, Laparra & Simoncelli 2017, "End-to-end
 * optimized image compression"; Ballé et al. 2018, "Variational image compression with a scale hyperprior".
 */

import * as tf from '@tensorflow/tfjs-core';
import { type NdArrays, type Shape, sizeOf } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { Loss } from '../jobspec/model.ts';
import type { Compression } from '../jobspec/model-members.ts';
import type { Pass } from './autoencoder.ts';
import { parameter } from './layers.ts';
import type { NoiseFeed } from './objective.ts';
import type { Parameters } from './parameters.ts';

/** Codes as the decoder gets them, [batch, …codeShape], and what their symbols cost, bits [batch]. */
export interface Coding {
  readonly code: tf.Tensor;
  readonly bits: tf.Tensor1D;
}

/** Quantises a code in the loop and knows what that costs. */
export interface RateModel {
  readonly parameters: Parameters;
  readonly statistics: Parameters;
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  /** In training: uniform noise, which has the density of rounding errors and a gradient. */
  noisy(p: Tensors, z: tf.Tensor, noise: Tensors): Coding;
  /** In measuring: symbols. */
  rounded(p: Tensors, z: tf.Tensor): Coding;
  /** λ · bits, in the unit of the loss: [] or [batch] as the bits are */
  price(p: Tensors, bits: tf.Tensor): tf.Tensor;
  /** In training: λ moves towards the bytes asked for, if any were. */
  steer(p: Tensors, bits: tf.Tensor, pass: Pass): void;
}

/** What a trained model's codes are quantised with. */
export interface TrainedQuantiser {
  /** Δ of each unit */
  readonly steps: Float32Array;
  /** squared error, summed over a row, that one bit was worth */
  readonly lambda: number;
}

/** Parameters hold tenths: Adam moves each by about the learning rate, and steps and priors have further to go than weights. */
const tenths = 10;
const names = {
  /** −ln Δ, in tenths: [units] */
  scale: 'compression/scale',
  /**
   * Of the prior's components, [units · components] each: mean and ln of the spread, in steps, and weights; all in tenths. Flat,
   * because weight decay takes matrices, and what a prior shrinks to would be no prior.
   */
  mean: 'compression/mean',
  logSpread: 'compression/log-spread',
  weight: 'compression/weight',
  /** ln λ: [], where it is looked for */
  logLambda: 'compression/log-lambda',
} as const;
const noiseName = 'compression/noise';

const components = 3;
/** Steps to a code's unit at the beginning: fine enough to learn something from. */
const initialSteps = 2;
/** A symbol costs 30 bits at most, so that a stray one has a finite gradient. */
const leastMass = 2 ** -30;
/** Change of ln λ in one step of training when the rate is twice what was asked for. */
const steering = 0.002;
/** λ to begin with where it is looked for: share of the data's range, squared. */
const initialLambda = 0.02;

export interface RateOptions {
  readonly compression: Compression;
  readonly codeShape: Shape;
  readonly inputShape: Shape;
  readonly loss: Loss;
  /** of the data: smallest and largest value */
  readonly range: readonly [number, number];
}

export function rateModel({ compression, codeShape, inputShape, loss, range }: RateOptions): RateModel {
  const units = sizeOf(codeShape);
  const unit = unitOfLoss(loss, sizeOf(inputShape));
  const { lambda, bytes } = compression;
  const scaled = (p: Tensors, z: tf.Tensor): tf.Tensor2D =>
    tf.mul(tf.reshape(z, [-1, units]), tf.exp(tenfold(p, names.scale)));
  const coding = (p: Tensors, y: tf.Tensor2D): Coding => ({
    code: tf.reshape(tf.mul(y, tf.exp(tf.neg(tenfold(p, names.scale)))), [-1, ...codeShape]),
    bits: bitsOf(p, y),
  });
  const [low, high] = range;
  const start = Math.log(initialLambda * (high - low) ** 2 || initialLambda);
  return {
    parameters: {
      [names.scale]: { shape: [units], init: { type: 'constant', value: Math.log(initialSteps) / tenths } },
      ...priorParameters(units),
    },
    statistics:
      lambda === undefined ? { [names.logLambda]: { shape: [], init: { type: 'constant', value: start } } } : {},
    noise: { [noiseName]: { from: 'noise', distribution: { type: 'uniform' }, shape: codeShape } },
    noisy(p, z, noise) {
      const u = tf.sub(tf.reshape(parameter(noise, noiseName), [-1, units]), 0.5);
      return coding(p, tf.add(scaled(p, z), u) as tf.Tensor2D);
    },
    rounded(p, z) {
      const centre = tf.sum(tf.mul(tf.softmax(ofComponents(p, names.weight)), ofComponents(p, names.mean)), 1);
      return coding(p, tf.add(tf.round(tf.sub(scaled(p, z), centre)), centre) as tf.Tensor2D);
    },
    price: (p, bits) =>
      tf.mul(bits, lambda === undefined ? tf.mul(tf.exp(parameter(p, names.logLambda)), unit) : lambda * unit),
    steer(p, bits, pass) {
      if (bytes === undefined) return;
      const off = tf.sub(tf.div(tf.mean(bits), 8 * bytes), 1);
      pass.statistics[names.logLambda] = tf.add(
        parameter(p, names.logLambda),
        tf.mul(tf.clipByValue(off, -1, 1), steering),
      );
    },
  };
}

const tenfold = (p: Tensors, name: string): tf.Tensor => tf.mul(parameter(p, name), tenths);

/** [units, components] */
const ofComponents = (p: Tensors, name: string): tf.Tensor => tf.reshape(tenfold(p, name), [-1, components]);

/** Of a squared error summed over a row, in the unit that the loss has; cross-entropy is about twice the squared error. */
function unitOfLoss(loss: Loss, values: number): number {
  switch (loss) {
    case 'sse':
      return 1;
    case 'half-sse':
      return 0.5;
    case 'mse':
      return 1 / values;
    case 'bce':
      return 2 / values;
    default:
      return loss satisfies never;
  }
}

function priorParameters(units: number): Parameters {
  const shape = [units * components];
  return {
    [names.mean]: { shape, init: { type: 'normal', deviation: initialSteps / tenths } },
    [names.logSpread]: { shape, init: { type: 'constant', value: Math.log(initialSteps / 2) / tenths } },
    [names.weight]: { shape, init: { type: 'zeros' } },
  };
}

/** −log₂ of the mass of [y − ½, y + ½] under each unit's prior, summed over the units: [batch, units] → [batch]. */
function bitsOf(p: Tensors, y: tf.Tensor2D): tf.Tensor1D {
  // σ(u) − σ(l) = σ(u)·σ(−l)·(1 − e^(l − u)): no difference of nearly equal numbers, never below 0
  const away = tf.sub(tf.expandDims(y, 2), ofComponents(p, names.mean));
  const sharpness = tf.exp(tf.neg(ofComponents(p, names.logSpread)));
  const below = tf.sigmoid(tf.mul(tf.add(away, 0.5), sharpness));
  const above = tf.sigmoid(tf.mul(tf.sub(0.5, away), sharpness));
  const share = tf.mul(tf.softmax(ofComponents(p, names.weight)), tf.neg(tf.expm1(tf.neg(sharpness))));
  const mass = tf.sum(tf.mul(tf.mul(below, above), share), 2);
  return tf.mul(tf.sum(tf.log(tf.add(mass, leastMass)), 1), -1 / Math.LN2);
}

/** From all weights of a training for compression. */
export function trainedQuantiser(weights: NdArrays, { lambda }: Compression): TrainedQuantiser {
  const found = weights[names.logLambda]?.data[0];
  const scales = weights[names.scale]?.data as Float32Array;
  return { steps: scales.map((scale) => Math.exp(-tenths * scale)), lambda: lambda ?? Math.exp(found as number) };
}
