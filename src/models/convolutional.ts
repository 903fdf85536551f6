/**
 * Convolutional autoencoder: each level convolves and halves the picture, the decoder doubles and convolves back.
 *
 *   28×28×1 ─ conv, pool ─► 14×14×16 ─ conv, pool ─► 7×7×32 ─ dense ─► z
 *   28×28×1 ◄─ unpool, conv ─ 14×14×16 ◄─ unpool, conv ─ 7×7×32 ◄─ dense ─┘
 *
 *   Φₖ(X) = φ(norm(pool(X ∗ Wₖ + bₖ)))        the decoder inverts each part, the pooling approximately: see pooling.ts
 *
 * Without the dense layers the last maps are the code. With recorded switches the places of the largest values, level by
 * level, follow the maps in the code. Masci, Meier, Cireşan & Schmidhuber 2011; Zeiler & Fergus 2014 (switches).
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../base/ndarray.ts';
import type { Activation, ModelOf } from '../jobspec/model.ts';
import { activate } from './activations.ts';
import type { Autoencoder, Level } from './autoencoder.ts';
import { decoderLevel, encoderLevel, type MapShape, type Unpooling } from './convolution-level.ts';
import { dense, parametersOf, statisticsOf } from './layers.ts';

export type ConvolutionalOptions = Omit<ModelOf<'convolutional'>, 'type'>;

/** Everything that encoder, decoder and levels are made of. */
interface Anatomy {
  readonly options: ConvolutionalOptions;
  /** of the input and of each level's output */
  readonly shapes: readonly MapShape[];
  readonly count: number;
  readonly isMap: boolean;
  readonly hasSwitches: boolean;
}

export function convolutionalAutoencoder(options: ConvolutionalOptions, inputShape: Shape): Autoencoder {
  const { code, channels, activation, codeActivation, outputActivation } = options;
  const shapes = mapShapes(channels, inputShape);
  const anatomy: Anatomy = {
    options,
    shapes,
    count: channels.length,
    isMap: code === 'map',
    hasSwitches: options.unpooling === 'switches',
  };
  const bottom = shapeAt(anatomy, channels.length);
  const size = sizeOf(bottom);
  const encoder = channels.map((_, i) => upwards(anatomy, i));
  const decoder = channels.map((_, i) => downwards(anatomy, i, options.unpooling));
  const toCode =
    code === 'map' ? [] : [dense('encoder/code', { inputs: size, units: code, activation: codeActivation })];
  const fromCode = code === 'map' ? [] : [dense('decoder/code', { inputs: code, units: size, activation })];
  const parts = [...encoder, ...toCode, ...fromCode, ...decoder];

  return {
    inputShape,
    codeShape: codeShapeOf(anatomy),
    parameters: parametersOf(parts),
    statistics: statisticsOf(parts),
    noise: Object.assign({}, ...decoder.map(({ noise }) => noise)),
    outputActivation,
    cost: channels.reduce((sum, _, i) => sum + 2 * levelCost(anatomy, i), 0),
    encode(p, x, pass) {
      const outputs: tf.Tensor[] = [];
      const switches: tf.Tensor[] = [];
      for (const level of encoder) {
        const { output, places } = level.apply(p, outputs.at(-1) ?? x, pass);
        outputs.push(output);
        if (places) switches.push(flat(places));
      }
      const maps = flat(outputs.at(-1) ?? x);
      for (const layer of toCode) outputs.push(layer.apply(p, maps, pass));
      if (switches.length > 0) outputs.push(tf.concat([maps, ...switches], 1));
      return outputs;
    },
    decode(p, z, pass) {
      const places = anatomy.hasSwitches ? splitSwitches(z, shapes) : [];
      const maps = anatomy.hasSwitches ? tf.slice(z, [0, 0], [-1, size]) : z;
      let h: tf.Tensor = tf.reshape(
        fromCode.reduce((below, layer) => layer.apply(p, below, pass), maps),
        [-1, ...bottom],
      );
      for (let i = channels.length - 1; i >= 0; i--) {
        const output = decoder[i]?.apply(p, h, pass, places[i]) ?? h;
        h = i === 0 ? output : activate(output, activation);
      }
      return h;
    },
    levels: { levels: channels.map((_, i) => levelOf(anatomy, i)), unroll: [] },
  };
}

