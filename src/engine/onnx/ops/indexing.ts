/** Kernels that pick or place elements by index: gather and scatter of slices, segments, the largest, bins, sorted search. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import { binary, cast, compare, expand, iota, mul, reduce, reshape, slice, where } from '../nodes.ts';

lower<tf.GatherNdInputs>(tf.GatherNd, ({ g, inputs: { params, indices } }) => {
  const like = (value: Value) =>
    ({ shape: [...value.shape], rank: value.shape.length, dtype: value.type }) as tf.Tensor;
  tf.gather_util.prepareAndValidate(like(params), like(indices));
  const depth = indices.shape.at(-1)!;
  const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
  return g.node('GatherND', [params, cast(g, indices, 'int64')], { type: params.type, shape });
});

/** Places slices of `updates` into `data` at `indices` [n, depth]; `add` sums what falls on one place. */
function scatter(g: Graph, data: Value, indices: Value, updates: Value, add: boolean): Value {
  const depth = indices.shape[1]!;
  const slices = reshape(g, updates, [indices.shape[0]!, ...data.shape.slice(depth)]);
  const inputs = [data, cast(g, indices, 'int64'), slices];
  return g.node('ScatterND', inputs, data, add ? { reduction: 'add' } : {});
}

const rowsOf = (g: Graph, indices: Value): Value => {
  const depth = indices.shape.length > 1 ? indices.shape.at(-1)! : 1;
  return reshape(g, indices, [sizeOf(indices.shape) / depth, depth]);
};

lower<tf.ScatterNdInputs, tf.ScatterNdAttrs>(tf.ScatterNd, ({ g, inputs: { indices, updates }, attrs: { shape } }) =>
  scatter(g, expand(g, g.scalar(updates.type, 0), shape), rowsOf(g, indices), updates, true),
);
lower<tf.TensorScatterUpdateInputs>(tf.TensorScatterUpdate, ({ g, inputs: { tensor, indices, updates } }) =>
  scatter(g, tensor, rowsOf(g, indices), updates, false),
);
lower<tf.SparseToDenseInputs, tf.SparseToDenseAttrs>(tf.SparseToDense, ({ g, inputs, attrs: { outputShape } }) => {
  const { sparseIndices, sparseValues, defaultValue } = inputs;
  // a scalar or a vector of indices is a vector's places
  const flat = sparseIndices.shape.length < 2;
  const indices = flat ? reshape(g, sparseIndices, [sizeOf(sparseIndices.shape), 1]) : sparseIndices;
  const values = expand(g, sparseValues, [indices.shape[0]!]);
  return scatter(g, expand(g, defaultValue, outputShape), indices, values, false);
});

/** Rows of x summed by segment; ids outside of [0, segments) fall into a row of their own that is cut off. */
lower<tf.UnsortedSegmentSumInputs, tf.UnsortedSegmentSumAttrs>(
  tf.UnsortedSegmentSum,
  ({ g, inputs: { x, segmentIds }, attrs: { numSegments } }) => {
    const rest = x.shape.slice(1);
    const ids = cast(g, segmentIds, 'int32');
    const last = g.scalar('int32', numSegments);
    const low = compare(g, 'Less', ids, g.scalar('int32', 0));
    const outside = binary(g, 'Or', low, compare(g, 'GreaterOrEqual', ids, last));
    const rows = reshape(g, where(g, outside, last, ids), [x.shape[0]!, 1]);
    const total = scatter(g, expand(g, g.scalar(x.type, 0), [numSegments + 1, ...rest]), rows, x, true);
    return slice(g, total, [0, ...rest.map(() => 0)], [numSegments, ...rest]);
  },
);

lower<tf.TopKInputs, tf.TopKAttrs>(tf.TopK, ({ g, inputs: { x }, attrs: { k } }) => {
  const shape = [...x.shape.slice(0, -1), k];
  const numbers = x.type === 'bool' ? cast(g, x, 'int32') : x;
  const outputs = [
    { type: numbers.type, shape },
    { type: 'int64', shape },
  ] as const;
  const [values, indices] = g.nodes('TopK', [numbers, g.int64([k])], outputs, { axis: -1 });
  return [cast(g, values!, x.type), cast(g, indices!, 'int32')];
});

/** How many of the sorted numbers come before each value. sorted: [batch, n]; values: [batch, m]. */
function rank(g: Graph, sorted: Value, values: Value, op: 'Less' | 'LessOrEqual'): Value {
  const [batch, n] = sorted.shape as [number, number];
  const before = compare(g, op, reshape(g, sorted, [batch, 1, n]), reshape(g, values, [...values.shape, 1]));
  return reduce(g, 'ReduceSum', cast(g, before, 'int32'), [2]);
}
lower<tf.SearchSortedInputs, tf.SearchSortedAttrs>(tf.SearchSorted, ({ g, inputs, attrs: { side } }) =>
  rank(g, inputs.sortedSequence, inputs.values, side === 'left' ? 'Less' : 'LessOrEqual'),
);

/** Counts of the numbers below `size` along the last axis, each counted by its weight. x: [n] or [batch, n] of int32. */
function bins(g: Graph, x: Value, weights: Value, size: number, binaryOutput = false): Value {
  const rank = x.shape.length;
  const hit = compare(g, 'Equal', reshape(g, x, [...x.shape, 1]), iota(g, size, x.type));
  if (binaryOutput) return cast(g, reduce(g, 'ReduceMax', cast(g, hit, 'int32'), [rank - 1]), 'float32');
  const counted = cast(g, hit, sizeOf(weights.shape) === 0 ? 'float32' : weights.type);
  const weighted = sizeOf(weights.shape) === 0 ? counted : mul(g, counted, reshape(g, weights, [...weights.shape, 1]));
  return reduce(g, 'ReduceSum', weighted, [rank - 1]);
}
lower<tf.BincountInputs, tf.BincountAttrs>(tf.Bincount, ({ g, inputs: { x, weights }, attrs: { size } }) =>
  bins(g, reshape(g, x, [sizeOf(x.shape)]), weights, size),
);
lower<tf.DenseBincountInputs, tf.DenseBincountAttrs>(tf.DenseBincount, ({ g, inputs: { x, weights }, attrs }) =>
  bins(g, x, weights, attrs.size, attrs.binaryOutput),
);
