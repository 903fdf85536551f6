/**
 * The noise q(x̃ ∣ x) of denoising autoencoders on host arrays, for evaluation: the same definitions as src/models/corruption.ts
 * has inside a program.
 */

import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { RandomStream } from '../base/random.ts';
import type { Corruption } from '../jobspec/model.ts';

/**
 * Fills `out` with one value of noise per input value: normal for gaussian, 1 (keep) or 0 (drop) for masking, uniform in [0,1)
 * for salt-and-pepper, 1 (keep) or 0 (in the hole) for hole. `rowShape` ([height, width, channels]) is needed for hole only.
 */
export function drawNoise(
  corruption: Corruption,
  random: RandomStream,
  out: Float32Array,
  rowShape: Shape = [],
): Float32Array {
  switch (corruption.type) {
    case 'gaussian':
      return random.normal(out);
    case 'masking':
      return random.bernoulli(out, 1 - corruption.probability);
    case 'salt-and-pepper':
      return random.uniform(out);
    case 'hole':
      return drawHoles(random, out, rowShape, corruption.size);
    default:
      return corruption satisfies never;
  }
}

/** Pictures of ones with a square of zeros at a random place in each. */
export function drawHoles(random: RandomStream, out: Float32Array, rowShape: Shape, side: number): Float32Array {
  const [height = 0, width = 0, channels = 0] = rowShape;
  const size = sizeOf(rowShape);
  out.fill(1);
  for (let row = 0; row < out.length; row += size) {
    const [top, left] = [random.below(height - side + 1), random.below(width - side + 1)];
    for (let y = top; y < top + side; y++) {
      const start = row + (y * width + left) * channels;
      out.fill(0, start, start + side * channels);
    }
  }
  return out;
}

/**
 * x̃ from x and its noise, all of one length; pure. `range` is the data's [low, high]: Gaussian noise is cut to it (pass
 * infinities to leave it as it is), pepper is low, salt is high, each with half the probability. Masked values become 0, a hole the middle of the range.
 */
export function corrupt(
  x: Float32Array,
  noise: Float32Array,
  corruption: Corruption,
  [low, high]: readonly [number, number],
): Float32Array {
  switch (corruption.type) {
    case 'gaussian':
      return x.map((value, i) => Math.min(Math.max(value + corruption.sigma * noise[i]!, low), high));
    case 'masking':
      return x.map((value, i) => value * noise[i]!);
    case 'salt-and-pepper': {
      const half = corruption.probability / 2;
      return x.map((value, i) => (noise[i]! < half ? low : noise[i]! >= 1 - half ? high : value));
    }
    case 'hole':
      return x.map((value, i) => (noise[i] === 0 ? (low + high) / 2 : value));
    default:
      return corruption satisfies never;
  }
}
