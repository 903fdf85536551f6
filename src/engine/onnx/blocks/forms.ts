/**
 * Convolutions and their gradients in ONNX Runtime's blocked layout (NCHWc): [batch, channels / block, height, width, block],
 * with channels filled up with zeros. Its kernels for that layout are several times faster than those that copy images to columns;
 * its graph optimizer chooses them only for filters that are constants, which those of a training step are not.
 *
 * ONNX has no such layout: a blocked image has the shape [batch, channels, height, width] and says nothing about its order.
 */

import { sizeOf } from '../../../base/ndarray.ts';
import type { Attributes, Graph, Value } from '../graph.ts';
import { concat, gather, pad, reduce, reshape, slice, transpose } from '../nodes.ts';
import { type Info, paddingOf } from '../ops/geometry.ts';

/** ONNX Runtime's domain of operators on blocked images. */
const domain = 'com.microsoft.nchwc';

/** An image of `channels` channels in the blocked layout. */
export interface Blocked {
  /** [batch, channels filled up to whole blocks, height, width] */
  readonly value: Value;
  readonly channels: number;
}

type Image = [batch: number, channels: number, height: number, width: number];

const filled = (channels: number, block: number): number => Math.ceil(channels / block) * block;

/** An operator on a blocked image that keeps its channels; sizes of the result in pixels. */
export function onBlocks(
  g: Graph,
  op: 'MaxPool' | 'AveragePool' | 'Upsample',
  { value, channels }: Blocked,
  [height, width]: readonly [number, number],
  attributes: Attributes,
): Blocked {
  const [batch, wide] = value.shape as Image;
  const shape = [batch, wide, height, width];
  return { value: g.node(op, [value], { type: 'float32', shape }, attributes, domain), channels };
}

/** ONNX Runtime reorders images of a multiple of so many channels. */
const reorderedChannels = 4;

/** An NCHW image in blocks. */
export function toBlocks(g: Graph, image: Value, block: number): Blocked {
  const [batch, channels, height, width] = image.shape as Image;
  const missing = filled(channels, reorderedChannels) - channels;
  const x = pad(g, image, [0, 0, 0, 0], [0, missing, 0, 0]);
  const shape = [batch, filled(channels, block), height, width];
  return { value: g.node('ReorderInput', [x], { type: 'float32', shape }, {}, domain), channels };
}

export function toChannelsFirst(g: Graph, { value, channels }: Blocked): Value {
  const [batch, , height, width] = value.shape as Image;
  const shape = [batch, channels, height, width];
  return g.node('ReorderOutput', [value], { type: 'float32', shape }, { channels }, domain);
}

export function toChannelsLast(g: Graph, { value, channels }: Blocked, block: number): Value {
  const [batch, , height, width] = value.shape as Image;
  const shape = [batch, height, width, channels];
  if (channels === block) return reshape(g, value, shape);
  return g.node('ReorderOutput', [value], { type: 'float32', shape }, { channels, channels_last: 1 }, domain);
}

/** Elements of a flat array at constant places; −1 stands for a zero. */
function arranged(g: Graph, flat: Value, places: readonly number[], shape: readonly number[]): Value {
  const size = sizeOf(flat.shape);
  if (places.length === size && places.every((place, i) => place === i)) return reshape(g, flat, shape);
  const vector = reshape(g, flat, [size]);
  const isFilled = places.includes(-1);
  const source = isFilled ? concat(g, [vector, g.constant('float32', [1], [0])], 0) : vector;
  const index = g.constant(
    'int64',
    [places.length],
    isFilled ? places.map((place) => (place < 0 ? size : place)) : places,
  );
  return reshape(g, gather(g, source, index, 0), shape);
}

/** A vector over channels, filled up with zeros. */
const filledVector = (g: Graph, vector: Value, length: number): Value =>
  pad(g, vector, [0], [length - vector.shape[0]!]);

interface FilterOptions {
  readonly block: number;
  /** for the gradient by the input: turned by 180 degrees, inputs and outputs exchanged */
  readonly back: boolean;
  /** the image that it meets is in blocks, not NCHW */
  readonly blockedInput: boolean;
}

