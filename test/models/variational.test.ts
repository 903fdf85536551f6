// The bounds of the variational autoencoder against a posterior simple enough to integrate.
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { initialise } from '../../src/models/parameters.ts';
import { divergenceFromPrior, negativeBound, variationalAutoencoder } from '../../src/models/variational.ts';
import { expectNear, startCpu, tensors, values } from './cpu.ts';

beforeAll(startCpu);

const batch = 4;
const model = variationalAutoencoder({ code: 2, hidden: [3], activation: 'tanh', likelihood: 'bernoulli' }, [5]);
const p = () => tensors(initialise(model.parameters, 2));
const x = () =>
  tf.tensor(
    Array.from({ length: batch * 5 }, (_, i) => ((i * 7) % 3 === 0 ? 1 : 0)),
    [batch, 5],
  );
const noise = (samples: number) =>
  tf.tensor(new RandomStream(1, 'noise').normal(new Float32Array(batch * samples * 2)), [
    batch,
    samples,
    2,
  ]) as tf.Tensor3D;
const mean = (t: tf.Tensor) => values(tf.mean(t))[0] as number;

describe('the divergence from the prior', () => {
  it('is the closed form for normal densities, 0 for the prior itself', () => {
    const posterior = {
      mean: tf.tensor2d([
        [1, -2],
        [0, 0],
      ]),
      logVariance: tf.tensor2d([
        [0, Math.log(4)],
        [0, 0],
      ]),
    };
    expectNear(divergenceFromPrior(posterior), [0.5 * (1 + (4 + 4 - 1 - Math.log(4))), 0]);
  });
});

describe('the bounds', () => {
  it('with one sample: cross-entropy of the decoded sample plus the divergence', () => {
    const { mean: mu, logVariance } = model.posterior(p(), x());
    const epsilon = noise(1);
    const z = tf.add(mu, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), tf.reshape(epsilon, [batch, 2])));
    const q = values(tf.sigmoid(model.decode(p(), z)));
    const crossEntropy = Array(batch).fill(0);
    for (const [i, value] of values(x()).entries()) {
      crossEntropy[Math.floor(i / 5)] -= Math.log(value === 1 ? (q[i] as number) : 1 - (q[i] as number));
    }
    const kl = values(divergenceFromPrior({ mean: mu, logVariance }));
    expectNear(
      negativeBound(model, p(), x(), epsilon, { samples: 1, beta: 1 }).bound,
      crossEntropy.map((ce, i) => ce + (kl[i] as number)),
      4,
    );
    expectNear(negativeBound(model, p(), x(), epsilon, { samples: 1, beta: 0 }).bound, crossEntropy, 4);
  });

  it('more samples are tighter, and many agree with the integral over a grid', () => {
    const bound = (samples: number) => mean(negativeBound(model, p(), x(), noise(samples), { samples, beta: 1 }).bound);
    const one = mean(negativeBound(model, p(), tf.tile(x(), [500, 1]), manyNoise(500), { samples: 1, beta: 1 }).bound);
    const exact = mean(logEvidence()) * -1;
    expect(one).toBeGreaterThan(exact);
    expect(bound(2000)).toBeCloseTo(exact, 1);
    expect(bound(2000)).toBeLessThan(one);
  });
});

const manyNoise = (times: number) =>
  tf.tensor(new RandomStream(2, 'noise').normal(new Float32Array(times * batch * 2)), [
    times * batch,
    1,
    2,
  ]) as tf.Tensor3D;

/** ln ∫ p(x ∣ z) p(z) dz by a sum over a grid of the two code dimensions. */
function logEvidence(): tf.Tensor {
  const step = 0.1;
  const axis = Array.from({ length: 101 }, (_, i) => (i - 50) * step);
  const grid = axis.flatMap((a) => axis.map((b) => [a, b]));
  const z = tf.tensor2d(grid);
  const output = model.decode(p(), z);
  const logPrior = tf.sub(tf.mul(tf.sum(tf.square(z), 1), -0.5), Math.log(2 * Math.PI));
  const rows = tf.unstack(x()).map((row) => {
    const logLikelihood = tf.neg(tf.sum(tf.sub(tf.softplus(output), tf.mul(output, row)), 1));
    return tf.add(tf.logSumExp(tf.add(logLikelihood, logPrior)), 2 * Math.log(step));
  });
  return tf.stack(rows);
}
