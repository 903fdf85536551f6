/**
 * Fully connected autoencoder of any depth; the decoder mirrors the encoder.
 *
 *   x ─► 128 ─► 32 ─► 128 ─► x̂        h₀ = x,  hₗ = φ(hₗ₋₁·Wₗ + bₗ),  z = the last h of the encoder
 *        encoder/0  encoder/1  decoder/0  decoder/1
 *
 * Rumelhart, Hinton & Williams 1986, "Learning internal representations by error propagation".
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { Activation, Loss } from '../jobspec/model.ts';
import type { Autoencoder, Level, Levels } from './autoencoder.ts';
import { keepLargest, largestOfCode } from './k-sparse.ts';
import { applyAll, applyEach, denseStack, type Layer, parametersOf } from './layers.ts';
import type { ReconstructionLoss } from './losses.ts';
import type { WeightChange } from './objective.ts';
import type { Initialiser } from './parameters.ts';
import { tied } from './tied.ts';

export interface DenseOptions {
  readonly code: number;
  readonly hidden: readonly number[];
  readonly activation: Activation;
  readonly codeActivation: Activation;
  readonly outputActivation: Activation;
  readonly loss: Loss;
  readonly tied: boolean;
  /** k of the units that stay; default all */
  readonly active?: number;
  /** of those, how many the decoder uses, the largest; default all */
  readonly decoded?: number;
  /** of all weight matrices; default by activation */
  readonly init?: Initialiser;
}

export function denseAutoencoder(options: DenseOptions, inputShape: Shape): Autoencoder {
  const { code, hidden, activation, codeActivation, outputActivation, active, decoded, init } = options;
  const inputs = sizeOf(inputShape);
  const sizes = [inputs, ...hidden, code];
  const inner = hidden.map(() => activation);
  const encoder = denseStack('encoder', sizes, [...inner, codeActivation], init);
  const decoder = options.tied
    ? tiedDecoder(sizes, [...inner, 'linear'])
    : denseStack('decoder', sizes.toReversed(), [...inner, 'linear'], init);
  return {
    inputShape,
    codeShape: [code],
    parameters: parametersOf(encoder, decoder),
    statistics: {},
    noise: {},
    outputActivation,
    encode(p, x) {
      const layers = applyEach(encoder, p, tf.reshape(x, [-1, inputs]));
      const last = layers.pop() ?? x;
      return [...layers, active === undefined ? last : keepLargest(last, active)];
    },
    decode(p, z) {
      const used = decoded === undefined ? z : largestOfCode(z, decoded);
      return tf.reshape(applyAll(decoder, p, used), [-1, ...inputShape]);
    },
    levels: levelsOf(encoder, sizes, inputShape, options),
  };
}

/** decoder/i uses the weights of encoder/(last − i). */
const tiedDecoder = (sizes: readonly number[], activations: readonly Activation[]): Layer[] =>
  activations.map((activation, i) =>
    tied({
      weight: `encoder/${activations.length - 1 - i}/weight`,
      bias: `decoder/${i}/bias`,
      units: sizes[activations.length - 1 - i] ?? 0,
      activation,
    }),
  );

/** Each encoder layer with a tied decoder of its own; unrolled, that becomes the decoder's layer. */
function levelsOf(
  encoder: readonly Layer[],
  sizes: readonly number[],
  inputShape: Shape,
  options: DenseOptions,
): Levels {
  const { activation, outputActivation, loss } = options;
  const visibleBias = (level: number) => `pretrain/${level}/bias`;
  const levels = encoder.map((layer, i): Level => {
    const decoder = tied({
      weight: `encoder/${i}/weight`,
      bias: visibleBias(i),
      units: sizes[i] ?? 0,
      activation: 'linear',
    });
    return {
      inputShape: i === 0 ? inputShape : [sizes[i] ?? 0],
      inputActivation: i === 0 ? undefined : activation,
      noise: {},
      parameters: parametersOf([layer, decoder]),
      statistics: {},
      loss: i === 0 ? { loss, outputActivation } : lossOfUnits(activation),
      encode: (p, h) => layer.apply(p, i === 0 ? tf.reshape(h, [-1, sizes[0] ?? 0]) : h),
      decode: (p, z) => (i === 0 ? tf.reshape(decoder.apply(p, z), [-1, ...inputShape]) : decoder.apply(p, z)),
    };
  });
  const last = encoder.length - 1;
  const unroll = encoder.flatMap((_, i): WeightChange[] => [
    ...(options.tied
      ? []
      : [{ type: 'transpose', from: `encoder/${i}/weight`, to: `decoder/${last - i}/weight` } as const]),
    { type: 'copy', from: visibleBias(i), to: `decoder/${last - i}/bias` },
  ]);
  return { levels, unroll };
}

/** How well hidden units are reconstructed: activations of sigmoid units are probabilities. */
const lossOfUnits = (activation: Activation): ReconstructionLoss =>
  activation === 'sigmoid' ? { loss: 'bce', outputActivation: 'sigmoid' } : { loss: 'mse', outputActivation: 'linear' };
