/** Layers as pairs of parameter shapes and a pure function of them; a stack of layers is the same again. */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { Activation } from '../jobspec/model.ts';
import { activate } from './activations.ts';
import type { Pass } from './autoencoder.ts';
import type { Initialiser, Parameters } from './parameters.ts';

export interface Layer {
  readonly parameters: Parameters;
  readonly statistics?: Parameters;
  apply(p: Tensors, x: tf.Tensor, pass?: Pass): tf.Tensor;
}

/** A parameter that the model was promised; a missing one is a fault of ours, not of a client. */
export function parameter<T extends tf.Tensor = tf.Tensor>(p: Tensors, name: string): T {
  const found = p[name];
  if (!found) throw new Error(`no parameter ${name}; there are ${Object.keys(p).join(', ')}`);
  return found as T;
}

export interface DenseSizes {
  readonly inputs: number;
  readonly units: number;
  readonly activation: Activation;
  /** default: by the activation */
  readonly init?: Initialiser;
}

/** Rectified units begin as in He et al. 2015, all others as in Glorot & Bengio 2010. */
export const initialiserFor = (activation: Activation, fanIn: number, fanOut: number): Initialiser =>
  activation === 'relu' ? { type: 'he-normal', fanIn } : { type: 'glorot-uniform', fanIn, fanOut };

/** φ(x·W + b): [batch, inputs] → [batch, units], with W [inputs, units]. */
export function dense(name: string, { inputs, units, activation, init }: DenseSizes): Layer {
  const weight = `${name}/weight`;
  const bias = `${name}/bias`;
  return {
    parameters: {
      [weight]: { shape: [inputs, units], init: init ?? initialiserFor(activation, inputs, units) },
      [bias]: { shape: [units], init: { type: 'zeros' } },
    },
    apply: (p, x) =>
      activate(tf.add(tf.matMul(x as tf.Tensor2D, parameter(p, weight)), parameter(p, bias)), activation),
  };
}

/** Dense layers one after another: `${name}/0`, `${name}/1`, …; sizes [in, a, b] make the layers in→a and a→b. */
export function denseStack(
  name: string,
  sizes: readonly number[],
  activations: readonly Activation[],
  init?: Initialiser,
): Layer[] {
  return activations.map((activation, i) =>
    dense(`${name}/${i}`, { inputs: sizes[i] ?? 0, units: sizes[i + 1] ?? 0, activation, ...(init && { init }) }),
  );
}

/** The output of every layer, the last one's last. */
export function applyEach(layers: readonly Layer[], p: Tensors, x: tf.Tensor, pass?: Pass): tf.Tensor[] {
  const outputs: tf.Tensor[] = [];
  for (const layer of layers) outputs.push(layer.apply(p, outputs[outputs.length - 1] ?? x, pass));
  return outputs;
}

export const applyAll = (layers: readonly Layer[], p: Tensors, x: tf.Tensor, pass?: Pass): tf.Tensor =>
  applyEach(layers, p, x, pass).at(-1) ?? x;

/** The part of a layer, or of anything made of layers, that is learned. */
export type Learned = Pick<Layer, 'parameters' | 'statistics'>;

export const parametersOf = (...parts: readonly (readonly Learned[])[]): Parameters =>
  Object.assign({}, ...parts.flat().map((part) => part.parameters));

export const statisticsOf = (...parts: readonly (readonly Learned[])[]): Parameters =>
  Object.assign({}, ...parts.flat().map((part) => part.statistics));
