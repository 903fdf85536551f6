// Small sums on the tfjs cpu backend: tensors from arrays, values out, gradients checked by central differences.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import type { NdArrays } from '../../src/base/ndarray.ts';
import { eagerEngine } from '../../src/engine/eager.ts';

/** To be awaited before the first tensor: starts the backend, with all gradient functions registered. */
export async function startCpu(): Promise<void> {
  await eagerEngine('cpu');
  await tf.setBackend('cpu');
}

export const values = (t: tf.Tensor): number[] => [...t.dataSync()];

export const tensors = (arrays: NdArrays): Record<string, tf.Tensor> =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]),
  );

export function expectNear(found: tf.Tensor | readonly number[], wanted: readonly number[], digits = 5): void {
  const numbers = found instanceof tf.Tensor ? values(found) : found;
  expect(numbers).toHaveLength(wanted.length);
  for (const [i, value] of numbers.entries()) expect(value).toBeCloseTo(wanted[i] as number, digits);
}

/** The gradient of a scalar function at x against central differences in every coordinate. */
export function expectGradient(f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor, tolerance = 1e-2): void {
  const step = 3e-3;
  const gradient = values(tf.grad(f)(x));
  const at = (i: number, by: number): number => {
    const moved = values(x);
    moved[i] = (moved[i] as number) + by;
    return values(f(tf.tensor(moved, x.shape)))[0] as number;
  };
  for (const [i, slope] of gradient.entries()) {
    const difference = (at(i, step) - at(i, -step)) / (2 * step);
    expect(Math.abs(slope - difference), `coordinate ${i}`).toBeLessThan(tolerance * Math.max(1, Math.abs(slope)));
  }
}

/** Numbers that look random and are the same each time, in [−1, 1). */
export function numbers(shape: number[], seed = 1): tf.Tensor {
  return tf.sub(tf.mul(tf.randomUniform(shape, 0, 1, 'float32', seed), 2), 1);
}
