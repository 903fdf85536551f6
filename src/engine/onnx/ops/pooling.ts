/** Max and average pooling of NHWC images and their gradients. */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { binary, cast, compare, mul, pad, stepOf, unary, where } from '../nodes.ts';
import { gatherBack, type Info, paddingOf, tiles, toChannelsFirst, toChannelsLast, windows } from './geometry.ts';

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

/** How many elements of the image each window sees: [1, out height, out width, 1]. */
function seen(g: Graph, info: Info): Value {
  const [top, left] = paddingOf(info);
  const count = (out: number, stride: number, before: number, window: number, size: number) =>
    Array.from({ length: out }, (_, i) => {
      const from = i * stride - before;
      return Math.max(0, Math.min(size, from + window) - Math.max(0, from));
    });
  const rows = count(info.outHeight, info.strideHeight, top, info.filterHeight, info.inHeight);
  const columns = count(info.outWidth, info.strideWidth, left, info.filterWidth, info.inWidth);
  const table = rows.flatMap((r) => columns.map((c) => r * c));
  return g.constant('float32', [1, info.outHeight, info.outWidth, 1], table);
}

function pool(g: Graph, op: 'MaxPool' | 'AveragePool', image: Value, info: Info): Value {
  const same = info.outHeight === info.inHeight && info.outWidth === info.inWidth;
  // tfjs returns the image even where a stride would leave pixels out
  if (info.filterHeight === 1 && info.filterWidth === 1 && same) return image;
  const shape = [info.batchSize, info.inChannels, info.outHeight, info.outWidth];
  const padding = paddingOf(info);
  const [top, left, bottom, right] = padding;
  const attributes = {
    kernel_shape: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
  };
  const x = cast(g, image, 'float32');
  const run = (input: Value, pads: readonly number[]) =>
    toChannelsLast(g, g.node(op, [toChannelsFirst(g, input)], { type: 'float32', shape }, { ...attributes, pads }));
  // ONNX Runtime takes no padding as large as the window
  const fits = Math.max(top, bottom) < info.filterHeight && Math.max(left, right) < info.filterWidth;
  if (fits) return cast(g, run(x, padding), image.type);
  const fill = op === 'MaxPool' ? Number.NEGATIVE_INFINITY : 0;
  const y = run(pad(g, x, [0, top, left, 0], [0, bottom, right, 0], fill), [0, 0, 0, 0]);
  if (op === 'MaxPool') return cast(g, y, image.type);
  const total = mul(g, y, g.scalar('float32', info.filterHeight * info.filterWidth));
  return cast(g, binary(g, 'Div', total, seen(g, info)), image.type);
}

lower<tf.MaxPoolInputs, tf.MaxPoolAttrs>(tf.MaxPool, ({ g, inputs: { x }, attrs }) =>
  pool(g, 'MaxPool', x, poolInfo(x.shape, attrs)),
);
lower<tf.AvgPoolInputs, tf.AvgPoolAttrs>(tf.AvgPool, ({ g, inputs: { x }, attrs }) =>
  pool(g, 'AveragePool', x, poolInfo(x.shape, attrs)),
);

/** For each place in the window, where it holds the window's (first) maximum: bool NHWC masks. */
function maximaOf(g: Graph, x: Value, y: Value, info: Info): Value[] {
  let free: Value | undefined;
  return windows(g, x, info, Number.NEGATIVE_INFINITY).map((window) => {
    const equal = compare(g, 'Equal', window, y);
    const first = free ? binary(g, 'And', equal, free) : equal;
    const other = unary(g, 'Not', equal);
    free = free ? binary(g, 'And', free, other) : other;
    return first;
  });
}

interface MaxPoolGradient {
  readonly dy: Value;
  readonly input: Value;
  readonly output: Value;
  readonly info: Info;
}

/** How the gradients of max-pools in a graph were made. */
const gradients = new WeakMap<Value, MaxPoolGradient>();

/**
 * The gradient of a 2×2 max-pool that tiles its images, as NCHW: in the graph a score of operators that each pass over images
 * larger than a cache, beside the graph one (update/pool-loop.ts).
 */
