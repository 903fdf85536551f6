/**
 * Gated recurrent units, unrolled in time: Cho et al. 2014, with the reset gate after the recurrent product, so that a step is one
 * product of matrices.
 *
 *   [uᵤ uᵣ uₙ] = h·U + c      z = σ(xᵤ + uᵤ)   r = σ(xᵣ + uᵣ)   n = tanh(xₙ + r ⊙ uₙ)      h' = n + z ⊙ (h − n)
 *
 * The products of the inputs, x·W + b, are those of all times at once.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import { parameter } from './layers.ts';
import type { Parameters } from './parameters.ts';

export interface Gru {
  readonly parameters: Parameters;
  /** [rows, inputs] → [rows, 3·units] */
  project(p: Tensors, x: tf.Tensor): tf.Tensor2D;
  /** state [batch, units] and projected inputs [batch, 3·units] (or [3·units], the same for all) → the next state */
  step(p: Tensors, state: tf.Tensor, projected: tf.Tensor): tf.Tensor2D;
}

export function gru(name: string, inputs: number, units: number): Gru {
  const names = {
    inputWeight: `${name}/input/weight`,
    inputBias: `${name}/input/bias`,
    stateWeight: `${name}/state/weight`,
    stateBias: `${name}/state/bias`,
  };
  const gates = 3 * units;
  return {
    parameters: {
      [names.inputWeight]: { shape: [inputs, gates], init: { type: 'glorot-uniform', fanIn: inputs, fanOut: units } },
      [names.inputBias]: { shape: [gates], init: { type: 'zeros' } },
      [names.stateWeight]: { shape: [units, gates], init: { type: 'glorot-uniform', fanIn: units, fanOut: units } },
      [names.stateBias]: { shape: [gates], init: { type: 'zeros' } },
    },
    project: (p, x) =>
      tf.add(tf.matMul(x as tf.Tensor2D, parameter(p, names.inputWeight)), parameter(p, names.inputBias)),
    step(p, state, projected) {
      const recurrent = tf.add(
        tf.matMul(state as tf.Tensor2D, parameter(p, names.stateWeight)),
        parameter(p, names.stateBias),
      );
      const parts = (x: tf.Tensor) => tf.split(x, [2 * units, units], -1) as [tf.Tensor, tf.Tensor];
      const [gateInput, newInput] = parts(projected);
      const [gateState, newState] = parts(recurrent);
      const [update, reset] = tf.split(tf.sigmoid(tf.add(gateInput, gateState)), 2, -1) as [tf.Tensor, tf.Tensor];
      const candidate = tf.tanh(tf.add(newInput, tf.mul(reset, newState)));
      return tf.add(candidate, tf.mul(update, tf.sub(state, candidate)));
    },
  };
}
