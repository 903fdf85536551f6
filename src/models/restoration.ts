/**
 * Restores pictures of any size: residual blocks on squares of `stride` × `stride` pixels, and what they give is added to the picture.
 *
 *   x [h, w, s²c] ─┬─────────────────────────────────────────────────────► + ─► x̂ [h, w, s²c]
 *   keep [h, w, s²]┴─ 3×3, φ ─ blocks × (3×3, φ, 3×3, + ) ─ 3×3 ─────────► +
 *
 * Zhang, Zuo & Zhang 2018 (FFDNet: sub-pictures, one network); Lim et al. 2017 (blocks without normalisation). Corruption is that of
 * denoising.ts; of holes the network is also told where they are.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { NdArrays } from '../base/ndarray.ts';
import type { BatchFunction, Tensors } from '../engine/engine.ts';
import type { RestorationModel } from '../jobspec/restoration-model.ts';
import { corrupt, corruptionNoise } from './denoising.ts';
import { parameter } from './layers.ts';
import type { Objective } from './objective.ts';
import type { Parameters } from './parameters.ts';

export type RestorationOptions = Pick<RestorationModel, 'corruption' | 'stride' | 'maps' | 'blocks'> & {
  /** of the pictures */
  readonly channels: number;
};

export class RestorationNetwork {
  readonly options: RestorationOptions;
  readonly parameters: Parameters;
  /** values of a square of pixels */
  readonly values: number;
  /** values of its mask; 0 where the network is not told of holes */
  readonly masked: number;

  constructor(options: RestorationOptions) {
    const { channels, stride, maps, blocks, corruption } = options;
    this.options = options;
    this.values = channels * stride ** 2;
    this.masked = corruption.type === 'hole' ? stride ** 2 : 0;
    const convolution = (name: string, from: number, to: number, isZero = false): Parameters => ({
      [`${name}/weight`]: {
        shape: [3, 3, from, to],
        init: isZero ? { type: 'zeros' } : { type: 'he-normal', fanIn: 9 * from },
      },
      [`${name}/bias`]: { shape: [to], init: { type: 'zeros' } },
    });
    // A block begins as nothing, so that depth does not hold up the first steps.
    const body = Array.from({ length: blocks }, (_, i) => ({
      ...convolution(`${i}/first`, maps, maps),
      ...convolution(`${i}/second`, maps, maps, true),
    }));
    this.parameters = Object.assign(
      convolution('stem', this.values + this.masked, maps),
      ...body,
      convolution('out', maps, this.values, true),
    );
  }

  /** Squares around each square that it looks at. */
  get margin(): number {
    return 2 + 2 * this.options.blocks;
  }

  /** Multiply-adds of a square of pixels. */
  get cost(): number {
    const { maps, blocks } = this.options;
    return 9 * maps * (2 * this.values + this.masked + 2 * blocks * maps);
  }

  /** Corrupted values in [0, 1] [batch, h, w, values], mask [batch, h, w, masked] or none → restored values. */
  apply(p: Tensors, x: tf.Tensor4D, keep: tf.Tensor4D | undefined): tf.Tensor4D {
    const layer = (name: string, input: tf.Tensor4D): tf.Tensor4D =>
      tf.add(
        tf.conv2d(input, parameter<tf.Tensor4D>(p, `${name}/weight`), 1, 'same'),
        parameter(p, `${name}/bias`),
      ) as tf.Tensor4D;
    const centred = tf.sub(x, 0.5) as tf.Tensor4D;
    const seen = keep ? (tf.concat([centred, tf.sub(1, keep)], 3) as tf.Tensor4D) : centred;
    let h = tf.relu(layer('stem', seen)) as tf.Tensor4D;
    for (let i = 0; i < this.options.blocks; i++) {
      h = tf.add(h, layer(`${i}/second`, tf.relu(layer(`${i}/first`, h)) as tf.Tensor4D)) as tf.Tensor4D;
    }
    return tf.add(x, layer('out', h)) as tf.Tensor4D;
  }

  /** One value of the mask for each value of the pictures: [batch, h, w, masked] → [batch, h, w, values]. */
  spread(keep: tf.Tensor4D): tf.Tensor4D {
    const { channels } = this.options;
    const kernel = new Float32Array(this.masked * this.values);
    for (let i = 0; i < this.values; i++) kernel[Math.floor(i / channels) * this.values + i] = 1;
    return tf.conv2d(keep, tf.tensor4d(kernel, [1, 1, this.masked, this.values]), 1, 'valid');
  }
}

/** Values that training is fed for each crop: the squares of the picture, then those of its mask where there are holes. */
export const restorationRowSize = (network: RestorationNetwork, side: number): number =>
  side ** 2 * (network.values + network.masked);

/** Mean squared error of values in [0, 1]; of holes that of what is inside of them. `side`: squares of a crop. */
export function restorationObjective(network: RestorationNetwork, side: number): Objective {
  const { corruption } = network.options;
  const [values, masked] = [side ** 2 * network.values, side ** 2 * network.masked];
  const shape = [side, side, network.values];
  const noise = corruption.type === 'hole' ? undefined : corruptionNoise(corruption, shape);
  const errors = (p: Tensors, feeds: Tensors): tf.Tensor1D => {
    const x = parameter<tf.Tensor2D>(feeds, 'x');
    const batch = x.shape[0];
    const clean = tf.reshape(tf.slice(x, [0, 0], [batch, values]), [batch, side, side, network.values]) as tf.Tensor4D;
    if (noise) {
      const given = corrupt(clean, parameter(feeds, 'noise'), corruption, [0, 1]) as tf.Tensor4D;
      return tf.mean(tf.square(tf.sub(network.apply(p, given, undefined), clean)), [1, 2, 3]);
    }
    const rows = tf.slice(x, [0, values], [batch, masked]);
    const keep = tf.reshape(rows, [batch, side, side, network.masked]) as tf.Tensor4D;
    const whole = network.spread(keep);
    const given = corrupt(clean, whole, corruption, [0, 1]) as tf.Tensor4D;
    const inside = tf.mul(tf.square(tf.sub(network.apply(p, given, keep), clean)), tf.sub(1, whole));
    return tf.div(tf.sum(inside, [1, 2, 3]), tf.add(tf.sum(tf.sub(1, whole), [1, 2, 3]), 1e-6));
  };
  return {
    feeds: { x: { from: 'rows' }, ...(noise && { noise }) },
    loss: (p, feeds) => ({ loss: tf.mean(errors(p, feeds)) as tf.Scalar }),
    heldOut: (p, feeds) => ({ loss: errors(p, feeds) }),
  };
}

/** x [batch, h, w, values + masked]: corrupted values in [0, 1] and the mask → y [batch, h, w, values], not clipped. */
export const restorationFunction = (network: RestorationNetwork, weights: NdArrays): BatchFunction => ({
  name: 'restorer',
  inputs: { x: { dtype: 'float32', shape: [1, 1, network.values + network.masked] } },
  weights,
  call(inputs, p) {
    const x = parameter<tf.Tensor4D>(inputs, 'x');
    if (network.masked === 0) return { y: network.apply(p, x, undefined) };
    const [batch, height, width] = x.shape;
    const values = tf.slice(x, [0, 0, 0, 0], [batch, height, width, network.values]);
    const keep = tf.slice(x, [0, 0, 0, network.values], [batch, height, width, network.masked]);
    const given = corrupt(values, network.spread(keep), network.options.corruption, [0, 1]) as tf.Tensor4D;
    return { y: network.apply(p, given, keep) };
  },
});
