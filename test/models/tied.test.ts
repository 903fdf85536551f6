// Tied weights: half the matrices, and they are the transposed encoder's before and after training.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { denseAutoencoder } from '../../src/models/dense.ts';
import { countOf, initialise } from '../../src/models/parameters.ts';
import { expectNear, numbers, startCpu, tensors, values } from './cpu.ts';

beforeAll(startCpu);

const options = {
  code: 2,
  hidden: [4],
  activation: 'tanh',
  codeActivation: 'sigmoid',
  outputActivation: 'linear',
  loss: 'mse',
} as const;

it('has the encoder matrices and biases of both sides', () => {
  const model = denseAutoencoder({ ...options, tied: true }, [6]);
  expect(Object.keys(model.parameters).filter((name) => name.endsWith('weight'))).toEqual([
    'encoder/0/weight',
    'encoder/1/weight',
  ]);
  expect(countOf(model.parameters)).toBe(6 * 4 + 4 * 2 + (4 + 2) + (4 + 6));
  expect(countOf(denseAutoencoder({ ...options, tied: false }, [6]).parameters)).toBe(
    2 * (6 * 4 + 4 * 2) + (4 + 2) + (4 + 6),
  );
});

it('decodes as an untied one with the transposed matrices', () => {
  const tied = denseAutoencoder({ ...options, tied: true }, [6]);
  const untied = denseAutoencoder({ ...options, tied: false }, [6]);
  const p = tensors(initialise(tied.parameters, 1));
  const transposed = {
    ...p,
    'decoder/0/weight': tf.transpose(p['encoder/1/weight'] as tf.Tensor2D),
    'decoder/1/weight': tf.transpose(p['encoder/0/weight'] as tf.Tensor2D),
  };
  const z = numbers([3, 2]);
  expectNear(tied.decode(p, z), values(untied.decode(transposed, z)));
});
