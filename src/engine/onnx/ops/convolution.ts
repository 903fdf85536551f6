/**
 * Convolutions and their two gradients. tfjs images are NHWC by default, ONNX's are NCHW: each Conv is written between
 * transposes, which ONNX Runtime's transpose optimizer moves out of the way.
 */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import { constantData, type Graph, type Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import {
  add,
  cast,
  concat,
  expand,
  gemm,
  matMul,
  mul,
  pad,
  reshape,
  reverse,
  slice,
  transpose,
  turnedImage,
} from '../nodes.ts';
import { recordConvolution } from './convolution-record.ts';
import { activate } from './elementwise.ts';
import {
  channelsFirst,
  convolutionInfo,
  type Format,
  type Info,
  inFormat,
  paddingOf,
  toChannelsFirst,
  toChannelsLast,
  windows,
} from './geometry.ts';
import { sum } from './reduction.ts';
import { sweepAttributes, sweepOf, turnedSweep } from './sweep.ts';

/** A filter in ONNX's order [outputs, inputs per group, height, width]. */
interface Filter {
  readonly weight: Value;
  readonly group: number;
  /** a constant, as in a model that is served, not what a step trains */
  readonly fixed: boolean;
  /** as tfjs gave it, HWIO; not for depthwise convolutions */
  readonly original?: Value;
}

const isFixed = (filter: Value): boolean => constantData(filter) !== undefined;

/** HWIO, the filter of a convolution. */
const dense = (g: Graph, filter: Value): Filter => ({
  weight: transpose(g, cast(g, filter, 'float32'), [3, 2, 0, 1]),
  group: 1,
  fixed: isFixed(filter),
  original: cast(g, filter, 'float32'),
});

/** [height, width, inputs, multiplier], the filter of a depthwise convolution. */
function depthwise(g: Graph, filter: Value): Filter {
  const [height, width, inputs, multiplier] = filter.shape as [number, number, number, number];
  const weight = transpose(g, cast(g, filter, 'float32'), [2, 3, 0, 1]);
  return {
    weight: reshape(g, weight, [inputs * multiplier, 1, height, width]),
    group: inputs,
    fixed: isFixed(filter),
  };
}

/** [outputs, inputs, height, width] → [inputs, outputs, height, width] turned by 180 degrees, or the same of one per group. */
const turnedWeight = (g: Graph, { weight, group }: Filter): Value =>
  reverse(g, group === 1 ? transpose(g, weight, [1, 0, 2, 3]) : weight, [2, 3]);

/**
 * Conv copies what each output sees, ConvTranspose what each input sends: with few outputs (grey or colour pictures) the
 * latter is several times faster, with up to 8 from twice as many inputs a third. Constant filters, though, are convolved in
 * blocks of 8 or 16 channels.
 */
const sendsLess = (inputs: number, outputs: number, { fixed }: Filter): boolean =>
  outputs <= 3 ? inputs >= 4 * outputs : !fixed && outputs <= 8 && inputs >= 2 * outputs;

/** A convolution, NCHW → NCHW. */
function convolve(g: Graph, image: Value, filter: Filter, info: Info, bias?: Value): Value {
  const x = cast(g, image, 'float32');
  const output = {
    type: 'float32',
    shape: [info.batchSize, info.outChannels, info.outHeight, info.outWidth],
  } as const;
  const vector = bias ? [bias] : [];
  const sweep = sweepOf(info);
  const back = turnedSweep(sweep);
  const sends = back && filter.group === 1 && sendsLess(info.inChannels, info.outChannels, filter);
  const y = sends
    ? g.node('ConvTranspose', [x, turnedWeight(g, filter), ...vector], output, sweepAttributes(back, 1))
    : g.node('Conv', [x, filter.weight, ...vector], output, sweepAttributes(sweep, filter.group));
  const { original } = filter;
  if (original) recordConvolution(y, { kind: 'forward', image: x, filter: original, info, ...(bias && { bias }) });
  return y;
}

/**
 * Gradient by the input, NCHW → NCHW. With stride 1 it is a convolution with the turned filter, which ONNX Runtime runs
 * faster than ConvTranspose.
 */
function convolveBack(g: Graph, given: Value, filter: Filter, info: Info): Value {
  const { weight, group } = filter;
  const output = { type: 'float32', shape: [info.batchSize, info.inChannels, info.inHeight, info.inWidth] } as const;
  // tfjs allows a gradient larger than the output and reads its first rows
  const dy = slice(g, given, [0, 0, 0, 0], [info.batchSize, info.outChannels, info.outHeight, info.outWidth]);
  const multiplier = info.outChannels / group;
  if (group > 1 && multiplier > 1) {
    // one output of each channel at a time: ONNX Runtime's WebGPU mistakes a group with several
    const shape = [info.batchSize, group, multiplier, info.outHeight, info.outWidth];
    const window = weight.shape.slice(1);
    const parts = Array.from({ length: multiplier }, (_, m) => {
      const part = slice(g, reshape(g, dy, shape), [0, 0, m, 0, 0], shape.with(2, 1));
      const weights = slice(
        g,
        reshape(g, weight, [group, multiplier, ...window]),
        [0, m, 0, 0, 0],
        [group, 1, ...window],
      );
      const own = { ...filter, weight: reshape(g, weights, [group, ...window]) };
      return convolveBack(g, reshape(g, part, shape.toSpliced(2, 1)), own, { ...info, outChannels: group });
    });
    return parts.reduce((total, part) => add(g, total, part));
  }
  const { original } = filter;
  const recorded = (dx: Value) =>
    original ? recordConvolution(dx, { kind: 'input', image: dy, filter: original, info }) : dx;
  const sweep = sweepOf(info);
  const back = turnedSweep(sweep);
  const single = group === 1 || group === info.outChannels;
  if (back && single && !(group === 1 && sendsLess(info.outChannels, info.inChannels, filter))) {
    return recorded(g.node('Conv', [dy, turnedWeight(g, filter)], output, sweepAttributes(back, group)));
  }
  const [top, left, bottom, right] = sweep.pads;
  const { effectiveFilterHeight: height, effectiveFilterWidth: width } = info;
  const attributes = {
    ...sweepAttributes(sweep, group),
    output_padding: [
      info.inHeight + top + bottom - (info.outHeight - 1) * info.strideHeight - height,
      info.inWidth + left + right - (info.outWidth - 1) * info.strideWidth - width,
    ],
  };
  return recorded(g.node('ConvTranspose', [dy, weight], output, attributes));
}

/** What each input row meets: NCHW slices of the output's gradient, one per place in the filter. Stride 1 only. */
function gradientWindows(g: Graph, dy: Value, info: Info): Value[] {
  const [top, left] = paddingOf(info);
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels } = info;
  // an input row meets the filter's row i in the output row: input row + top − i · dilation
  const above = Math.max(0, info.effectiveFilterHeight - 1 - top);
  const before = Math.max(0, info.effectiveFilterWidth - 1 - left);
  const below = Math.max(0, inHeight + top - outHeight);
  const after = Math.max(0, inWidth + left - outWidth);
  const padded = pad(g, dy, [0, 0, above, before], [0, 0, below, after]);
  return placesOf(info).map(([i, j]) =>
    slice(g, padded, [0, 0, top - i + above, left - j + before], [batchSize, outChannels, inHeight, inWidth]),
  );
}

