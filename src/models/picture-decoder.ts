/**
 * The decoder of pictures: a linear map of each block's neighbourhood plus a residual network at block resolution, which give what
 * quantising took away. Works on values in steps, so that one model serves all steps; the step itself shifts the units.
 *
 *   y [h, w, K] ─┬──────────────────────────────────────────────► + ─► × step ─► transposed transform ─► pixels of blocks
 *                └─ means less their surroundings ─┬─ 3×3, linear, / 16 ──────────► +
 *                                                  └─ sign·log(1+|·|) ─ 3×3 … 3×3 ─ 1×1 ─► +
 */

import * as tf from '@tensorflow/tfjs-core';
import type { NdArrays } from '../base/ndarray.ts';
import type { BatchFunction, Tensors } from '../engine/engine.ts';
import { parameter } from './layers.ts';
import type { Objective } from './objective.ts';
import type { Parameters } from './parameters.ts';

export interface PictureDecoderOptions {
  /** of the pictures: the first so many coefficients are means */
  readonly channels: number;
  /** of a block */
  readonly coefficients: number;
  /** feature maps of the network */
  readonly maps: number;
  /** 3 × 3 convolutions of the network */
  readonly layers: number;
}

/** Coefficients that the network looks at, and those of the neighbours that the linear map looks at. */
const networkInputs = 64;
const linearInputs = 40;
/**
 * Values in steps reach hundreds where steps are small, so that weights which move by the learning rate would add more noise than the network
 * takes away: weights of the linear map count a sixteenth.
 */
const linearScale = 1 / 16;

export class PictureDecoder {
  readonly options: PictureDecoderOptions;
  readonly parameters: Parameters;
  /** blocks that it needs around each block of its output */
  readonly margin: number;

  constructor(options: PictureDecoderOptions) {
    const { coefficients, maps, layers } = options;
    const inputs = Math.min(networkInputs, coefficients);
    const hidden = Array.from({ length: layers }, (_, i): Parameters => {
      const from = i === 0 ? inputs : maps;
      return {
        [`decoder/${i}/weight`]: { shape: [3, 3, from, maps], init: { type: 'he-normal', fanIn: 9 * from } },
        [`decoder/${i}/bias`]: { shape: [maps], init: { type: 'zeros' } },
        [`decoder/${i}/step`]: { shape: [maps], init: { type: 'zeros' } },
      };
    });
    this.options = options;
    this.margin = layers + 1;
    this.parameters = Object.assign({}, ...hidden, {
      'decoder/linear/weight': {
        shape: [3, 3, Math.min(linearInputs, coefficients), coefficients],
        init: { type: 'zeros' },
      },
      'decoder/out/weight': { shape: [1, 1, maps, coefficients], init: { type: 'zeros' } },
      'decoder/out/bias': { shape: [coefficients], init: { type: 'zeros' } },
    });
  }

  /** Multiply-adds of a block. */
  get cost(): number {
    const { coefficients, maps, layers } = this.options;
    const inputs = Math.min(networkInputs, coefficients);
    const linear = 9 * Math.min(linearInputs, coefficients) * coefficients;
    return linear + 9 * inputs * maps + (layers - 1) * 9 * maps * maps + maps * coefficients;
  }

  /** Values in steps [batch, h, w, K], their step's place [batch] → better values [batch, h − 2 · margin, w − 2 · margin, K]. */
  apply(p: Tensors, y: tf.Tensor4D, place: tf.Tensor1D): tf.Tensor4D {
    const { channels, coefficients, layers } = this.options;
    const { margin } = this;
    const inputs = Math.min(networkInputs, coefficients);
    const shift = tf.reshape(place, [-1, 1, 1, 1]) as tf.Tensor4D;
    const means = tf.conv2d(part(y, 0, channels), surroundings(channels), 1, 'valid');
    const seen = tf.concat([means, crop(part(y, channels, inputs), 1)], 3) as tf.Tensor4D;
    let h = tf.mul(tf.sign(seen), tf.log1p(tf.abs(seen))) as tf.Tensor4D;
    for (let i = 0; i < layers; i++) {
      const units = tf.conv2d(h, parameter<tf.Tensor4D>(p, `decoder/${i}/weight`), 1, 'valid');
      const moved = tf.add(
        units,
        tf.add(parameter(p, `decoder/${i}/bias`), tf.mul(shift, parameter(p, `decoder/${i}/step`))),
      );
      const active = tf.relu(moved) as tf.Tensor4D;
      h = i === 0 ? active : tf.add(active, crop(h, 1));
    }
    const residual = tf.add(
      tf.conv2d(h, parameter<tf.Tensor4D>(p, 'decoder/out/weight'), 1, 'valid'),
      parameter(p, 'decoder/out/bias'),
    );
    const near = crop(part(seen, 0, Math.min(linearInputs, coefficients)), margin - 2);
    const linear = tf.mul(tf.conv2d(near, parameter<tf.Tensor4D>(p, 'decoder/linear/weight'), 1, 'valid'), linearScale);
    return tf.add(crop(y, margin), tf.add(linear, residual));
  }
}

