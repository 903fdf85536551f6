/**
 * Convolutions and their two gradients. tfjs is NHWC with HWIO filters, ONNX is NCHW with OIHW filters: each Conv is
 * written between transposes, which ONNX Runtime's transpose optimizer moves out of the way.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { add, cast, concat, gemm, pad, reshape, reverse, slice, transpose } from '../nodes.ts';
import { activate } from './elementwise.ts';

type Info = tf.backend_util.Conv2DInfo;

export const toChannelsFirst = (g: Graph, x: Value): Value => transpose(g, x, [0, 3, 1, 2]);
export const toChannelsLast = (g: Graph, x: Value): Value => transpose(g, x, [0, 2, 3, 1]);

/** Padding after the last row or column so that exactly `out` windows fit, whatever rounding mode led to `out`. */
function paddingAfter(size: number, before: number, out: number, stride: number, window: number): number {
  return Math.max(0, (out - 1) * stride + window - size - before);
}

/** [top, left, bottom, right] */
export function paddingOf(info: Info): [number, number, number, number] {
  const { top, left } = info.padInfo;
  return [
    top,
    left,
    paddingAfter(info.inHeight, top, info.outHeight, info.strideHeight, info.effectiveFilterHeight),
    paddingAfter(info.inWidth, left, info.outWidth, info.strideWidth, info.effectiveFilterWidth),
  ];
}

/** x: NHWC; filter: [height, width, channels per group, outputs]. */
function convolve(g: Graph, x: Value, filter: Value, info: Info, group = 1, bias?: Value): Value {
  const inputs = [toChannelsFirst(g, x), transpose(g, filter, [3, 2, 0, 1]), ...(bias ? [bias] : [])];
  const shape = [info.batchSize, info.outChannels, info.outHeight, info.outWidth];
  const y = g.node(
    'Conv',
    inputs,
    { type: 'float32', shape },
    {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      dilations: [info.dilationHeight, info.dilationWidth],
      pads: paddingOf(info),
      ...(group > 1 && { group }),
    },
  );
  return toChannelsLast(g, y);
}

/**
 * Gradient by the input. With stride 1 it is a convolution with the turned filter, which ONNX Runtime runs faster than
 * ConvTranspose. filter: HWIO, `group` as in convolve.
 */