/** What each output sees: NCHW slices of the input, one per place in the filter. */
function inputWindows(g: Graph, x: Value, info: Info): Value[] {
  const [top, left, bottom, right] = paddingOf(info);
  const padded = pad(g, x, [0, 0, top, left], [0, 0, bottom, right]);
  const size = [info.batchSize, info.inChannels, info.outHeight, info.outWidth];
  const steps = [1, 1, info.strideHeight, info.strideWidth];
  return placesOf(info).map(([i, j]) => slice(g, padded, [0, 0, i, j], size, steps));
}

/** Row and column of each place in the filter, dilation included. */
const placesOf = (info: Info): [number, number][] =>
  Array.from({ length: info.filterHeight * info.filterWidth }, (_, k) => [
    Math.floor(k / info.filterWidth) * info.dilationHeight,
    (k % info.filterWidth) * info.dilationWidth,
  ]);

/** Up to this many products per image, a product per image and a sum of them is faster than one product over all. */
const smallProduct = 4096;

/**
 * Σ over images and positions p of a[n, ·, p] b[n, p, ·]: NCHW and NHWC → [channels of a, channels of b]. An NHWC image that was
 * turned is read as it was.
 */
function positionsProduct(g: Graph, a: Value, b: Value): Value {
  const [batch, rows] = a.shape as [number, number];
  const columns = b.shape.at(-1)!;
  const positions = sizeOf(a.shape.slice(2));
  const turned = turnedImage(b);
  if (rows * columns <= smallProduct) {
    const right = turned
      ? transpose(g, reshape(g, turned, [batch, columns, positions]), [0, 2, 1])
      : reshape(g, b, [batch, positions, columns]);
    return sum(g, matMul(g, reshape(g, a, [batch, rows, positions]), right), [0]);
  }
  const long = (x: Value, channels: number) =>
    reshape(g, transpose(g, reshape(g, x, [batch, channels, positions]), [1, 0, 2]), [channels, batch * positions]);
  if (turned) return gemm(g, long(a, rows), long(turned, columns), { transB: true });
  return gemm(g, long(a, rows), reshape(g, b, [batch * positions, columns]));
}