/** A filter HWIO in the order in which the blocked convolution reads it: OIHW of blocks, each [inputs, outputs]. */
export function blockedFilter(g: Graph, filter: Value, { block, back, blockedInput }: FilterOptions): Value {
  const [height, width, from, to] = filter.shape as Image;
  const [inputs, outputs] = back ? [to, from] : [from, to];
  const [wide, tall] = [blockedInput ? filled(inputs, block) : inputs, filled(outputs, block)];
  const inner = blockedInput ? block : 1;
  const places: number[] = [];
  for (let o = 0; o < tall; o += block) {
    for (let i = 0; i < wide; i += inner) {
      for (let at = 0; at < height * width; at++) {
        for (let input = i; input < i + inner; input++) {
          for (let output = o; output < o + block; output++) {
            const [place, row, column] = back ? [height * width - 1 - at, output, input] : [at, input, output];
            places.push(input < inputs && output < outputs ? (place * from + row) * to + column : -1);
          }
        }
      }
    }
  }
  return arranged(g, filter, places, [tall, wide, height, width]);
}

export interface ConvolutionOptions {
  /** NCHW of few channels, or blocked */
  readonly image: Value | Blocked;
  /** HWIO */
  readonly filter: Value;
  readonly bias?: Value | undefined;
  /** size of the result in pixels */
  readonly size: readonly [height: number, width: number];
  /** strides, dilations, pads, kernel_shape */
  readonly attributes: Attributes;
  readonly back?: boolean;
  readonly rectified?: boolean;
}

export function convolve(
  g: Graph,
  { image, filter, bias, size, attributes, back = false, rectified = false }: ConvolutionOptions,
  block: number,
): Blocked {
  const blockedInput = 'channels' in image;
  const x = blockedInput ? image.value : image;
  const weights = blockedFilter(g, filter, { block, back, blockedInput });
  const channels = filter.shape[back ? 2 : 3]!;
  const shape = [x.shape[0]!, filled(channels, block), ...size];
  const inputs = bias ? [x, weights, filledVector(g, bias, shape[1]!)] : [x, weights];
  const all = rectified ? { ...attributes, activation: 'Relu' } : attributes;
  return { value: g.node('Conv', inputs, { type: 'float32', shape }, all, domain), channels };
}

/** Σ over images and pixels of a blocked image, per channel: the gradient of a bias. */
export function channelSums(g: Graph, { value, channels }: Blocked): Value {
  const [batch, wide, height, width] = value.shape as Image;
  const means = g.node('GlobalAveragePool', [value], { type: 'float32', shape: [batch, wide, 1, 1] }, {}, domain);
  const sums = reduce(g, 'ReduceSum', reshape(g, means, [batch, wide]), [0]);
  const scaled = g.node('Mul', [sums, g.scalar('float32', height * width)], { type: 'float32', shape: [wide] });
  return slice(g, scaled, [0], [channels]);
}

/** The same of an image with the images of a block inside (imagesInside). */
export function channelSumsInside(g: Graph, image: Value, channels: number, block: number): Value {
  const [many, , height, width] = image.shape as Image;
  const rows = (many / block) * height;
  // a row of pixels of a block of images counts as a picture of its own
  const value = reshape(g, image, [rows, block, width * block, 1]);
  const means = g.node('GlobalAveragePool', [value], { type: 'float32', shape: [rows, block, 1, 1] }, {}, domain);
  const wide = filled(channels, block);
  const parts = reshape(g, means, [many / wide, wide / block, height, block]);
  const sums = reshape(g, reduce(g, 'ReduceSum', parts, [0, 2]), [wide]);
  const scaled = g.node('Mul', [sums, g.scalar('float32', width * block)], { type: 'float32', shape: [wide] });
  return slice(g, scaled, [0], [channels]);
}

/** An image of a filter gradient in the two layouts in which it may be read. */
export interface GradientSide {
  readonly channels: number;
  /** NHWC */
  readonly last: () => Value;
  readonly inside: () => Value;
}

/**
 * Whether the filter gradient should read x, not dy, as the filter of the convolution that computes it: that side is filled up to whole
 * blocks, the other is not. Undefined where neither is possible.
 */
export function filterSide(info: Info, block: number): 'x' | 'dy' {
  const { inChannels, outChannels } = info;
  const turnable = paddingOf(info).every((padding, i) => padding <= (i % 2 ? info.filterWidth : info.filterHeight) - 1);
  const cost = { dy: inChannels * filled(outChannels, block), x: outChannels * filled(inChannels, block) };
  return turnable && cost.x < cost.dy ? 'x' : 'dy';
}

