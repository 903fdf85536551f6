// Of each row exactly k units stay, and gradients flow through those alone.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { type Autoencoder, codeOf } from '../../src/models/autoencoder.ts';
import { denseAutoencoder } from '../../src/models/dense.ts';
import { encodedUnits, keepLargest, stages } from '../../src/models/k-sparse.ts';
import { expectGradient, expectNear, numbers, startCpu, values } from './cpu.ts';

beforeAll(startCpu);

it('keeps the k largest of each row, with their values', () => {
  const kept = keepLargest(
    tf.tensor([
      [3, -1, 2, 0.5],
      [-4, -2, -3, -1],
    ]),
    2,
  );
  expectNear(kept, [3, 0, 2, 0, 0, -2, 0, -1]);
  const active = tf.cast(tf.notEqual(keepLargest(numbers([50, 40]), 7), 0), 'int32');
  expect(values(tf.sum(active, 1))).toEqual(Array(50).fill(7));
});

it('gradients flow through the units that stayed', () => {
  const weights = tf.tensor([1, 2, 3, 4]);
  const loss = (a: tf.Tensor) => tf.sum(tf.mul(tf.square(keepLargest(tf.reshape(a, [1, 4]), 2)), weights));
  const a = tf.tensor([0.9, -0.5, 0.1, 0.6]);
  expectGradient(loss, a);
  expectNear(values(tf.grad(loss)(a)), [1.8, 0, 0, 4.8]);
});

it('comes down to k in the first half of the epochs', () => {
  expect(stages(25, 1000, 3, 20)).toEqual([
    { active: 200, epochs: 3 },
    { active: 100, epochs: 3 },
    { active: 50, epochs: 3 },
    { active: 25, epochs: 11 },
  ]);
  expect(stages(25, 60, 3, 20)).toEqual([
    { active: 50, epochs: 3 },
    { active: 25, epochs: 17 },
  ]);
  expect(stages(25, 1000, 0, 5)).toEqual([{ active: 25, epochs: 5 }]);
  expect(stages(25, 1000, 3, 1)).toEqual([{ active: 25, epochs: 1 }]);
  expect(stages(25, 1000, 3, 2).at(-1)).toEqual({ active: 25, epochs: 1 });
});

it('codes hold α·k units where that is asked for, and decoding goes by the k largest', () => {
  const options = { code: 12, hidden: [], tied: true, loss: 'sse', outputActivation: 'linear' } as const;
  const units = { activation: 'relu', codeActivation: 'linear' } as const;
  const narrow = denseAutoencoder({ ...options, ...units, active: 3 }, [8]);
  const wide = denseAutoencoder({ ...options, ...units, active: 6, decoded: 3 }, [8]);
  const p = Object.fromEntries(
    Object.entries(narrow.parameters).map(([name, { shape }], i) => [name, numbers([...shape], i)]),
  );
  const x = numbers([20, 8], 9);
  const counts = (model: Autoencoder) => values(tf.sum(tf.cast(tf.notEqual(codeOf(model, p, x), 0), 'int32'), 1));
  expect(counts(narrow)).toEqual(Array(20).fill(3));
  expect(counts(wide)).toEqual(Array(20).fill(6));
  expectNear(wide.decode(p, codeOf(wide, p, x)), [...values(narrow.decode(p, codeOf(narrow, p, x)))]);
  expect(encodedUnits({ active: 25, alpha: 3, code: 60 })).toBe(60);
});