/** Whether the filter is a whole number of strides high and wide, as those that cut an image into (overlapping) squares are. */
const isWholeStrides = (info: Info): boolean =>
  info.strideHeight * info.strideWidth > 1 &&
  info.dilationHeight * info.dilationWidth === 1 &&
  info.filterHeight % info.strideHeight === 0 &&
  info.filterWidth % info.strideWidth === 0;

/**
 * The same for filters of whole strides: each square of stride × stride pixels becomes one pixel with their channels, and the filter
 * one of stride 1 with a few places. A filter of 16×16 and stride 8 has 4 of them; otherwise it would take 256 strided slices.
 */
function stridedFilterGradient(g: Graph, x: Value, dy: Value, info: Info): Value {
  const { batchSize, outHeight, outWidth, inChannels, outChannels, strideHeight, strideWidth } = info;
  const [tall, wide] = [info.filterHeight / strideHeight, info.filterWidth / strideWidth];
  const [rows, columns] = [outHeight + tall - 1, outWidth + wide - 1];
  const [top, left, bottom, right] = paddingOf(info);
  const padded = pad(g, x, [0, top, left, 0], [0, bottom, right, 0]);
  const whole = slice(g, padded, [0, 0, 0, 0], [batchSize, rows * strideHeight, columns * strideWidth, inChannels]);
  const apart = reshape(g, whole, [batchSize, rows, strideHeight, columns, strideWidth * inChannels]);
  const depth = strideHeight * strideWidth * inChannels;
  const squares = reshape(g, transpose(g, apart, [0, 1, 3, 2, 4]), [batchSize, rows, columns, depth]);
  const seen = Array.from({ length: tall * wide }, (_, k) =>
    slice(g, squares, [0, Math.floor(k / wide), k % wide, 0], [batchSize, outHeight, outWidth, depth]),
  );
  const positions = batchSize * outHeight * outWidth;
  const stacked = reshape(g, concat(g, seen, 3), [positions, tall * wide * depth]);
  const product = gemm(g, stacked, reshape(g, dy, [positions, outChannels]), { transA: true });
  const places = reshape(g, product, [tall, wide, strideHeight, strideWidth, inChannels, outChannels]);
  return reshape(g, transpose(g, places, [0, 2, 1, 3, 4, 5]), [
    info.filterHeight,
    info.filterWidth,
    inChannels,
    outChannels,
  ]);
}

/**
 * Gradient by the filter (HWIO), of NHWC values: a product over all positions of what meets there. Stacking shifted copies
 * is what costs, so the side with fewer channels is stacked (the gradient's side only for stride 1).
 */
function filterGradient(g: Graph, x: Value, dy: Value, info: Info): Value {
  const { filterHeight, filterWidth, inChannels, outChannels } = info;
  if (isWholeStrides(info)) return stridedFilterGradient(g, x, dy, info);
  if (info.strideHeight === 1 && info.strideWidth === 1 && outChannels < inChannels) {
    const stacked = concat(g, gradientWindows(g, toChannelsFirst(g, dy), info), 1);
    const product = positionsProduct(g, stacked, x);
    return transpose(g, reshape(g, product, [filterHeight, filterWidth, outChannels, inChannels]), [0, 1, 3, 2]);
  }
  const stacked = concat(g, inputWindows(g, toChannelsFirst(g, x), info), 1);
  return reshape(g, positionsProduct(g, stacked, dy), [filterHeight, filterWidth, inChannels, outChannels]);
}

lower<tf.Conv2DInputs, tf.Conv2DAttrs>(tf.Conv2D, ({ g, inputs: { x, filter }, attrs }) => {
  const info = convolutionInfo(x.shape, filter.shape, attrs);
  const y = convolve(g, channelsFirst(g, x, attrs.dataFormat), dense(g, filter), info);
  return inFormat(g, y, attrs.dataFormat);
});

