/** Resizing, flipping and re-blocking of NHWC images. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { cast, gather, matMul, mul, pad, reshape, reverse, slice, transpose } from '../nodes.ts';
import { toChannelsFirst, toChannelsLast } from './geometry.ts';

/** Where output position `i` of `to` lies in an input of `from` positions. */
function position(i: number, from: number, to: number, alignCorners: boolean, halfPixelCenters: boolean): number {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale;
}

/** The input position that nearest-neighbour resizing reads. */
function nearest(i: number, from: number, to: number, align: boolean, half: boolean): number {
  const scale = align && to > 1 ? (from - 1) / (to - 1) : from / to;
  const at = half ? scale * (i + 0.5) : scale * i;
  return Math.max(0, Math.min(from - 1, align ? Math.round(at) : Math.floor(at)));
}

/** Rows of weights [to, from] that a resize applies along one axis. */
function weightsOf(rows: readonly (readonly [at: number, weight: number][])[], from: number): Float32Array {
  const matrix = new Float32Array(rows.length * from);
  rows.forEach((row, i) => {
    for (const [at, weight] of row) matrix[i * from + at]! += weight;
  });
  return matrix;
}

function bilinearWeights(from: number, to: number, align: boolean, half: boolean): Float32Array {
  const rows = Array.from({ length: to }, (_, i) => {
    const at = position(i, from, to, align, half);
    const low = Math.max(0, Math.floor(at));
    const share = Math.min(Math.max(at - low, 0), 1);
    return [
      [low, 1 - share],
      [Math.min(from - 1, Math.ceil(Math.max(at, 0))), share],
    ] as [number, number][];
  });
  return weightsOf(rows, from);
}

const nearestWeights = (from: number, to: number, align: boolean, half: boolean): Float32Array =>
  weightsOf(
    Array.from({ length: to }, (_, i) => [[nearest(i, from, to, align, half), 1]] as [number, number][]),
    from,
  );

/** Applies one matrix of weights [to, from] along the rows of an image and one along its columns; or their transposes. */
function separable(
  g: Graph,
  image: Value,
  size: readonly number[],
  weigh: typeof bilinearWeights,
  attrs: tf.ResizeBilinearAttrs,
  back = false,
): Value {
  const [batch, height, width, channels] = image.shape as [number, number, number, number];
  const [tall, wide] = size as [number, number];
  const matrix = (from: number, to: number) => {
    const [small, large] = back ? [to, from] : [from, to];
    const weights = g.constant(
      'float32',
      [large, small],
      weigh(small, large, attrs.alignCorners, attrs.halfPixelCenters),
    );
    return back ? transpose(g, weights, [1, 0]) : weights;
  };
  const x = reshape(g, cast(g, image, 'float32'), [batch, height, width * channels]);
  const rows = matMul(g, matrix(height, tall), x);
  const columns = matMul(g, matrix(width, wide), reshape(g, rows, [batch * tall, width, channels]));
  return reshape(g, columns, [batch, tall, wide, channels]);
}

lower<tf.ResizeBilinearInputs, tf.ResizeBilinearAttrs>(tf.ResizeBilinear, ({ g, inputs: { images }, attrs }) =>
  separable(g, images, attrs.size, bilinearWeights, attrs),
);
lower<tf.ResizeBilinearGradInputs, tf.ResizeBilinearGradAttrs>(
  tf.ResizeBilinearGrad,
  ({ g, inputs: { images, dy }, attrs }) => separable(g, dy, images.shape.slice(1, 3), bilinearWeights, attrs, true),
);

const whole = (large: number, small: number): number => (large % small === 0 ? large / small : 0);

