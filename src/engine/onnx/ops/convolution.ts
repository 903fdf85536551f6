/**
 * Convolutions and their two gradients. tfjs images are NHWC by default, ONNX's are NCHW: each Conv is written between
 * transposes, which ONNX Runtime's transpose optimizer moves out of the way.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { add, cast, concat, expand, gemm, mul, pad, reshape, reverse, slice, transpose } from '../nodes.ts';
import { activate } from './elementwise.ts';
import {
  channelsFirst,
  convolutionInfo,
  type Format,
  type Info,
  inFormat,
  paddingOf,
  toChannelsLast,
  windows,
} from './geometry.ts';
import { sum } from './reduction.ts';

/** A filter in ONNX's order [outputs, inputs per group, height, width]. */
interface Filter {
  readonly weight: Value;
  readonly group: number;
}

/** HWIO, the filter of a convolution. */
const dense = (g: Graph, filter: Value): Filter => ({
  weight: transpose(g, cast(g, filter, 'float32'), [3, 2, 0, 1]),
  group: 1,
});

/** [height, width, inputs, multiplier], the filter of a depthwise convolution. */
function depthwise(g: Graph, filter: Value): Filter {
  const [height, width, inputs, multiplier] = filter.shape as [number, number, number, number];
  const weight = transpose(g, cast(g, filter, 'float32'), [2, 3, 0, 1]);
  return { weight: reshape(g, weight, [inputs * multiplier, 1, height, width]), group: inputs };
}

/** NCHW → NCHW. */
function convolve(g: Graph, x: Value, { weight, group }: Filter, info: Info, bias?: Value): Value {
  const shape = [info.batchSize, info.outChannels, info.outHeight, info.outWidth];
  return g.node(
    'Conv',
    [cast(g, x, 'float32'), weight, ...(bias ? [bias] : [])],
    { type: 'float32', shape },
    {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      dilations: [info.dilationHeight, info.dilationWidth],
      pads: paddingOf(info),
      ...(group > 1 && { group }),
    },
  );
}

/**
 * Gradient by the input, NCHW → NCHW. With stride 1 it is a convolution with the turned filter, which ONNX Runtime runs
 * faster than ConvTranspose.
 */
function convolveBack(g: Graph, given: Value, { weight, group }: Filter, info: Info): Value {
  const [top, left, bottom, right] = paddingOf(info);
  const { effectiveFilterHeight: height, effectiveFilterWidth: width } = info;
  const output = { type: 'float32', shape: [info.batchSize, info.inChannels, info.inHeight, info.inWidth] } as const;
  const window = {
    kernel_shape: [info.filterHeight, info.filterWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    ...(group > 1 && { group }),
  };
  // tfjs allows a gradient larger than the output and reads its first rows
  const dy = slice(g, given, [0, 0, 0, 0], [info.batchSize, info.outChannels, info.outHeight, info.outWidth]);
  const fits = Math.max(top, bottom) < height && Math.max(left, right) < width;
  if (info.strideHeight === 1 && info.strideWidth === 1 && fits && (group === 1 || group === info.outChannels)) {
    const turned = reverse(g, group === 1 ? transpose(g, weight, [1, 0, 2, 3]) : weight, [2, 3]);
    const pads = [height - 1 - top, width - 1 - left, height - 1 - bottom, width - 1 - right];
    return g.node('Conv', [dy, turned], output, { ...window, strides: [1, 1], pads });
  }
  return g.node('ConvTranspose', [dy, weight], output, {
    ...window,
    strides: [info.strideHeight, info.strideWidth],
    pads: [top, left, bottom, right],
    output_padding: [
      info.inHeight + top + bottom - (info.outHeight - 1) * info.strideHeight - height,
      info.inWidth + left + right - (info.outWidth - 1) * info.strideWidth - width,
    ],
  });
}

/** What each input row meets: slices of the output's gradient, one per place in the filter. Stride 1 only. */
function gradientWindows(g: Graph, dy: Value, info: Info): Value[] {
  const [top, left] = paddingOf(info);
  const { batchSize, inHeight, inWidth, outHeight, outWidth, outChannels } = info;
  // an input row meets the filter's row i in the output row: input row + top − i · dilation
  const above = Math.max(0, info.effectiveFilterHeight - 1 - top);
  const before = Math.max(0, info.effectiveFilterWidth - 1 - left);
  const below = Math.max(0, inHeight + top - outHeight);
  const after = Math.max(0, inWidth + left - outWidth);
  const padded = pad(g, dy, [0, above, before, 0], [0, below, after, 0]);
  const parts: Value[] = [];
  for (let i = 0; i < info.filterHeight; i++) {
    for (let j = 0; j < info.filterWidth; j++) {
      const from = [0, top - i * info.dilationHeight + above, left - j * info.dilationWidth + before, 0];
      parts.push(slice(g, padded, from, [batchSize, inHeight, inWidth, outChannels]));
    }
  }
  return parts;
}

/**
 * Gradient by the filter (HWIO), of NHWC values: a product over all positions of what meets there. Stacking shifted copies
 * is what costs, so the side with fewer channels is stacked (the gradient's side only for stride 1).
 */
function filterGradient(g: Graph, x: Value, dy: Value, info: Info): Value {
  const { filterHeight, filterWidth, inChannels, outChannels, batchSize } = info;
  const places = filterHeight * filterWidth;
  if (info.strideHeight === 1 && info.strideWidth === 1 && outChannels < inChannels) {
    const positions = batchSize * info.inHeight * info.inWidth;
    const stacked = reshape(g, concat(g, gradientWindows(g, dy, info), 3), [positions, places * outChannels]);
    const dw = gemm(g, reshape(g, x, [positions, inChannels]), stacked, { transA: true });
    return transpose(g, reshape(g, dw, [inChannels, filterHeight, filterWidth, outChannels]), [1, 2, 0, 3]);
  }
  const positions = batchSize * info.outHeight * info.outWidth;
  const stacked = reshape(g, concat(g, windows(g, x, info), 3), [positions, places * inChannels]);
  const dw = gemm(g, stacked, reshape(g, dy, [positions, outChannels]), { transA: true });
  return reshape(g, dw, [filterHeight, filterWidth, inChannels, outChannels]);
}

/** An image of the data format as NHWC. */
const channelsLast = (g: Graph, x: Value, format: Format): Value => (format === 'NCHW' ? toChannelsLast(g, x) : x);

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
    return filterGradient(g, channelsLast(g, x, attrs.dataFormat), channelsLast(g, dy, attrs.dataFormat), info);
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