function convolveBack(g: Graph, dy: Value, filter: Value, info: Info, group = 1): Value {
  const [top, left, bottom, right] = paddingOf(info);
  const { effectiveFilterHeight: height, effectiveFilterWidth: width } = info;
  const shape = [info.batchSize, info.inChannels, info.inHeight, info.inWidth];
  const window = {
    kernel_shape: [info.filterHeight, info.filterWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
  };
  const exact =
    info.strideHeight === 1 &&
    info.strideWidth === 1 &&
    Math.max(top, bottom) < height &&
    Math.max(left, right) < width;
  const dyFirst = toChannelsFirst(g, dy);
  if (exact && group === 1) {
    const turned = reverse(g, transpose(g, filter, [2, 3, 0, 1]), [2, 3]);
    const pads = [height - 1 - top, width - 1 - left, height - 1 - bottom, width - 1 - right];
    const dx = g.node('Conv', [dyFirst, turned], { type: 'float32', shape }, { ...window, strides: [1, 1], pads });
    return toChannelsLast(g, dx);
  }
  const dx = g.node(
    'ConvTranspose',
    [dyFirst, transpose(g, filter, [3, 2, 0, 1])],
    { type: 'float32', shape },
    {
      ...window,
      strides: [info.strideHeight, info.strideWidth],
      pads: [top, left, bottom, right],
      output_padding: [
        info.inHeight + top + bottom - (info.outHeight - 1) * info.strideHeight - height,
        info.inWidth + left + right - (info.outWidth - 1) * info.strideWidth - width,
      ],
      ...(group > 1 && { group }),
    },
  );
  return toChannelsLast(g, dx);
}

/**
 * The windows that a filter sees, one slice per place in the filter: NHWC [batch, out height, out width, channels] each,
 * row by row of the filter.
 */
export function windows(g: Graph, x: Value, info: Info, fill = 0): Value[] {
  const [top, left, bottom, right] = paddingOf(info);
  const padded = pad(g, x, [0, top, left, 0], [0, bottom, right, 0], fill);
  const [batch, , , channels] = padded.shape as [number, number, number, number];
  const parts: Value[] = [];
  for (let i = 0; i < info.filterHeight; i++) {
    for (let j = 0; j < info.filterWidth; j++) {
      const from = [0, i * info.dilationHeight, j * info.dilationWidth, 0];
      const size = [batch, info.outHeight, info.outWidth, channels];
      parts.push(slice(g, padded, from, size, [1, info.strideHeight, info.strideWidth, 1]));
    }
  }
  return parts;
}

/**
 * Gradient by the filter: a product over all positions of the input's windows with the output's gradient. Stacking
 * shifted copies is what costs, so the side with fewer channels is stacked (the gradient's side only for stride 1).
 */
function filterGradient(g: Graph, x: Value, dy: Value, info: Info): Value {
  const { filterHeight: fh, filterWidth: fw, inChannels, outChannels, batchSize, inHeight, inWidth } = info;
  const [top, left] = paddingOf(info);
  if (info.strideHeight === 1 && info.strideWidth === 1 && outChannels < inChannels) {
    const [reachH, reachW] = [info.effectiveFilterHeight - 1, info.effectiveFilterWidth - 1];
    // an input row meets the filter's row i in the output row (input row + top − i)
    const places = {
      ...info,
      outHeight: inHeight,
      outWidth: inWidth,
    };
    const before = [0, Math.max(0, reachH - top), Math.max(0, reachW - left), 0];
    const lastRow = inHeight - 1 + top;
    const lastColumn = inWidth - 1 + left;
    const after = [0, Math.max(0, lastRow - info.outHeight + 1), Math.max(0, lastColumn - info.outWidth + 1), 0];
    const padded = pad(g, dy, before, after);
    const parts: Value[] = [];
    for (let i = 0; i < fh; i++) {
      for (let j = 0; j < fw; j++) {
        const from = [0, top - i * info.dilationHeight + before[1]!, left - j * info.dilationWidth + before[2]!, 0];
        parts.push(slice(g, padded, from, [batchSize, places.outHeight, places.outWidth, outChannels]));
      }
    }
    const positions = batchSize * inHeight * inWidth;
    const stacked = reshape(g, concat(g, parts, 3), [positions, fh * fw * outChannels]);
    const dw = gemm(g, reshape(g, x, [positions, inChannels]), stacked, { transA: true });
    return transpose(g, reshape(g, dw, [inChannels, fh, fw, outChannels]), [1, 2, 0, 3]);
  }
  const positions = batchSize * info.outHeight * info.outWidth;
  const stacked = reshape(g, concat(g, windows(g, x, info), 3), [positions, fh * fw * inChannels]);
  const dw = gemm(g, stacked, reshape(g, dy, [positions, outChannels]), { transA: true });
  return reshape(g, dw, [fh, fw, inChannels, outChannels]);
}

type Format = 'NHWC' | 'NCHW' | undefined;

const shape4 = (shape: readonly number[]) => [...shape] as [number, number, number, number];

/** Runs `compute` on NHWC values whatever the data format is. */
function channelsLast(g: Graph, format: Format, values: readonly Value[], compute: (values: Value[]) => Value): Value {
  if (format !== 'NCHW') return compute(values.map((value) => cast(g, value, 'float32')));
  return toChannelsFirst(g, compute(values.map((value) => toChannelsLast(g, cast(g, value, 'float32')))));
}

/** NHWC shape of a shape in the given format. */
const lastShape = (shape: readonly number[], format: Format): [number, number, number, number] =>
  format === 'NCHW' ? [shape[0]!, shape[2]!, shape[3]!, shape[1]!] : shape4(shape);

lower<tf.Conv2DInputs, tf.Conv2DAttrs>(tf.Conv2D, ({ g, inputs: { x, filter }, attrs }) => {
  const { strides, dilations, pad: padding, dimRoundingMode, dataFormat } = attrs;
  const info = tf.backend_util.computeConv2DInfo(
    lastShape(x.shape, dataFormat),
    shape4(filter.shape),
    strides,
    dilations,
    padding,
    dimRoundingMode,
  );
  return channelsLast(g, dataFormat, [x], ([image]) => convolve(g, image!, cast(g, filter, 'float32'), info));
});

lower<tf.FusedConv2DInputs, tf.FusedConv2DAttrs>(tf.FusedConv2D, ({ g, inputs, attrs }) => {
  const { x, filter, bias, preluActivationWeights } = inputs as Record<string, Value>;
  const { strides, dilations, pad: padding, dimRoundingMode, dataFormat, activation, leakyreluAlpha } = attrs;
  const info = tf.backend_util.computeConv2DInfo(
    lastShape(x!.shape, dataFormat),
    shape4(filter!.shape),
    strides,
    dilations,
    padding,
    dimRoundingMode,
  );
  return channelsLast(g, dataFormat, [x!], ([image]) => {
    const vector = bias && bias.shape.length <= 1 ? reshape(g, bias, [info.outChannels]) : undefined;
    const y = convolve(g, image!, filter!, info, 1, vector);
    return activate(g, bias && !vector ? add(g, y, bias) : y, activation, preluActivationWeights, leakyreluAlpha);
  });
});

lower<tf.Conv2DBackpropInputInputs, tf.Conv2DBackpropInputAttrs>(
  tf.Conv2DBackpropInput,
  ({ g, inputs: { dy, filter }, attrs: { inputShape, strides, pad: padding, dimRoundingMode, dataFormat } }) => {
    const shape = lastShape(inputShape, dataFormat);
    const info = tf.backend_util.computeConv2DInfo(shape, shape4(filter.shape), strides, 1, padding, dimRoundingMode);
    return channelsLast(g, dataFormat, [dy], ([gradient]) => convolveBack(g, gradient!, filter, info));
  },
);

lower<tf.Conv2DBackpropFilterInputs, tf.Conv2DBackpropFilterAttrs>(
  tf.Conv2DBackpropFilter,
  ({ g, inputs: { x, dy }, attrs: { filterShape, strides, pad: padding, dimRoundingMode, dataFormat } }) => {
    const shape = lastShape(x.shape, dataFormat);
    const info = tf.backend_util.computeConv2DInfo(shape, filterShape, strides, 1, padding, dimRoundingMode);
    const [image, gradient] = dataFormat === 'NCHW' ? [toChannelsLast(g, x), toChannelsLast(g, dy)] : [x, dy];
    return filterGradient(g, image, gradient, info);
  },
);
