/**
 * An autoencoder as a value: the shapes of its parameters and two pure functions of them. Everything that trains, exports
 * or combines autoencoders works with this alone.
 *
 *   x [batch, …inputShape] ─ encode ─► z [batch, …codeShape] ─ decode ─► output ─ φ ─► x̂ [batch, …inputShape]
 */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { Shape } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { Activation } from '../jobspec/model.ts';
import { activate } from './activations.ts';
import type { ReconstructionLoss } from './losses.ts';
import type { NoiseFeed, WeightChange } from './objective.ts';
import type { Parameters } from './parameters.ts';

/** A forward pass in training: noise that goes in, new values of statistics that come out. Absent when serving. */
export interface Pass {
  readonly noise: Tensors;
  readonly statistics: Record<string, Tensor>;
}

export interface Autoencoder {
  readonly inputShape: Shape;
  readonly codeShape: Shape;
  readonly parameters: Parameters;
  /** parameters that no gradient reaches */
  readonly statistics: Parameters;
  /** what a training pass needs in `noise` */
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  readonly outputActivation: Activation;
  /** The output of every encoder layer, [batch, …] each; the code is the last one. */
  encode(p: Tensors, x: Tensor, pass?: Pass): readonly Tensor[];
  /** The output before its activation, [batch, …inputShape]. */
  decode(p: Tensors, z: Tensor, pass?: Pass): Tensor;
  /** multiply-adds of a forward pass of one row, about; default one for each parameter, as dense layers have it */
  readonly cost?: number;
  /** its layers one by one, where they can be trained greedily */
  readonly levels?: Levels;
}

/** One layer as an autoencoder of what the layers below give. */
export interface Level {
  readonly inputShape: Shape;
  /** of the units below; undefined for the data itself */
  readonly inputActivation: Activation | undefined;
  readonly noise: Readonly<Record<string, NoiseFeed>>;
  /** those of this level alone; the encoder's have the names that they have in the whole model */
  readonly parameters: Parameters;
  readonly statistics: Parameters;
  readonly loss: ReconstructionLoss;
  readonly cost?: number;
  encode(p: Tensors, h: Tensor, pass?: Pass): Tensor;
  /** before the activation */
  decode(p: Tensors, z: Tensor, pass?: Pass): Tensor;
}

export interface Levels {
  readonly levels: readonly Level[];
  /** how the levels' weights become the decoder's */
  readonly unroll: readonly WeightChange[];
}

export function codeOf(model: Autoencoder, p: Tensors, x: Tensor): Tensor {
  const layers = model.encode(p, x);
  return layers[layers.length - 1] ?? x;
}

export const reconstructionOf = (model: Autoencoder, p: Tensors, z: Tensor): Tensor =>
  activate(model.decode(p, z), model.outputActivation);

/** All that must be there to run it. */
export const allParameters = (model: Autoencoder): Parameters => ({ ...model.parameters, ...model.statistics });
