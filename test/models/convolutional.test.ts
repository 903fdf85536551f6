// Pooling and its approximate inverses on pictures small enough to see, and what the convolutional autoencoder makes of them.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelOf } from '../../src/jobspec/model.ts';
import { allParameters } from '../../src/models/autoencoder.ts';
import { batchNorm } from '../../src/models/batch-norm.ts';
import { convolutionalAutoencoder } from '../../src/models/convolutional.ts';
import { initialise } from '../../src/models/parameters.ts';
import { maxPool, switchesOf, unpoolAt, unpoolEven, unpoolRandom } from '../../src/models/pooling.ts';
import { expectGradient, expectNear, numbers, startCpu, tensors, values } from './cpu.ts';

beforeAll(startCpu);

/** One picture of 4 × 4, one channel. */
const picture = () => tf.tensor([5, 1, 0, 2, 3, 4, 7, 6, -1, -2, 0, 0, -3, -9, 0, 8], [1, 4, 4, 1]);
const pooled = () => tf.tensor([1, 2, 3, 4], [1, 2, 2, 1]);

describe('pooling', () => {
  it('takes the largest of each block, and where it was', () => {
    expectNear(maxPool(picture()), [5, 7, -1, 8]);
    expectNear(switchesOf(picture()), [0, 2, 0, 3]);
  });

  it('the first of equals is where it was', () => {
    expectNear(switchesOf(tf.ones([1, 2, 2, 1])), [0]);
  });

  it('spread evenly: a quarter at each place', () => {
    expectNear(unpoolEven(pooled()), [0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1, 0.75, 0.75, 1, 1]);
  });

  it('put back where the largest was', () => {
    expectNear(unpoolAt(maxPool(picture()), switchesOf(picture())), [5, 0, 0, 0, 0, 0, 7, 0, -1, 0, 0, 0, 0, 0, 0, 8]);
  });

  it('put at one random place', () => {
    const noise = tf.tensor([0.1, 0.3, 0.6, 0.99], [1, 2, 2, 1]);
    expectNear(unpoolRandom(pooled(), noise), [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4]);
  });

  it('gradients go where the values went', () => {
    const weights = numbers([1, 4, 4, 1], 7);
    expectGradient((x) => tf.sum(tf.mul(tf.square(unpoolAt(maxPool(x), switchesOf(x))), weights)), picture(), 2e-2);
    expectGradient((x) => tf.sum(tf.mul(tf.square(unpoolEven(x)), weights)), pooled());
  });
});

describe('batch normalisation', () => {
  const x = () =>
    tf.tensor([
      [1, 10],
      [3, 30],
    ]);
  const layer = batchNorm('n', 2);
  const p = () => tensors(initialise({ ...layer.parameters, ...layer.statistics }, 1));

  it('in training uses the batch, and moves the running values towards it', () => {
    const statistics: Record<string, tf.Tensor> = {};
    const y = layer.apply(p(), x(), { noise: {}, statistics });
    expectNear(y, [-1, -1, 1, 1], 2);
    expectNear(statistics['n/mean'] as tf.Tensor, [0.1, 1]);
    expectNear(statistics['n/variance'] as tf.Tensor, [0.95 + 0.05, 0.95 + 5]);
  });

  it('when serving uses the running values, row by row', () => {
    const served = { ...p(), 'n/mean': tf.tensor([1, 10]), 'n/variance': tf.tensor([4, 100]) };
    expectNear(layer.apply(served, x()), [0, 0, 1, 2], 2);
  });
});

const options: ModelOf<'convolutional'> = {
  type: 'convolutional',
  channels: [3, 2],
  kernel: 3,
  activation: 'tanh',
  batchNorm: false,
  pooling: 'max',
  unpooling: 'even',
  code: 'map',
  codeActivation: 'linear',
  outputActivation: 'sigmoid',
  loss: 'bce',
};

describe('convolutional autoencoder', () => {
  it('with switches the code is the maps and the places of all levels', () => {
    const model = convolutionalAutoencoder({ ...options, unpooling: 'switches' }, [8, 8, 1]);
    expect(model.codeShape).toEqual([2 * 2 * 2 + 4 * 4 * 3 + 2 * 2 * 2]);
    const p = tensors(initialise(allParameters(model), 1));
    const code = model.encode(p, numbers([2, 8, 8, 1])).at(-1) as tf.Tensor;
    const places = values(tf.slice(code, [0, 8], [-1, -1]));
    expect(new Set(places)).toEqual(new Set([0, 1, 2, 3]));
    expect(model.decode(p, code).shape).toEqual([2, 8, 8, 1]);
  });

  it('serves random places as their mean, an even spread', () => {
    const [random, even] = (['random', 'even'] as const).map((unpooling) =>
      convolutionalAutoencoder({ ...options, unpooling }, [8, 8, 1]),
    );
    const p = tensors(initialise(allParameters(even!), 1));
    const z = numbers([1, 2, 2, 2]);
    expectNear(random!.decode(p, z), values(even!.decode(p, z)));
  });

  it('every way back returns to the shape of the picture', () => {
    for (const unpooling of ['even', 'random', 'transposed'] as const) {
      for (const [code, pooling] of [
        ['map', 'stride'],
        [5, 'max'],
      ] as const) {
        const model = convolutionalAutoencoder({ ...options, unpooling, code, pooling, batchNorm: true }, [12, 8, 3]);
        const p = tensors(initialise(allParameters(model), 1));
        const code_ = model.encode(p, numbers([2, 12, 8, 3])).at(-1) as tf.Tensor;
        expect(code_.shape.slice(1)).toEqual(model.codeShape);
        expect(model.decode(p, code_).shape).toEqual([2, 12, 8, 3]);
      }
    }
  });
});
