/**
 * Optimizers as pure functions (parameters, gradients, state) → (parameters, state). What changes from step to step
 * (learning rate, bias correction) is computed here in double precision and arrives as scalars.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpecs } from '../base/ndarray.ts';
import type { Tensors } from '../engine/engine.ts';
import type { OptimizerSpec } from '../jobspec/training.ts';
import { parameter } from '../models/layers.ts';
import { type StepTime, scheduleFactor } from './schedule.ts';

export interface Update {
  readonly parameters: Tensors;
  readonly state: Tensors;
}

export interface Optimizer {
  /** moments, by `${kind}/${parameter}`; all begin at zero */
  readonly state: TensorSpecs;
  /** names of the scalars that `scalars` gives for each step */
  readonly scalarNames: readonly string[];
  scalars(time: StepTime): Readonly<Record<string, number>>;
  update(parameters: Tensors, gradients: Tensors, state: Tensors, scalars: Tensors): Update;
}

export function optimizer(spec: OptimizerSpec, parameters: TensorSpecs): Optimizer {
  switch (spec.type) {
    case 'adam':
      return adam(spec, parameters);
    case 'sgd':
      return sgd(spec, parameters);
    default:
      return spec satisfies never;
  }
}

const named = (kind: string, specs: TensorSpecs): TensorSpecs =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [`${kind}/${name}`, spec]));

/** Matrices and kernels decay, biases do not. */
const decays = (spec: OptimizerSpec, w: tf.Tensor): boolean => spec.weightDecay > 0 && w.rank > 1;

/**
 * Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019). The moments are kept as M = m/(1−β₁) and
 * V = v/(1−β₂), which saves two passes over memory; with a = (1−β₁)/(1−β₁ᵗ) and b = √((1−β₂)/(1−β₂ᵗ)) the step is exactly
 *
 *   w ← w − η·m̂/(√v̂ + ε) = w − (η·a/b)·M/(√V + ε/b)
 */
function adam(spec: Extract<OptimizerSpec, { type: 'adam' }>, parameters: TensorSpecs): Optimizer {
  const { beta1, beta2, epsilon } = spec;
  return {
    state: { ...named('m', parameters), ...named('v', parameters) },
    scalarNames: ['rate', 'epsilon', 'keep'],
    scalars(time) {
      const t = time.step + 1;
      const eta = spec.learningRate * scheduleFactor(spec.schedule, time);
      const a = (1 - beta1) / (1 - beta1 ** t);
      const b = Math.sqrt((1 - beta2) / (1 - beta2 ** t));
      return { rate: (eta * a) / b, epsilon: epsilon / b, keep: 1 - eta * spec.weightDecay };
    },
    update(weights, gradients, state, scalars) {
      const next: Record<string, tf.Tensor> = {};
      const moments: Record<string, tf.Tensor> = {};
      for (const [name, w] of Object.entries(weights)) {
        const g = parameter(gradients, name);
        const m = tf.add(tf.mul(parameter(state, `m/${name}`), beta1), g);
        const v = tf.add(tf.mul(parameter(state, `v/${name}`), beta2), tf.square(g));
        const step = tf.div(tf.mul(m, parameter(scalars, 'rate')), tf.add(tf.sqrt(v), parameter(scalars, 'epsilon')));
        moments[`m/${name}`] = m;
        moments[`v/${name}`] = v;
        next[name] = tf.sub(decays(spec, w) ? tf.mul(w, parameter(scalars, 'keep')) : w, step);
      }
      return { parameters: next, state: moments };
    },
  };
}

type SgdSpec = Extract<OptimizerSpec, { type: 'sgd' }>;

function momentumAt(spec: SgdSpec, { step, stepsPerEpoch }: StepTime): number {
  const early = step < spec.initialMomentumEpochs * stepsPerEpoch;
  return early ? (spec.initialMomentum ?? spec.momentum) : spec.momentum;
}

/** v ← μ·v + g, w ← w − η·v; without momentum w ← w − η·g. */
function sgd(spec: SgdSpec, parameters: TensorSpecs): Optimizer {
  return {
    state: spec.momentum > 0 ? named('velocity', parameters) : {},
    scalarNames: ['rate', 'keep', 'momentum'],
    scalars(time) {
      const rate = spec.learningRate * scheduleFactor(spec.schedule, time);
      return { rate, keep: 1 - rate * spec.weightDecay, momentum: momentumAt(spec, time) };
    },
    update(weights, gradients, state, scalars) {
      const next: Record<string, tf.Tensor> = {};
      const velocities: Record<string, tf.Tensor> = {};
      for (const [name, w] of Object.entries(weights)) {
        let direction = parameter(gradients, name);
        if (spec.momentum > 0) {
          direction = tf.add(tf.mul(parameter(state, `velocity/${name}`), parameter(scalars, 'momentum')), direction);
          velocities[`velocity/${name}`] = direction;
        }
        const kept = decays(spec, w) ? tf.mul(w, parameter(scalars, 'keep')) : w;
        next[name] = tf.sub(kept, tf.mul(direction, parameter(scalars, 'rate')));
      }
      return { parameters: next, state: velocities };
    },
  };
}