lower<tf.ResizeNearestNeighborInputs, tf.ResizeNearestNeighborAttrs>(
  tf.ResizeNearestNeighbor,
  ({ g, inputs: { images }, attrs: { size, alignCorners, halfPixelCenters } }) => {
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const [tall, wide] = size;
    const [rows, columns] = [whole(tall, height), whole(wide, width)];
    if (rows && columns && !alignCorners) {
      const scales = g.constant('float32', [4], [1, 1, rows, columns]);
      const shape = [batch, channels, tall, wide];
      const how = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
      const image = toChannelsFirst(g, images);
      return toChannelsLast(g, g.node('Resize', [image, undefined, scales], { type: images.type, shape }, how));
    }
    const index = (from: number, to: number) =>
      g.int64(Array.from({ length: to }, (_, i) => nearest(i, from, to, alignCorners, halfPixelCenters)));
    return gather(g, gather(g, images, index(height, tall), 1), index(width, wide), 2);
  },
);
lower<tf.ResizeNearestNeighborGradInputs, tf.ResizeNearestNeighborGradAttrs>(
  tf.ResizeNearestNeighborGrad,
  ({ g, inputs: { images, dy }, attrs }) => {
    const [batch, height, width, channels] = images.shape as [number, number, number, number];
    const [tall, wide] = dy.shape.slice(1, 3) as [number, number];
    const [rows, columns] = [whole(tall, height), whole(wide, width)];
    if (rows && columns && !attrs.alignCorners) {
      // the sum over each block, as its mean
      const window = { kernel_shape: [rows, columns], strides: [rows, columns] };
      const shape = [batch, channels, height, width];
      const mean = g.node('AveragePool', [toChannelsFirst(g, dy)], { type: 'float32', shape }, window);
      return toChannelsLast(g, mul(g, mean, g.scalar('float32', rows * columns)));
    }
    return separable(g, dy, [height, width], nearestWeights, attrs, true);
  },
);

lower<tf.FlipLeftRightInputs>(tf.FlipLeftRight, ({ g, inputs: { image } }) => reverse(g, image, [2]));

lower<tf.DepthToSpaceInputs, tf.DepthToSpaceAttrs>(tf.DepthToSpace, ({ g, inputs: { x }, attrs }) => {
  const { blockSize: b, dataFormat } = attrs;
  tf.util.assert(dataFormat === 'NHWC', () => `Only NHWC dataFormat supported for depthToSpace, got ${dataFormat}`);
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const depth = channels / (b * b);
  const blocks = transpose(g, reshape(g, x, [batch, height, width, b, b, depth]), [0, 1, 3, 2, 4, 5]);
  return reshape(g, blocks, [batch, height * b, width * b, depth]);
});

lower<tf.SpaceToBatchNDInputs, tf.SpaceToBatchNDAttrs>(tf.SpaceToBatchND, ({ g, inputs: { x }, attrs }) => {
  const { blockShape, paddings } = attrs;
  const prod = sizeOf(blockShape);
  const rest = x.shape.length - 1 - blockShape.length;
  const sides = (k: 0 | 1) => [0, ...paddings.map((p) => p[k]!), ...new Array<number>(rest).fill(0)];
  const padded = pad(g, x, sides(0), sides(1));
  const shape = [...padded.shape];
  const open = tf.backend_util.getReshaped(shape, blockShape, prod, false);
  const perm = tf.backend_util.getPermuted(open.length, blockShape.length, false);
  const flat = tf.backend_util.getReshapedPermuted(shape, blockShape, prod, false);
  return reshape(g, transpose(g, reshape(g, padded, open), perm), flat);
});
lower<tf.BatchToSpaceNDInputs, tf.BatchToSpaceNDAttrs>(tf.BatchToSpaceND, ({ g, inputs: { x }, attrs }) => {
  const { blockShape, crops } = attrs;
  const prod = sizeOf(blockShape);
  const shape = [...x.shape];
  const open = tf.backend_util.getReshaped(shape, blockShape, prod);
  const perm = tf.backend_util.getPermuted(open.length, blockShape.length);
  const flat = tf.backend_util.getReshapedPermuted(shape, blockShape, prod);
  // both name the batch and the blocks only
  const begin = flat.map((_, i) => tf.backend_util.getSliceBeginCoords(crops, blockShape.length)[i] ?? 0);
  const size = flat.map((dim, i) => tf.backend_util.getSliceSize(flat, crops, blockShape.length)[i] ?? dim);
  return slice(g, reshape(g, transpose(g, reshape(g, x, open), perm), flat), begin, size);
});
