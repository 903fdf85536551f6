// The optimizers against tfjs's own, step by step on the same gradients.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { OptimizerSpec } from '../../src/jobspec/training.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { type StepTime, scheduleFactor } from '../../src/train/schedule.ts';

const constant = { type: 'constant' } as const;
const adam: OptimizerSpec = {
  type: 'adam',
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-3,
  weightDecay: 0,
  schedule: constant,
};
const sgd: Extract<OptimizerSpec, { type: 'sgd' }> = {
  type: 'sgd',
  learningRate: 0.1,
  momentum: 0.8,
  initialMomentumEpochs: 0,
  weightDecay: 0,
  schedule: constant,
};

const start = [1, -2, 3, 0.5];
const gradientAt = (step: number) => [0.3 * step, -1, 0.001, step % 2 ? 5 : -5];

/** Values after so many steps of our optimizer. */
function ours(spec: OptimizerSpec, steps: number, shape: number[] = [4]): Float32Array {
  const specs = { w: { dtype: 'float32' as const, shape } };
  const rule = optimizer(spec, specs);
  let parameters: Readonly<Record<string, tf.Tensor>> = { w: tf.tensor(start, shape) };
  let state: Readonly<Record<string, tf.Tensor>> = Object.fromEntries(
    Object.keys(rule.state).map((name) => [name, tf.zeros(shape)]),
  );
  for (let step = 0; step < steps; step++) {
    const values = rule.scalars({ step, stepsPerEpoch: 10, epochs: 2 });
    const scalars = Object.fromEntries(rule.scalarNames.map((name) => [name, tf.scalar(values[name] as number)]));
    ({ parameters, state } = rule.update(parameters, { w: tf.tensor(gradientAt(step), shape) }, state, scalars));
  }
  return parameters.w?.dataSync() as Float32Array;
}

function theirs(rule: tf.Optimizer, steps: number): Float32Array {
  const w = tf.variable(tf.tensor(start));
  for (let step = 0; step < steps; step++) rule.applyGradients([{ name: w.name, tensor: tf.tensor(gradientAt(step)) }]);
  return w.dataSync() as Float32Array;
}

afterEach(() => tf.disposeVariables());

function near(a: Float32Array, b: ArrayLike<number>): void {
  for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i] as number, 5);
}

describe('optimizers', () => {
  it('adam is tfjs adam', () => near(ours(adam, 12), theirs(tf.train.adam(0.05, 0.9, 0.999, 1e-3), 12)));

  it('momentum is tfjs momentum', () => near(ours(sgd, 12), theirs(tf.train.momentum(0.1, 0.8), 12)));

  it('plain descent keeps no state', () => {
    const plain: OptimizerSpec = { ...sgd, momentum: 0 };
    expect(optimizer(plain, { w: { dtype: 'float32', shape: [4] } }).state).toEqual({});
    near(ours(plain, 12), theirs(tf.train.sgd(0.1), 12));
  });

  it('weight decay shrinks matrices and leaves biases', () => {
    const decaying: OptimizerSpec = { ...sgd, momentum: 0, weightDecay: 0.5 };
    expect([...ours(decaying, 1, [4])]).toEqual([...ours({ ...decaying, weightDecay: 0 }, 1, [4])]);
    const shrunk = ours(decaying, 1, [2, 2]);
    near(
      shrunk,
      gradientAt(0).map((g, i) => (start[i] as number) * 0.95 - 0.1 * g),
    );
  });
});

describe('learning rate schedules', () => {
  const at = (step: number): StepTime => ({ step, stepsPerEpoch: 10, epochs: 4 });
  it('cosine rises through the warm-up, starts at 1 and ends at its final factor', () => {
    const schedule = { type: 'cosine', warmupEpochs: 1, final: 0.1 } as const;
    const factors = [0, 5, 9, 10, 25, 40].map((step) => scheduleFactor(schedule, at(step)));
    expect(factors[0]).toBeCloseTo(1 / 11);
    expect(factors[2]).toBeCloseTo(10 / 11);
    expect(factors[3]).toBe(1);
    expect(factors[4]).toBeCloseTo(0.55);
    expect(factors[5]).toBeCloseTo(0.1);
  });
  it('step falls by its factor every n epochs', () => {
    const schedule = { type: 'step', everyEpochs: 2, factor: 0.5 } as const;
    expect([0, 19, 20, 39].map((step) => scheduleFactor(schedule, at(step)))).toEqual([1, 1, 0.5, 0.5]);
  });
  it('linear falls evenly', () => {
    expect(scheduleFactor({ type: 'linear', warmupEpochs: 0, final: 0 }, at(30))).toBeCloseTo(0.25);
  });
});
