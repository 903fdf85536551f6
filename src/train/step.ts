/**
 * Programs for the engine: one training step of a phase (objective, its gradients, the optimizer's update) and one step of
 * its evaluation on held-out rows.
 *
 *   feeds ─► objective ─► loss ─► ∂loss/∂parameters ─► optimizer ─► parameters, moments
 */

import * as tf from '@tensorflow/tfjs-core';
import type { TensorSpec, TensorSpecs } from '../base/ndarray.ts';
import type { Program, Tensors } from '../engine/engine.ts';
import type { Feed, Phase } from '../models/objective.ts';
import { specsOf } from '../models/parameters.ts';
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

/** State: trainable parameters and the optimizer's moments. Constants: frozen parameters. Outputs: `loss` and metrics. */
export function trainingProgram(phase: Phase, rows: RowShape, optimizer: Optimizer): Program {
  const trainable = specsOf(phase.trainable);
  const names = Object.keys(trainable);
  return {
    name: phase.name,
    state: { ...trainable, ...optimizer.state },
    constants: specsOf(phase.frozen),
    feeds: {
      ...feedSpecs(phase, rows),
      [scalarsFeed]: { dtype: 'float32', shape: [optimizer.scalarNames.length] },
    },
    step({ state, constants, feeds }) {
      const { value, gradients, metrics } = lossAndGradients(phase, pick(state, names), constants, feeds);
      const vector = feeds[scalarsFeed] as tf.Tensor1D;
      const scalars = Object.fromEntries(
        optimizer.scalarNames.map((name, i) => [name, tf.reshape(tf.slice(vector, [i], [1]), [])]),
      );
      const moments = pick(state, Object.keys(optimizer.state));
      const update = optimizer.update(pick(state, names), gradients, moments, scalars);
      return { state: { ...update.parameters, ...update.state }, outputs: { loss: value, ...metrics } };
    },
  };
}

/** Constants: all parameters. Output `heldOut`: [batch]. */
export function heldOutProgram(phase: Phase, rows: RowShape): Program {
  return {
    name: `${phase.name}/held-out`,
    state: {},
    constants: specsOf({ ...phase.frozen, ...phase.trainable }),
    feeds: feedSpecs(phase, rows),
    step: ({ constants, feeds }) => ({ state: {}, outputs: { heldOut: phase.objective.heldOut(constants, feeds) } }),
  };
}

interface LossAndGradients {
  readonly value: tf.Scalar;
  readonly gradients: Tensors;
  readonly metrics: Tensors;
}

function lossAndGradients(phase: Phase, trainable: Tensors, frozen: Tensors, feeds: Tensors): LossAndGradients {
  const names = Object.keys(trainable);
  const kept: Record<string, tf.Tensor> = {};
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const p = Object.fromEntries(names.map((name, i) => [name, values[i] as tf.Tensor]));
    const result = phase.objective.loss({ ...frozen, ...p }, feeds);
    // the gradient function tidies up all that it does not return
    for (const [name, metric] of Object.entries(result.metrics ?? {})) kept[name] = tf.keep(metric);
    return result.loss;
  };
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => trainable[name] as tf.Tensor));
  const metrics = Object.fromEntries(Object.entries(kept).map(([name, metric]) => [name, tf.clone(metric)]));
  for (const metric of Object.values(kept)) metric.dispose();
  return {
    value: value as tf.Scalar,
    gradients: Object.fromEntries(names.map((name, i) => [name, grads[i] as tf.Tensor])),
    metrics,
  };
}
