/**
 * Programs for the engine: one training step of a phase (objective, its gradients, the optimizer's update) and one step of
 * its evaluation on held-out rows.
 *
 *   feeds ─► objective ─► loss ─► ∂loss/∂parameters ─► optimizer ─► parameters, moments
 */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpec, TensorSpecs } from '../base/ndarray.ts';
import type { Program, Tensors } from '../engine/engine.ts';
import type { Feed, Objective, Phase } from '../models/objective.ts';
import { specsOf } from '../models/parameters.ts';
import { flushState } from './flush.ts';
import type { Optimizer } from './optimizers.ts';

/** The optimizer's scalars are fed as one vector of this name per step. */
export const scalarsFeed = 'optimizer';

export interface RowShape {
  readonly batch: number;
  /** of a row of the data set */
  readonly row: readonly number[];
}

export function feedSpec(feed: Feed, { batch, row }: RowShape): TensorSpec {
  switch (feed.from) {
    case 'rows':
      return { dtype: 'float32', shape: [batch, ...row] };
    case 'labels':
      return { dtype: 'int32', shape: [batch] };
    case 'noise':
      return { dtype: 'float32', shape: [batch, ...feed.shape] };
    default:
      return feed satisfies never;
  }
}

export const feedSpecs = (phase: Phase, rows: RowShape): TensorSpecs =>
  Object.fromEntries(Object.entries(phase.objective.feeds).map(([name, feed]) => [name, feedSpec(feed, rows)]));

const pick = (tensors: Tensors, names: Iterable<string>): Tensors =>
  Object.fromEntries([...names].map((name) => [name, tensors[name] as tf.Tensor]));

/** State: trainable parameters, statistics and the optimizer's moments. Constants: frozen parameters. Outputs: `loss` and metrics. */
export function trainingProgram(phase: Phase, rows: RowShape, optimizer: Optimizer): Program {
  const trainable = specsOf(phase.trainable);
  const statistics = specsOf(phase.statistics);
  return {
    name: phase.name,
    state: { ...trainable, ...statistics, ...optimizer.state },
    constants: specsOf(phase.frozen),
    feeds: {
      ...feedSpecs(phase, rows),
      [scalarsFeed]: { dtype: 'float32', shape: [optimizer.scalarNames.length] },
    },
    step({ state, constants, feeds }) {
      const weights = pick(state, Object.keys(trainable));
      const fixed = { ...constants, ...pick(state, Object.keys(statistics)) };
      const step = directions(phase.objective, weights, fixed, feeds);
      const vector = feeds[scalarsFeed] as tf.Tensor1D;
      const scalars = Object.fromEntries(
        optimizer.scalarNames.map((name, i) => [name, tf.reshape(tf.slice(vector, [i], [1]), [])]),
      );
      const moments = pick(state, Object.keys(optimizer.state));
      const update = optimizer.update(weights, step.gradients, moments, scalars);
      return {
        state: flushState({ ...update.parameters, ...update.state, ...step.statistics }),
        outputs: { loss: step.loss, ...step.metrics },
      };
    },
  };
}

/** Constants: all parameters. Outputs: what the objective measures, [batch] each. */
export function heldOutProgram(phase: Phase, rows: RowShape): Program {
  return {
    name: `${phase.name}/held-out`,
    state: {},
    constants: specsOf({ ...phase.frozen, ...phase.statistics, ...phase.trainable }),
    feeds: feedSpecs(phase, rows),
    step: ({ constants, feeds }) => ({ state: {}, outputs: phase.objective.heldOut(constants, feeds) }),
  };
}

interface Directions {
  readonly loss: tf.Tensor;
  readonly gradients: Tensors;
  readonly metrics: Tensors;
  readonly statistics: Tensors;
}

function directions(objective: Objective, weights: Tensors, fixed: Tensors, feeds: Tensors): Directions {
  if ('directions' in objective) {
    return { metrics: {}, statistics: {}, ...objective.directions({ ...fixed, ...weights }, feeds) };
  }
  const names = Object.keys(weights);
  const kept: { metrics: Record<string, tf.Tensor>; statistics: Record<string, tf.Tensor> } = {
    metrics: {},
    statistics: {},
  };
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const p = Object.fromEntries(names.map((name, i) => [name, values[i] as tf.Tensor]));
    const result = objective.loss({ ...fixed, ...p }, feeds);
    // the gradient function tidies up all that it does not return
    for (const part of ['metrics', 'statistics'] as const) {
      for (const [name, tensor] of Object.entries(result[part] ?? {})) kept[part][name] = tf.keep(tensor);
    }
    return result.loss;
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => weights[name] as tf.Tensor));
  return {
    loss: value,
    gradients: Object.fromEntries(names.map((name, i) => [name, grads[i] as tf.Tensor])),
    metrics: release(kept.metrics),
    statistics: release(kept.statistics),
  };
}

/** Hands kept tensors back to whoever tidies up around this. */
function release(kept: Tensors): Tensors {
  const released = Object.fromEntries(Object.entries(kept).map(([name, tensor]) => [name, tf.clone(tensor)]));
  for (const tensor of Object.values(kept)) tensor.dispose();
  return released;
}
