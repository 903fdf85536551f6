/** Where the windows of convolutions and pools lie, and images in the two orders of axes. */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { add, concat, pad, reshape, slice, transpose } from '../nodes.ts';

/** tfjs's account of a convolution or pool, in NHWC whatever the data format was. */
export type Info = tf.backend_util.Conv2DInfo;
export type Format = 'NHWC' | 'NCHW' | undefined;
type Shape4 = [number, number, number, number];

/** The attributes that convolutions and pools share. */
export interface WindowAttrs {
  readonly strides: number | [number, number];
  readonly pad: tf.Conv2DAttrs['pad'];
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil' | undefined;
  readonly dataFormat?: Format;
}

export const toChannelsFirst = (g: Graph, x: Value): Value => transpose(g, x, [0, 3, 1, 2]);
export const toChannelsLast = (g: Graph, x: Value): Value => transpose(g, x, [0, 2, 3, 1]);

/** An image of the data format as NCHW, and back. */
export const channelsFirst = (g: Graph, x: Value, format: Format): Value =>
  format === 'NCHW' ? x : toChannelsFirst(g, x);
export const inFormat = (g: Graph, first: Value, format: Format): Value =>
  format === 'NCHW' ? first : toChannelsLast(g, first);

function axesLast<T>(list: readonly T[], format: Format): [T, T, T, T] {
  const [a, b, c, d] = list as [T, T, T, T];
  return format === 'NCHW' ? [a, c, d, b] : [a, b, c, d];
}

export function convolutionInfo(
  shape: readonly number[],
  filterShape: readonly number[],
  attrs: WindowAttrs,
  depthwise = false,
): Info {
  const padding = typeof attrs.pad === 'object' ? axesLast(attrs.pad, attrs.dataFormat) : attrs.pad;
  return tf.backend_util.computeConv2DInfo(
    axesLast(shape, attrs.dataFormat),
    [...filterShape] as Shape4,
    attrs.strides,
    attrs.dilations ?? 1,
    padding,
    attrs.dimRoundingMode,
    depthwise,
  );
}

/** Padding after the last row or column so that exactly `out` windows fit, whatever rounding mode led to `out`. */
function paddingAfter(size: number, before: number, out: number, stride: number, window: number): number {
  return Math.max(0, (out - 1) * stride + window - size - before);
}

/** [top, left, bottom, right] */
export function paddingOf(info: Info): Shape4 {
  const { top, left } = info.padInfo;
  return [
    top,
    left,
    paddingAfter(info.inHeight, top, info.outHeight, info.strideHeight, info.effectiveFilterHeight),
    paddingAfter(info.inWidth, left, info.outWidth, info.strideWidth, info.effectiveFilterWidth),
  ];
}

/**
 * What the filter sees, one slice per place in the filter, row by row: NHWC [batch, out height, out width, channels] each.
 */
export function windows(g: Graph, x: Value, info: Info, fill = 0): Value[] {
  const [top, left, bottom, right] = paddingOf(info);
  const padded = pad(g, x, [0, top, left, 0], [0, bottom, right, 0], fill);
  const [batch, , , channels] = padded.shape as Shape4;
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

/** Whether the windows tile the image: no overlap, nothing left over, no padding. */
export const tiles = (info: Info): boolean =>
  info.filterHeight === info.strideHeight &&
  info.filterWidth === info.strideWidth &&
  info.outHeight * info.strideHeight === info.inHeight &&
  info.outWidth * info.strideWidth === info.inWidth &&
  info.dilationHeight * info.dilationWidth === 1 &&
  paddingOf(info).every((n) => n === 0);

/**
 * The transpose of `windows`: adds up what each place of the filter sends back to the image. parts[i · filter width + j] is
 * the share of filter place (i, j), NHWC [batch, out height, out width, channels].
 */
export function gatherBack(g: Graph, parts: readonly Value[], info: Info): Value {
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
  // windows may leave out the last rows and columns
  const tall = Math.max(inHeight + top, (outHeight - 1) * strideHeight + info.effectiveFilterHeight) + bottom;
  const wide = Math.max(inWidth + left, (outWidth - 1) * strideWidth + info.effectiveFilterWidth) + right;
  const placed = parts.map((part, k) => {
    const i = Math.floor(k / info.filterWidth) * info.dilationHeight;
    const j = (k % info.filterWidth) * info.dilationWidth;
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