export interface PoolGradient {
  readonly gradient: Value;
  /** of the pool's output */
  readonly dy: Value;
  readonly input: Value;
  /** passed on only where the largest value of a window is positive */
  readonly stepped: boolean;
  /** the images are in blocks of so many channels (blocks/forms.ts); the graph has no other form of this gradient */
  readonly block?: number;
  /** the gradient is written with the images of a block beside each other, as a filter's gradient reads it (blocks/forms.ts) */
  readonly imagesInside?: boolean;
}

const tiledGradients = new WeakMap<Value, PoolGradient>();

/** How a value was made, if it is the gradient of a max-pool that tiles its images. */
export const poolGradientOf = (value: Value): PoolGradient | undefined => tiledGradients.get(value);

export function recordPoolGradient(made: PoolGradient): void {
  tiledGradients.set(made.gradient, made);
}

function maxPoolGradient(g: Graph, made: MaxPoolGradient, stepped = false): Value {
  const { input, output, info } = made;
  const dy = stepped ? mul(g, made.dy, stepOf(g, output)) : made.dy;
  const nothing = g.scalar('float32', 0);
  const shares = maximaOf(g, input, output, info).map((mask) => where(g, mask, dy, nothing));
  const images = gatherBack(g, shares, info);
  const gradient = tiles(info) && info.filterHeight === 2 && info.filterWidth === 2 ? inTwoTurns(g, images) : images;
  if (gradient !== images) {
    const first = toChannelsFirst(g, gradient);
    const parts = { dy: toChannelsFirst(g, made.dy), input: toChannelsFirst(g, input) };
    recordPoolGradient({ gradient: first, ...parts, stepped });
  }
  gradients.set(gradient, made);
  return gradient;
}

/** The same NHWC images as the turn of NCHW ones, which is what convolutions read. */
function inTwoTurns(g: Graph, images: Value): Value {
  const [batch, height, width, channels] = images.shape as [number, number, number, number];
  const shape = [batch, channels, height, width];
  const first = g.node('Transpose', [images], { type: images.type, shape }, { perm: [0, 3, 1, 2] });
  return g.node('Transpose', [first], images, { perm: [0, 2, 3, 1] });
}

lower<tf.MaxPoolGradInputs, tf.MaxPoolGradAttrs>(tf.MaxPoolGrad, ({ g, inputs: { dy, input, output }, attrs }) =>
  maxPoolGradient(g, { dy, input, output, info: poolInfo(input.shape, attrs) }),
);

/**
 * The gradient of a max-pool times the step of the pool's input, as behind a rectifier: where the gradient is not zero the
 * input is the output, so the step is taken of the smaller output. Undefined where `gradient` is something else.
 */
export function steppedMaxPoolGradient(g: Graph, gradient: Value, step: Value): Value | undefined {
  const made = gradients.get(gradient);
  if (!made || step !== stepOf(g, made.input)) return undefined;
  return maxPoolGradient(g, made, true);
}

/** tfjs spreads the gradient over the whole window; its share in the padding is lost. */
lower<tf.AvgPoolGradInputs, tf.AvgPoolGradAttrs>(tf.AvgPoolGrad, ({ g, inputs: { dy, input }, attrs }) => {
  const info = poolInfo(input.shape, attrs);
  const places = info.filterHeight * info.filterWidth;
  const share = mul(g, dy, g.scalar('float32', 1 / places));
  return gatherBack(g, new Array<Value>(places).fill(share), info);
});

/** Index of each maximum in the flat image, [height · width · channels], or [batch · …] with includeBatchInIndex. */
lower<tf.MaxPoolWithArgmaxInputs, tf.MaxPoolWithArgmaxAttrs>(tf.MaxPoolWithArgmax, ({ g, inputs: { x }, attrs }) => {
  tf.util.assert(x.shape.length === 4, () => `maxPoolWithArgmax: x must be of rank 4, not ${x.shape.length}`);
  const info = poolInfo(x.shape, attrs);
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const y = pool(g, 'MaxPool', x, info);
  const images = attrs.includeBatchInIndex ? batch : 1;
  const numbers = Array.from({ length: images * height * width * channels }, (_, i) => i);
  const places = windows(g, g.constant('int32', [images, height, width, channels], numbers), info);
  const masks = maximaOf(g, cast(g, x, 'float32'), cast(g, y, 'float32'), info);
  const index = masks.reduceRight((rest, mask, k) => where(g, mask, places[k]!, rest), g.scalar('int32', 0));
  return [y, index];
});
