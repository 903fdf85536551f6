// Corruption is drawn as it is defined, and the clean input is what is asked for.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { corrupt as corruptOnHost, drawNoise } from '../../src/data/corruption.ts';
import type { Corruption } from '../../src/jobspec/model.ts';
import { corrupt, corruptionNoise } from '../../src/models/denoising.ts';
import { denseAutoencoder } from '../../src/models/dense.ts';
import type { Distribution } from '../../src/models/objective.ts';
import { initialise } from '../../src/models/parameters.ts';
import { reconstruction } from '../../src/models/reconstruction.ts';
import { expectNear, startCpu, tensors, values } from './cpu.ts';

beforeAll(startCpu);

const size = 20_000;
const grey = 0.4;

/** What becomes of grey values. */
function corrupted(corruption: Corruption): number[] {
  const { distribution } = corruptionNoise(corruption, [size]);
  return values(corrupt(tf.fill([1, size], grey), drawn(distribution), corruption, [0, 1]));
}

function drawn(distribution: Distribution): tf.Tensor {
  const random = new RandomStream(1, 'test');
  const out = new Float32Array(size);
  if (distribution.type === 'bernoulli') random.bernoulli(out, distribution.probability);
  else if (distribution.type !== 'hole') random[distribution.type](out);
  return tf.tensor(out, [1, size]);
}

const share = (numbers: number[], value: number) => numbers.filter((n) => Math.abs(n - value) < 1e-6).length / size;

describe('corruption', () => {
  it('masking zeroes a share and leaves the rest', () => {
    const seen = corrupted({ type: 'masking', probability: 0.3 });
    expect(share(seen, 0)).toBeCloseTo(0.3, 1);
    expect(share(seen, 0) + share(seen, grey)).toBe(1);
  });

  it('salt and pepper set half of the share to each end', () => {
    const seen = corrupted({ type: 'salt-and-pepper', probability: 0.2 });
    expect(share(seen, 0)).toBeCloseTo(0.1, 1);
    expect(share(seen, 1)).toBeCloseTo(0.1, 1);
    expect(share(seen, 0) + share(seen, 1) + share(seen, grey)).toBe(1);
  });

  it('gaussian noise has its deviation and is clipped to the range', () => {
    const narrow = corrupted({ type: 'gaussian', sigma: 0.1 });
    const mean = narrow.reduce((a, b) => a + b) / size;
    expect(mean).toBeCloseTo(grey, 2);
    expect(Math.sqrt(narrow.reduce((sum, n) => sum + (n - mean) ** 2, 0) / size)).toBeCloseTo(0.1, 2);
    const wide = corrupted({ type: 'gaussian', sigma: 2 });
    expect([Math.min(...wide), Math.max(...wide)]).toEqual([0, 1]);
  });

  it('is the same on host arrays, on which models are evaluated', () => {
    const kinds: Corruption[] = [
      { type: 'gaussian', sigma: 0.5 },
      { type: 'masking', probability: 0.3 },
      { type: 'salt-and-pepper', probability: 0.4 },
      { type: 'hole', size: 3 },
    ];
    const shape = [8, 10, 2];
    const x = new RandomStream(1, 'rows').uniform(new Float32Array(3 * 160), -1, 2);
    for (const corruption of kinds) {
      const noise = drawNoise(corruption, new RandomStream(2, 'noise'), new Float32Array(x.length), shape);
      const inside = corrupt(tf.tensor(x, [3, ...shape]), tf.tensor(noise, [3, ...shape]), corruption, [-1, 2]);
      expectNear(inside, [...corruptOnHost(x, noise, corruption, [-1, 2])]);
    }
  });

  it('a hole is one square in each picture', () => {
    const mask = drawNoise(
      { type: 'hole', size: 3 },
      new RandomStream(2, 'noise'),
      new Float32Array(50 * 80),
      [8, 10, 1],
    );
    const tops = new Set<number>();
    for (let row = 0; row < 50; row++) {
      const picture = mask.subarray(row * 80, (row + 1) * 80);
      const first = picture.indexOf(0);
      tops.add(first);
      const wanted = new Float32Array(80).fill(1);
      for (const y of [0, 1, 2]) wanted.fill(0, first + 10 * y, first + 10 * y + 3);
      expect(picture).toEqual(wanted);
    }
    expect(tops.size).toBeGreaterThan(10);
  });
});

it('the encoder sees the corrupted input, the loss compares with the clean one', () => {
  const model = denseAutoencoder(
    {
      code: 2,
      hidden: [],
      activation: 'relu',
      codeActivation: 'linear',
      outputActivation: 'linear',
      loss: 'sse',
      tied: false,
    },
    [3],
  );
  const corruption = { type: 'masking', probability: 0.5 } as const;
  const objective = reconstruction(model, {
    loss: { loss: 'sse', outputActivation: 'linear' },
    corruption,
    penalties: [],
    range: [0, 1],
  });
  const p = tensors(initialise(model.parameters, 3));
  const x = tf.tensor([[0.2, 0.5, 0.9]]);
  const mask = tf.tensor([[1, 0, 1]]);
  const seen = tf.tensor([[0.2, 0, 0.9]]);
  const output = model.decode(p, model.encode(p, seen).at(-1) as tf.Tensor);
  const wanted = values(tf.sum(tf.square(tf.sub(output, x))));
  expectNear(objective.heldOut(p, { x, corruption: mask }).loss, wanted);
});