lower<tf.DepthwiseConv2dNativeInputs, tf.DepthwiseConv2dNativeAttrs>(
  tf.DepthwiseConv2dNative,
  ({ g, inputs: { x, filter }, attrs }) => {
    const info = convolutionInfo(x.shape, filter.shape, attrs, true);
    const y = convolve(g, channelsFirst(g, x, attrs.dataFormat), depthwise(g, filter), info);
    return inFormat(g, y, attrs.dataFormat);
  },
);

/** A bias or PReLU weights per channel, shaped to meet an image of the data format. */
function perChannel(g: Graph, vector: Value, format: Format): Value {
  return format === 'NCHW' && vector.shape.length === 1 ? reshape(g, vector, [...vector.shape, 1, 1]) : vector;
}

function fused(form: (g: Graph, filter: Value) => Filter, isDepthwise: boolean) {
  return ({ g, inputs, attrs }: { g: Graph; inputs: Readonly<Record<string, Value>>; attrs: tf.FusedConv2DAttrs }) => {
    const { x, filter, bias, preluActivationWeights: weights } = inputs as { x: Value; filter: Value } & typeof inputs;
    const info = convolutionInfo(x.shape, filter.shape, attrs, isDepthwise);
    const format = attrs.dataFormat;
    const inside = bias && bias.shape.length <= 1;
    const vector = inside ? expand(g, reshape(g, bias, [bias.shape[0] ?? 1]), [info.outChannels]) : undefined;
    const y = inFormat(g, convolve(g, channelsFirst(g, x, format), form(g, filter), info, vector), format);
    const slopes = weights && perChannel(g, weights, format);
    return activate(g, bias && !inside ? add(g, y, bias) : y, attrs.activation, slopes, attrs.leakyreluAlpha);
  };
}
lower<Record<string, tf.TensorInfo>, tf.FusedConv2DAttrs>(tf.FusedConv2D, fused(dense, false));
lower<Record<string, tf.TensorInfo>, tf.FusedConv2DAttrs>(tf.FusedDepthwiseConv2D, fused(depthwise, true));

lower<tf.Conv2DBackpropInputInputs, tf.Conv2DBackpropInputAttrs>(
  tf.Conv2DBackpropInput,
  ({ g, inputs: { dy, filter }, attrs }) => {
    const info = convolutionInfo(attrs.inputShape, filter.shape, attrs);
    const dx = convolveBack(g, channelsFirst(g, dy, attrs.dataFormat), dense(g, filter), info);
    return inFormat(g, dx, attrs.dataFormat);
  },
);

lower<tf.DepthwiseConv2dNativeBackpropInputInputs, tf.DepthwiseConv2dNativeBackpropInputAttrs>(
  tf.DepthwiseConv2dNativeBackpropInput,
  ({ g, inputs: { dy, filter }, attrs }) => {
    const info = convolutionInfo(attrs.inputShape, filter.shape, attrs, true);
    return toChannelsLast(g, convolveBack(g, channelsFirst(g, dy, 'NHWC'), depthwise(g, filter), info));
  },
);

lower<tf.Conv2DBackpropFilterInputs, tf.Conv2DBackpropFilterAttrs>(
  tf.Conv2DBackpropFilter,
  ({ g, inputs: { x, dy }, attrs }) => {
    const info = convolutionInfo(x.shape, attrs.filterShape, attrs);
    const last = (image: Value) => (attrs.dataFormat === 'NCHW' ? toChannelsLast(g, image) : image);
    const images = { x: last(x), dy: last(dy) };
    return recordConvolution(filterGradient(g, images.x, images.dy, info), { kind: 'filter', ...images, info });
  },
);

lower<tf.DepthwiseConv2dNativeBackpropFilterInputs, tf.DepthwiseConv2dNativeBackpropFilterAttrs>(
  tf.DepthwiseConv2dNativeBackpropFilter,
  ({ g, inputs: { x, dy }, attrs }) => {
    const info = convolutionInfo(x.shape, attrs.filterShape, attrs, true);
    const [, , inputs, multiplier] = attrs.filterShape;
    const places = info.filterHeight * info.filterWidth;
    const positions = [info.batchSize, info.outHeight, info.outWidth];
    const seen = reshape(g, concat(g, windows(g, x, info), 3), [...positions, places, inputs, 1]);
    const products = mul(g, seen, reshape(g, dy, [...positions, 1, inputs, multiplier]));
    return reshape(g, sum(g, products, [0, 1, 2]), attrs.filterShape);
  },
);