/** Channels [from, to). */
const part = (x: tf.Tensor4D, from: number, to: number): tf.Tensor4D =>
  tf.slice(x, [0, 0, 0, from], [x.shape[0], x.shape[1], x.shape[2], to - from]);

const crop = (x: tf.Tensor4D, margin: number): tf.Tensor4D =>
  tf.slice(x, [0, margin, margin, 0], [x.shape[0], x.shape[1] - 2 * margin, x.shape[2] - 2 * margin, x.shape[3]]);

/** Each channel less the mean of the eight around it. */
function surroundings(channels: number): tf.Tensor4D {
  const kernel = new Float32Array(9 * channels * channels);
  for (let place = 0; place < 9; place++) {
    for (let c = 0; c < channels; c++) kernel[(place * channels + c) * channels + c] = place === 4 ? 1 : -1 / 8;
  }
  return tf.tensor4d(kernel, [3, 3, channels, channels]);
}

/**
 * What training is fed for each crop, one after the other: values in steps with a margin around them, the true values in steps
 * without it, and the step's place.
 */
export interface CropLayout {
  /** blocks of a side without the margin */
  readonly side: number;
  readonly margin: number;
  readonly coefficients: number;
}

export const cropRowSize = ({ side, margin, coefficients }: CropLayout): number =>
  coefficients * ((side + 2 * margin) ** 2 + side ** 2) + 1;

/** Mean squared error in squared steps. */
export function pictureObjective(decoder: PictureDecoder, side: number): Objective {
  const { coefficients } = decoder.options;
  const outer = side + 2 * decoder.margin;
  const [given, wanted] = [coefficients * outer ** 2, coefficients * side ** 2];
  const errors = (p: Tensors, x: tf.Tensor2D): tf.Tensor => {
    const batch = x.shape[0];
    const y = tf.reshape(tf.slice(x, [0, 0], [batch, given]), [batch, outer, outer, coefficients]) as tf.Tensor4D;
    const target = tf.reshape(tf.slice(x, [0, given], [batch, wanted]), [batch, side, side, coefficients]);
    const place = tf.reshape(tf.slice(x, [0, given + wanted], [batch, 1]), [batch]) as tf.Tensor1D;
    return tf.square(tf.sub(decoder.apply(p, y, place), target));
  };
  return {
    feeds: { x: { from: 'rows' } },
    loss: (p, feeds) => ({ loss: tf.mean(errors(p, parameter<tf.Tensor2D>(feeds, 'x'))) as tf.Scalar }),
    heldOut(p, feeds) {
      const squares = errors(p, parameter<tf.Tensor2D>(feeds, 'x'));
      return { loss: tf.mean(squares, [1, 2, 3]) as tf.Tensor1D };
    },
  };
}

/**
 * y [batch, h, w, K] in steps, place [batch] and step [batch] → pixels [batch, h − 2 · margin, w − 2 · margin, K] of each block, row by
 * row, not yet rounded.
 * @param synthesis [K, K]: pixels of each coefficient
 */
export const pictureDecoderFunction = (
  decoder: PictureDecoder,
  weights: NdArrays,
  synthesis: Float32Array,
  offset: number,
): BatchFunction => {
  const { coefficients } = decoder.options;
  const row = (shape: readonly number[]) => ({ dtype: 'float32', shape }) as const;
  return {
    name: 'decoder',
    inputs: { y: row([1, 1, coefficients]), place: row([]), step: row([]) },
    weights: {
      ...weights,
      'decoder/synthesis': { dtype: 'float32', shape: [1, 1, coefficients, coefficients], data: synthesis },
    },
    call(inputs, p) {
      const values = decoder.apply(p, parameter<tf.Tensor4D>(inputs, 'y'), parameter<tf.Tensor1D>(inputs, 'place'));
      const step = tf.reshape(parameter(inputs, 'step'), [-1, 1, 1, 1]);
      const pixels = tf.conv2d(
        tf.mul(values, step) as tf.Tensor4D,
        parameter<tf.Tensor4D>(p, 'decoder/synthesis'),
        1,
        'valid',
      );
      return { pixels: tf.add(pixels, offset) };
    },
  };
};
