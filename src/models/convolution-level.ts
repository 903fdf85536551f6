/**
 * One level of a convolutional autoencoder, upwards (convolve, halve, normalise, activate) and downwards (double, convolve,
 * normalise; the activation is left to the caller, for the last level has that of the output).
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Activation, ModelOf } from '../jobspec/model.ts';
import { activate } from './activations.ts';
import type { Pass } from './autoencoder.ts';
import { batchNorm } from './batch-norm.ts';
import { initialiserFor, type Layer, type Learned, parameter, parametersOf, statisticsOf } from './layers.ts';
import type { NoiseFeed } from './objective.ts';
import { maxPool, switchesOf, unpoolAt, unpoolEven, unpoolRandom } from './pooling.ts';

/** height, width, channels */
export type MapShape = readonly [number, number, number];
export type Unpooling = ModelOf<'convolutional'>['unpooling'];
export type Pooling = ModelOf<'convolutional'>['pooling'];

interface LevelOptions {
  readonly name: string;
  readonly kernel: number;
  readonly from: MapShape;
  readonly to: MapShape;
  readonly normalise: boolean;
  readonly activation: Activation;
}

export interface EncoderLevel extends Learned {
  /** `places`: where the largest values were, when they are recorded */
  apply(p: Tensors, x: tf.Tensor, pass?: Pass): { readonly output: tf.Tensor; readonly places?: tf.Tensor };
}

export interface DecoderLevel extends Learned {
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  /** before the activation */
  apply(p: Tensors, z: tf.Tensor, pass?: Pass, places?: tf.Tensor): tf.Tensor;
}

/**
 * X ∗ W + b with W [kernel, kernel, in, out], same padding. `power`: mean square of its input beside that of a map of full
 * values, for weights that begin with outputs of the right size.
 */
function convolution(options: LevelOptions, stride: 1 | 2, power = 1): Layer {
  const { name, kernel, from, to, activation } = options;
  const [weight, bias] = [`${name}/weight`, `${name}/bias`];
  const area = kernel * kernel;
  return {
    parameters: {
      [weight]: {
        shape: [kernel, kernel, from[2], to[2]],
        init: initialiserFor(activation, area * from[2] * power, area * to[2]),
      },
      [bias]: { shape: [to[2]], init: { type: 'zeros' } },
    },
    apply: (p, x) =>
      tf.add(tf.conv2d(x as tf.Tensor4D, parameter<tf.Tensor4D>(p, weight), stride, 'same'), parameter(p, bias)),
  };
}

/** The gradient of a stride-2 convolution by its input: [batch, h, w, in] → [batch, 2h, 2w, out]. */
function transposedConvolution({ name, kernel, from, to, activation }: LevelOptions): Layer {
  const [weight, bias] = [`${name}/weight`, `${name}/bias`];
  const area = (kernel * kernel) / 4;
  return {
    parameters: {
      [weight]: {
        shape: [kernel, kernel, to[2], from[2]],
        init: initialiserFor(activation, area * from[2], area * to[2]),
      },
      [bias]: { shape: [to[2]], init: { type: 'zeros' } },
    },
    apply(p, x) {
      const shape: [number, number, number, number] = [x.shape[0] ?? 0, ...to];
      const doubled = tf.conv2dTranspose(x as tf.Tensor4D, parameter<tf.Tensor4D>(p, weight), shape, 2, 'same');
      return tf.add(doubled, parameter(p, bias));
    },
  };
}

export function encoderLevel(options: LevelOptions & { pooling: Pooling; recordSwitches: boolean }): EncoderLevel {
  const { name, pooling, normalise, activation, recordSwitches } = options;
  const convolve = convolution(options, pooling === 'stride' ? 2 : 1);
  const norm = normalise ? [batchNorm(`${name}/norm`, options.to[2])] : [];
  return {
    parameters: parametersOf([convolve], norm),
    statistics: statisticsOf(norm),
    apply(p, x, pass) {
      const whole = convolve.apply(p, x);
      const half = pooling === 'max' ? maxPool(whole) : whole;
      const output = activate(
        norm.reduce((h, layer) => layer.apply(p, h, pass), half),
        activation,
      );
      return recordSwitches ? { output, places: switchesOf(whole) } : { output };
    },
  };
}

export function decoderLevel(options: LevelOptions & { unpooling: Unpooling }): DecoderLevel {
  const { name, unpooling, normalise } = options;
  const convolve =
    unpooling === 'transposed'
      ? transposedConvolution(options)
      : convolution(options, 1, unpooling === 'even' ? 1 / 16 : 1 / 4);
  const norm = normalise ? [batchNorm(`${name}/norm`, options.to[2])] : [];
  const draw = `${name}/place`;
  const noise: NoiseFeed = { from: 'noise', distribution: { type: 'uniform' }, shape: options.from };
  return {
    parameters: parametersOf([convolve], norm),
    statistics: statisticsOf(norm),
    noise: unpooling === 'random' ? { [draw]: noise } : {},
    apply(p, z, pass, places) {
      const doubled = convolve.apply(p, unpool(z, unpooling, places, pass?.noise[draw]));
      return norm.reduce((h, layer) => layer.apply(p, h, pass), doubled);
    },
  };
}

/** A random place when serving is an even spread, which is its mean. */
function unpool(z: tf.Tensor, unpooling: Unpooling, places?: tf.Tensor, noise?: tf.Tensor): tf.Tensor {
  switch (unpooling) {
    case 'transposed':
      return z;
    case 'even':
      return unpoolEven(z);
    case 'random':
      return noise ? unpoolRandom(z, noise) : unpoolEven(z);
    case 'switches':
      if (!places) throw new Error('unpooling by switches needs their places');
      return unpoolAt(z, places);
    default:
      return unpooling satisfies never;
  }
}