const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [x.shape[0] ?? 0, -1]);

function mapShapes(channels: readonly number[], inputShape: Shape): MapShape[] {
  const [height = 0, width = 0, depth = 0] = inputShape;
  return [
    [height, width, depth],
    ...channels.map((count, i): MapShape => [height / 2 ** (i + 1), width / 2 ** (i + 1), count]),
  ];
}

const shapeAt = ({ shapes }: Anatomy, i: number): MapShape => shapes[i] ?? [0, 0, 0];

function codeShapeOf(anatomy: Anatomy): Shape {
  const { options, shapes, count, hasSwitches } = anatomy;
  if (options.code !== 'map') return [options.code];
  const bottom = shapeAt(anatomy, count);
  if (!hasSwitches) return bottom;
  return [shapes.slice(1).reduce((sum, shape) => sum + sizeOf(shape), sizeOf(bottom))];
}

/** The places of each level's largest values, which follow the maps in the code. */
function splitSwitches(z: tf.Tensor, shapes: readonly MapShape[]): tf.Tensor[] {
  let at = sizeOf(shapes.at(-1) ?? []);
  return shapes.slice(1).map((shape) => {
    const part = tf.slice(z, [0, at], [-1, sizeOf(shape)]);
    at += sizeOf(shape);
    return tf.reshape(part, [-1, ...shape]);
  });
}

function activationAt({ options, count, isMap }: Anatomy, i: number): Activation {
  return isMap && i === count - 1 ? options.codeActivation : options.activation;
}

const upwards = (anatomy: Anatomy, i: number) =>
  encoderLevel({
    name: `encoder/${i}`,
    kernel: anatomy.options.kernel,
    from: shapeAt(anatomy, i),
    to: shapeAt(anatomy, i + 1),
    normalise: anatomy.options.batchNorm,
    activation: activationAt(anatomy, i),
    pooling: anatomy.options.pooling,
    recordSwitches: anatomy.hasSwitches,
  });

/** Undoes level i of the encoder; names count from the code outwards. */
const downwards = (anatomy: Anatomy, i: number, unpooling: Unpooling) =>
  decoderLevel({
    name: `decoder/${anatomy.count - 1 - i}`,
    kernel: anatomy.options.kernel,
    from: shapeAt(anatomy, i + 1),
    to: shapeAt(anatomy, i),
    normalise: anatomy.options.batchNorm && i > 0,
    activation: i === 0 ? anatomy.options.outputActivation : anatomy.options.activation,
    unpooling,
  });

/** Of the convolution upwards; downwards it is as much again. */
function levelCost(anatomy: Anatomy, i: number): number {
  const { kernel } = anatomy.options;
  const [height, width, depth] = shapeAt(anatomy, i);
  return kernel * kernel * height * width * depth * shapeAt(anatomy, i + 1)[2];
}

/** A level on its own has no code to keep switches in: it spreads evenly. */
function levelOf(anatomy: Anatomy, i: number): Level {
  const { options } = anatomy;
  const up = upwards(anatomy, i);
  const down = downwards(anatomy, i, anatomy.hasSwitches ? 'even' : options.unpooling);
  return {
    inputShape: shapeAt(anatomy, i),
    inputActivation: i === 0 ? undefined : options.activation,
    noise: down.noise,
    cost: 2 * levelCost(anatomy, i),
    parameters: { ...up.parameters, ...down.parameters },
    statistics: { ...up.statistics, ...down.statistics },
    loss: i === 0 ? options : { loss: 'mse', outputActivation: options.activation },
    encode: (p, h, pass) => up.apply(p, h, pass).output,
    decode: (p, z, pass) => down.apply(p, z, pass),
  };
}
