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
import type { Activation } from '../spec/model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { applyEach, denseStack, parametersOf } from './layers.ts';

export interface DenseOptions {
  readonly code: number;
  readonly hidden: readonly number[];
  readonly activation: Activation;
  readonly codeActivation: Activation;
  readonly outputActivation: Activation;
}

export function denseAutoencoder(options: DenseOptions, inputShape: Shape): Autoencoder {
  const { code, hidden, activation, codeActivation, outputActivation } = options;
  const inputs = sizeOf(inputShape);
  const inner = hidden.map(() => activation);
  const encoder = denseStack('encoder', [inputs, ...hidden, code], [...inner, codeActivation]);
  const decoder = denseStack('decoder', [code, ...hidden.toReversed(), inputs], [...inner, 'linear']);
  return {
    inputShape,
    codeShape: [code],
    parameters: parametersOf(encoder, decoder),
    outputActivation,
    encode: (p, x) => applyEach(encoder, p, tf.reshape(x, [-1, inputs])),
    decode: (p, z) => tf.reshape(applyEach(decoder, p, z).at(-1) ?? z, [-1, ...inputShape]),
  };
}
