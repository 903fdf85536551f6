/**
 * An autoencoder as a value: the shapes of its parameters and two pure functions of them. Everything that trains, exports
 * or combines autoencoders works with this alone.
 *
 *   x [batch, …inputShape] ─ encode ─► z [batch, …codeShape] ─ decode ─► output ─ φ ─► x̂ [batch, …inputShape]
 */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { Shape } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { Activation } from '../spec/model.ts';
import { activate } from './activations.ts';
import type { Parameters } from './parameters.ts';

export interface Autoencoder {
  readonly inputShape: Shape;
  readonly codeShape: Shape;
  readonly parameters: Parameters;
  readonly outputActivation: Activation;
  /** The output of every encoder layer, [batch, …] each; the code is the last one. */
  encode(p: Tensors, x: Tensor): readonly Tensor[];
  /** The output before its activation, [batch, …inputShape]. */
  decode(p: Tensors, z: Tensor): Tensor;
}

export function codeOf(model: Autoencoder, p: Tensors, x: Tensor): Tensor {
  const layers = model.encode(p, x);
  return layers[layers.length - 1] ?? x;
}

export const reconstructionOf = (model: Autoencoder, p: Tensors, z: Tensor): Tensor =>
  activate(model.decode(p, z), model.outputActivation);
