// Contrastive divergence on a machine of 3 visible and 2 hidden units, against statistics worked out number by number.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { contrastiveDivergence, type RbmOptions } from '../../src/models/rbm.ts';
import { expectNear, startCpu, values } from './cpu.ts';

beforeAll(startCpu);

const W = [
  [0.5, -0.3],
  [0.2, 0.8],
  [-0.6, 0.1],
] as const;
const c = [0.1, -0.2] as const;
const b = [0, 0.3, -0.1] as const;
const v0 = [
  [1, 0, 1],
  [0, 1, 1],
] as const;
const uniform = [
  [0.3, 0.6],
  [0.5, 0.2],
] as const;

const sigmoid = (a: number) => 1 / (1 + Math.exp(-a));
const hiddenInput = (v: readonly number[]) =>
  c.map((bias, j) => bias + v.reduce((sum, vi, i) => sum + vi * (W[i]?.[j] ?? 0), 0));
const visibleInput = (h: readonly number[]) =>
  b.map((bias, i) => bias + h.reduce((sum, hj, j) => sum + hj * (W[i]?.[j] ?? 0), 0));

const options: RbmOptions = {
  names: { weight: 'W', hiddenBias: 'c', visibleBias: 'b' },
  visible: 3,
  hidden: 2,
  visibleUnits: 'binary',
  hiddenUnits: 'binary',
  steps: 1,
  sampleVisible: false,
  weightCost: 0,
  input: (_, feeds) => feeds.x as tf.Tensor2D,
};
const p = () => ({ W: tf.tensor(W as never), c: tf.tensor([...c]), b: tf.tensor([...b]) });
const feeds = (noise: readonly (readonly number[])[] = uniform) => ({
  x: tf.tensor(v0 as never),
  'hidden/0': tf.tensor(noise as never),
});

function directionsOf(changed: Partial<RbmOptions>, more: Record<string, tf.Tensor> = {}) {
  const objective = contrastiveDivergence({ ...options, ...changed });
  if (!('directions' in objective)) throw new Error('contrastive divergence gives directions');
  return objective.directions(p(), { ...feeds(), ...more });
}

/** −(⟨v₀h₀⟩ − ⟨v₁h₁⟩) and the same for the biases, the reconstruction given by `reconstruct`. */
function byHand(
  reconstruct: (h: number[], row: number) => number[],
  mean: (a: number) => number = sigmoid,
  sample = (a: number, u: number) => Number(u < sigmoid(a)),
) {
  const gradient = { W: Array(6).fill(0), c: Array(2).fill(0), b: Array(3).fill(0) };
  let error = 0;
  for (const [row, v] of v0.entries()) {
    const positive = hiddenInput(v).map(mean);
    const h = hiddenInput(v).map((a, j) => sample(a, uniform[row]?.[j] ?? 0));
    const v1 = reconstruct(h, row);
    const negative = hiddenInput(v1).map(mean);
    for (let i = 0; i < 3; i++) {
      const [vi, ri] = [v[i] as number, v1[i] as number];
      error += (vi - ri) ** 2 / 2;
      gradient.b[i] += (ri - vi) / 2;
      for (let j = 0; j < 2; j++)
        gradient.W[2 * i + j] += (ri * (negative[j] as number) - vi * (positive[j] as number)) / 2;
    }
    for (let j = 0; j < 2; j++) gradient.c[j] += ((negative[j] as number) - (positive[j] as number)) / 2;
  }
  return { ...gradient, error };
}

describe('CD-1', () => {
  it('of binary units, reconstructed by their means', () => {
    const wanted = byHand((h) => visibleInput(h).map(sigmoid));
    const { loss, gradients } = directionsOf({});
    expectNear(gradients.W as tf.Tensor, wanted.W);
    expectNear(gradients.c as tf.Tensor, wanted.c);
    expectNear(gradients.b as tf.Tensor, wanted.b);
    expectNear(loss, [wanted.error]);
  });

  it('with sampled visible units', () => {
    const noise = [
      [0.9, 0.1, 0.4],
      [0.2, 0.7, 0.6],
    ];
    const wanted = byHand((h, row) => visibleInput(h).map((a, i) => Number((noise[row]?.[i] ?? 0) < sigmoid(a))));
    const { gradients } = directionsOf({ sampleVisible: true }, { 'visible/0': tf.tensor(noise) });
    expectNear(gradients.W as tf.Tensor, wanted.W);
    expectNear(gradients.b as tf.Tensor, wanted.b);
  });

  it('with Gaussian visible and rectified hidden units', () => {
    const wanted = byHand(
      (h) => visibleInput(h),
      (a) => Math.max(0, a),
      (a, n) => Math.max(0, a + n * Math.sqrt(sigmoid(a))),
    );
    const { gradients } = directionsOf({ visibleUnits: 'gaussian', hiddenUnits: 'rectified' });
    expectNear(gradients.W as tf.Tensor, wanted.W);
    expectNear(gradients.c as tf.Tensor, wanted.c);
  });

  it('weight cost pulls towards zero', () => {
    const [plain, costly] = [directionsOf({}), directionsOf({ weightCost: 0.1 })];
    const pull = values(tf.sub(costly.gradients.W as tf.Tensor, plain.gradients.W as tf.Tensor));
    expectNear(
      pull,
      W.flat().map((w) => 0.1 * w),
    );
  });

  it('CD-2 goes on from the first reconstruction', () => {
    const again = {
      'hidden/1': tf.tensor([
        [0.5, 0.5],
        [0.5, 0.5],
      ]),
    };
    const { gradients } = directionsOf({ steps: 2 }, again);
    const wanted = byHand((h) => {
      const v1 = visibleInput(h).map(sigmoid);
      const h1 = hiddenInput(v1).map((a) => Number(0.5 < sigmoid(a)));
      return visibleInput(h1).map(sigmoid);
    });
    expectNear(gradients.W as tf.Tensor, wanted.W);
    expect(wanted.W).not.toEqual(byHand((h) => visibleInput(h).map(sigmoid)).W);
  });
});
