// Penalties say what their definitions say: Kullback-Leibler sparsity, and the norm of the Jacobian three ways.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Activation } from '../../src/jobspec/model.ts';
import { activate } from '../../src/models/activations.ts';
import { closedForm, type DerivableLayer, estimatedNorm, exactNorm } from '../../src/models/contractive.ts';
import { divergence, sparsityPenalty } from '../../src/models/sparse.ts';
import { expectGradient, expectNear, numbers, startCpu, values } from './cpu.ts';

beforeAll(startCpu);

const kl = (rho: number, mean: number) => rho * Math.log(rho / mean) + (1 - rho) * Math.log((1 - rho) / (1 - mean));

describe('sparsity', () => {
  it('is the sum of the divergences of the units', () => {
    expectNear(divergence(tf.tensor([0.05, 0.2, 0.9]), 0.05), [kl(0.05, 0.2) + kl(0.05, 0.9)]);
    expect(values(divergence(tf.tensor([0, 1]), 0.05)).every(Number.isFinite)).toBe(true);
  });

  it('pulls the mean towards the target', () => {
    expectGradient((mean) => divergence(mean, 0.1), tf.tensor([0.05, 0.1, 0.5]), 1e-2);
    const [below, at, above] = values(tf.grad((mean) => divergence(mean, 0.1))(tf.tensor([0.05, 0.1, 0.5])));
    expect(below).toBeLessThan(0);
    expect(at).toBeCloseTo(0, 3);
    expect(above).toBeGreaterThan(0);
  });

  it('with memory looks at a running mean, which it hands on', () => {
    const penalty = sparsityPenalty({ target: 0.1, weight: 1, memory: 0.75 }, 2);
    const statistics: Record<string, tf.Tensor> = {};
    const code = tf.tensor([
      [0.2, 0.4],
      [0.6, 0.4],
    ]);
    const seen = { p: { 'sparsity/mean': tf.tensor([0.1, 0.8]) }, layers: [code] };
    const value = penalty.value(seen, { noise: {}, statistics });
    expectNear(statistics['sparsity/mean'] as tf.Tensor, [0.175, 0.7]);
    expectNear(value, [kl(0.1, 0.175) + kl(0.1, 0.7)]);
  });
});

describe('contraction', () => {
  const x = () => numbers([3, 5], 3) as tf.Tensor2D;
  const first = () => numbers([5, 4], 2) as tf.Tensor2D;
  const second = () => numbers([4, 2], 5) as tf.Tensor2D;

  function layersOf(weights: readonly tf.Tensor2D[], activations: readonly Activation[]): DerivableLayer[] {
    let output: tf.Tensor = x();
    return weights.map((weight, i) => {
      const activation = activations[i] as Activation;
      output = activate(tf.matMul(output as tf.Tensor2D, weight), activation);
      return { weight, activation, output };
    });
  }

  /** The norm unit by unit with tf.grad. */
  function byAutodiff(weights: readonly tf.Tensor2D[], activations: readonly Activation[]): number {
    const units = weights.at(-1)?.shape[1] ?? 0;
    let sum = 0;
    for (let j = 0; j < units; j++) {
      const unit = (input: tf.Tensor) => {
        const code = weights.reduce(
          (h, w, i) => activate(tf.matMul(h as tf.Tensor2D, w), activations[i] as Activation),
          input,
        );
        return tf.sum(tf.slice(code, [0, j], [-1, 1]));
      };
      sum += values(tf.sum(tf.square(tf.grad(unit)(x()))))[0] as number;
    }
    return sum / x().shape[0];
  }

  for (const activation of ['linear', 'sigmoid', 'tanh', 'relu'] as const) {
    it(`of one layer of ${activation} units, closed and exact, is what autodiff gives`, () => {
      const layers = layersOf([first()], [activation]);
      const wanted = byAutodiff([first()], [activation]);
      expectNear(closedForm(layers[0] as DerivableLayer), [wanted]);
      expectNear(exactNorm(layers), [wanted]);
    });
  }

  it('of two layers is what autodiff gives', () => {
    expectNear(exactNorm(layersOf([first(), second()], ['tanh', 'sigmoid'])), [
      byAutodiff([first(), second()], ['tanh', 'sigmoid']),
    ]);
  });

  it('the estimate is right on average over all signs', () => {
    const layers = layersOf([first(), second()], ['tanh', 'sigmoid']);
    let sum = 0;
    for (const signs of [
      [1, 1],
      [1, -1],
      [-1, 1],
      [-1, -1],
    ]) {
      sum += values(estimatedNorm(layers, tf.tensor([signs, signs, signs])))[0] as number;
    }
    expectNear([sum / 4], values(exactNorm(layers)));
  });

  it('has the right derivative by the weights, through activations as well', () => {
    expectGradient((w) => closedForm(layersOf([w as tf.Tensor2D], ['sigmoid'])[0] as DerivableLayer), first());
    expectGradient((w) => exactNorm(layersOf([w as tf.Tensor2D, second()], ['tanh', 'sigmoid'])), first());
    expectGradient((w) => exactNorm(layersOf([first(), w as tf.Tensor2D], ['tanh', 'sigmoid'])), second());
  });
});
