/** Max and average pooling of NHWC images and their gradients. */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { add, binary, cast, compare, concat, mul, pad, reshape, slice, transpose, unary, where } from '../nodes.ts';
import { paddingOf, toChannelsFirst, toChannelsLast, windows } from './convolution.ts';

type Info = tf.backend_util.Conv2DInfo;

function poolInfo(shape: readonly number[], attrs: tf.MaxPoolAttrs): Info {
  return tf.backend_util.computePool2DInfo(
    [...shape] as [number, number, number, number],
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  );
}

function pool(g: Graph, op: 'MaxPool' | 'AveragePool', x: Value, info: Info): Value {
  if (info.filterHeight === 1 && info.filterWidth === 1 && info.strideHeight === 1 && info.strideWidth === 1) return x;
  const shape = [info.batchSize, info.inChannels, info.outHeight, info.outWidth];
  const y = g.node(
    op,
    [toChannelsFirst(g, cast(g, x, 'float32'))],
    { type: 'float32', shape },
    {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      pads: paddingOf(info),
    },
  );
  return cast(g, toChannelsLast(g, y), x.type);
}

/** Whether the windows tile the image: no overlap, nothing left over, no padding. */
const tiles = (info: Info): boolean =>
  info.filterHeight === info.strideHeight &&
  info.filterWidth === info.strideWidth &&
  info.outHeight * info.strideHeight === info.inHeight &&
  info.outWidth * info.strideWidth === info.inWidth &&
  paddingOf(info).every((n) => n === 0);

/**
 * The inverse of `windows`: adds up what each place of the filter sends back to the image. parts[i·width + j] is the share of
 * filter place (i, j), NHWC [batch, out height, out width, channels].
 */
function gatherBack(g: Graph, parts: readonly Value[], info: Info): Value {
  const { batchSize, outHeight, outWidth, inHeight, inWidth, inChannels, strideHeight, strideWidth } = info;
  if (tiles(info)) {
    const stacked = concat(
      g,
      parts.map((part) => reshape(g, part, [1, ...part.shape])),
      0,
    );
    const shape = [info.filterHeight, info.filterWidth, batchSize, outHeight, outWidth, inChannels];
    const placed = transpose(g, reshape(g, stacked, shape), [2, 3, 0, 4, 1, 5]);
    return reshape(g, placed, [batchSize, inHeight, inWidth, inChannels]);
  }
  const [top, left, bottom, right] = paddingOf(info);
  const [tall, wide] = [inHeight + top + bottom, inWidth + left + right];
  const placed = parts.map((part, k) => {
    const [i, j] = [Math.floor(k / info.filterWidth), k % info.filterWidth];
    // spread by the stride, then shift by the place in the filter
    const open = reshape(g, part, [batchSize, outHeight, 1, outWidth, 1, inChannels]);
    const spread = pad(g, open, [0, 0, 0, 0, 0, 0], [0, 0, strideHeight - 1, 0, strideWidth - 1, 0]);
    const [h, w] = [(outHeight - 1) * strideHeight + 1, (outWidth - 1) * strideWidth + 1];
    const closed = reshape(g, spread, [batchSize, outHeight * strideHeight, outWidth * strideWidth, inChannels]);
    const exact = slice(g, closed, [0, 0, 0, 0], [batchSize, h, w, inChannels]);
    return pad(g, exact, [0, i, j, 0], [0, tall - h - i, wide - w - j, 0]);
  });
  const total = placed.reduce((sum, part) => add(g, sum, part));
  return slice(g, total, [0, top, left, 0], [batchSize, inHeight, inWidth, inChannels]);
}

lower<tf.MaxPoolInputs, tf.MaxPoolAttrs>(tf.MaxPool, ({ g, inputs: { x }, attrs }) =>
  pool(g, 'MaxPool', x, poolInfo(x.shape, attrs)),
);
lower<tf.AvgPoolInputs, tf.AvgPoolAttrs>(tf.AvgPool, ({ g, inputs: { x }, attrs }) =>
  pool(g, 'AveragePool', x, poolInfo(x.shape, attrs)),
);

/** The gradient goes to the first of a window's maxima. */
lower<tf.MaxPoolGradInputs, tf.MaxPoolGradAttrs>(tf.MaxPoolGrad, ({ g, inputs: { dy, input, output }, attrs }) => {
  const info = poolInfo(input.shape, attrs);
  const nothing = g.scalar('float32', 0);
  let free: Value | undefined;
  const shares = windows(g, input, info, Number.NEGATIVE_INFINITY).map((window) => {
    const equal = compare(g, 'Equal', window, output);
    const first = free ? binary(g, 'And', equal, free) : equal;
    free = free ? binary(g, 'And', free, unary(g, 'Not', equal)) : unary(g, 'Not', equal);
    return where(g, first, dy, nothing);
  });
  return gatherBack(g, shares, info);
});

/** tfjs spreads the gradient over the whole window, its share in the padding is lost. */
lower<tf.AvgPoolGradInputs, tf.AvgPoolGradAttrs>(tf.AvgPoolGrad, ({ g, inputs: { dy, input }, attrs }) => {
  const info = poolInfo(input.shape, attrs);
  const places = info.filterHeight * info.filterWidth;
  const share = mul(g, dy, g.scalar('float32', 1 / places));
  return gatherBack(g, new Array<Value>(places).fill(share), info);
});