/**
 * Gradient by the filter, HWIO, of stride 1, for a batch of whole blocks. Images of the batch become channels:
 *
 *   dW[k, i, o] = Σ over blocks of images Σ over positions p and images n of a block   x[n, p + k, i] dy[n, p, o]
 *
 * One side is read as a filter as large as an image, [outputs, images, height, width]; the other as a single picture whose columns
 * are pixels times channels, which the filter, dilated by the number of channels, meets at three times three places. Blocks of
 * images are groups of the convolution, added up afterwards: so there is work for every thread, and the order of the sum is fixed.
 */
export function filterGradient(g: Graph, x: GradientSide, dy: GradientSide, info: Info, block: number): Value {
  const { batchSize, filterHeight, filterWidth, inChannels, outChannels } = info;
  const [top, left, bottom, right] = paddingOf(info);
  const turned = filterSide(info, block) === 'x';
  const [filterOf, imageOf] = turned ? [x, dy] : [dy, x];
  const pads = turned
    ? [filterHeight - 1 - top, filterWidth - 1 - left, filterHeight - 1 - bottom, filterWidth - 1 - right]
    : [top, left, bottom, right];
  const groups = batchSize / block;
  const weights = filterOf.inside();
  const kernel = weights.shape.slice(2);
  const wide = filled(filterOf.channels, block);
  const picture = widened(g, imageOf.last(), pads, block);
  const { channels } = imageOf;
  const shape = [1, groups * wide, filterHeight, filterWidth * channels];
  const attributes = { kernel_shape: kernel, dilations: [1, channels], group: groups };
  const products = g.node('Conv', [picture, weights], { type: 'float32', shape }, attributes, domain);
  const size = sizeOf(shape) / groups;
  const total = groups === 1 ? products : reduce(g, 'ReduceSum', reshape(g, products, [groups, size]), [0]);
  // [blocks of the filter's side, height, width, channels of the picture, block] → HWIO
  const places: number[] = [];
  for (let at = 0; at < filterHeight * filterWidth; at++) {
    const place = turned ? filterHeight * filterWidth - 1 - at : at;
    for (let i = 0; i < inChannels; i++) {
      for (let o = 0; o < outChannels; o++) {
        const [inFilter, inPicture] = turned ? [i, o] : [o, i];
        const outer = Math.floor(inFilter / block) * filterHeight * filterWidth + place;
        places.push((outer * channels + inPicture) * block + (inFilter % block));
      }
    }
  }
  return arranged(g, total, places, [filterHeight, filterWidth, inChannels, outChannels]);
}

/**
 * A blocked image in the order [blocks of images, blocks of channels, pixels, images of the block, channels of the block]: read as a
 * filter as large as an image, with images as inputs. The shape says [blocks of images times channels, block, height, width].
 */
export function imagesInside(g: Graph, { value }: Blocked, block: number): Value {
  const shape = insideShape(value.shape, block);
  const [batch, wide, height, width] = value.shape as Image;
  const [blocks, pixels] = [wide / block, height * width];
  const inside =
    blocks === 1
      ? transpose(g, reshape(g, value, [batch / block, block, pixels, block]), [0, 2, 1, 3])
      : transpose(g, reshape(g, value, [batch / block, block, blocks, pixels, block]), [0, 2, 3, 1, 4]);
  return reshape(g, inside, shape);
}

export function insideShape(shape: readonly number[], block: number): readonly number[] {
  const [batch, wide, height, width] = shape as Image;
  return [(batch / block) * wide, block, height, width];
}

/** NHWC → a blocked image of one picture whose channels are the images, with columns of pixels times channels, padded with zeros. */
function widened(g: Graph, image: Value, pads: readonly number[], block: number): Value {
  const [batch, height, width, channels] = image.shape as Image;
  const [top, left, bottom, right] = pads as [number, number, number, number];
  const groups = batch / block;
  const pixel = channels * block;
  const inside = transpose(g, reshape(g, image, [groups, block, height * width * channels]), [0, 2, 1]);
  const rows = reshape(g, inside, [groups, height, width * pixel]);
  const padded = pad(g, rows, [0, top, left * pixel], [0, bottom, right * pixel]);
  return reshape(g, padded, [1, batch, height + top + bottom, (width + left + right) * channels]);
}
