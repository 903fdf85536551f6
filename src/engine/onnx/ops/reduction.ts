/** Kernels that reduce axes: sums, means, extremes, logic, arguments of extremes, cumulative sums. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import type { Graph, Value } from '../graph.ts';
import { lower } from '../lowering.ts';
import {
  cast,
  div,
  gemm,
  positiveAxis,
  reduce,
  reducedShape,
  reshape,
  sizeOfAxes,
  transpose,
  turnedImage,
  unary,
  where,
} from '../nodes.ts';
import { total } from './total.ts';

/** Positive, sorted axes; all of them for undefined. */
const axesOf = (axis: number | number[] | undefined, x: Value): number[] =>
  tf.util.parseAxisParam(axis!, [...x.shape]).sort((a, b) => a - b);

/**
 * A float sum over leading axes is a product with a row of ones: ONNX Runtime's Gemm reads memory in order and in
 * parallel, its ReduceSum over the leading axes does not.
 */
export function sum(g: Graph, x: Value, axes: readonly number[], keepDims = false): Value {
  const rank = x.shape.length;
  const reduced = reducedShape(x.shape, axes, keepDims);
  if (x.type === 'float32' && sizeOf(x.shape) > 1 && sizeOf(reduced) === 1) return reshape(g, total(g, x), reduced);
  const image = keepDims ? undefined : turnedImage(x);
  // per channel, as for the gradient of a bias: an image that was turned is summed as it was
  if (image && axes.join() === '0,1,2') return reduce(g, 'ReduceSum', image, [0, 2, 3]);
  const leading = axes.length > 0 && axes.length < rank && axes.every((axis, i) => axis === i);
  if (x.type !== 'float32' || !leading) return reduce(g, 'ReduceSum', x, axes, keepDims);
  const rows = sizeOfAxes(x.shape, axes);
  const columns = sizeOfAxes(x.shape, [...x.shape.keys()].slice(axes.length));
  if (rows === 1 || columns === 1 || rows * columns === 0) return reduce(g, 'ReduceSum', x, axes, keepDims);
  const ones = g.constant('float32', [1, rows], [1]);
  const columnSums = gemm(g, ones, reshape(g, x, [rows, columns]));
  return reshape(g, columnSums, reduced);
}

lower<tf.SumInputs, tf.SumAttrs>(tf.Sum, ({ g, inputs: { x }, attrs: { axis, keepDims } }) =>
  sum(g, x.type === 'bool' ? cast(g, x, 'int32') : x, axesOf(axis, x), keepDims),
);

lower<tf.MeanInputs, tf.MeanAttrs>(tf.Mean, ({ g, inputs: { x }, attrs: { axis, keepDims } }) => {
  const axes = axesOf(axis, x);
  const added = sum(g, cast(g, x, 'float32'), axes, keepDims);
  return div(g, added, g.scalar('float32', sizeOfAxes(x.shape, axes)));
});

lower<tf.MaxInputs, tf.MaxAttrs>(tf.Max, ({ g, inputs: { x }, attrs: { reductionIndices, keepDims } }) =>
  reduce(g, 'ReduceMax', x, axesOf(reductionIndices, x), keepDims),
);
lower<tf.MinInputs, tf.MinAttrs>(tf.Min, ({ g, inputs: { x }, attrs: { axis, keepDims } }) =>
  reduce(g, 'ReduceMin', x, axesOf(axis, x), keepDims),
);
lower<tf.ProdInputs, tf.ProdAttrs>(tf.Prod, ({ g, inputs: { x }, attrs: { axis, keepDims } }) =>
  reduce(g, 'ReduceProd', x.type === 'bool' ? cast(g, x, 'int32') : x, axesOf(axis, x), keepDims),
);
lower<tf.AllInputs, tf.AllAttrs>(tf.All, ({ g, inputs: { x }, attrs: { axis, keepDims } }) =>
  cast(g, reduce(g, 'ReduceMin', cast(g, x, 'int32'), axesOf(axis, x), keepDims), 'bool'),
);
lower<tf.AnyInputs, tf.AnyAttrs>(tf.Any, ({ g, inputs: { x }, attrs: { axis, keepDims } }) =>
  cast(g, reduce(g, 'ReduceMax', cast(g, x, 'int32'), axesOf(axis, x), keepDims), 'bool'),
);

/** tfjs never finds a NaN to be an extreme, ONNX Runtime may. */
const withoutNaN = (g: Graph, x: Value, instead: number): Value =>
  x.type === 'float32' ? where(g, unary(g, 'IsNaN', x, {}, 'bool'), g.scalar('float32', instead), x) : x;

for (const [kernel, op] of [
  [tf.ArgMax, 'ArgMax'],
  [tf.ArgMin, 'ArgMin'],
] as const) {
  lower<tf.ArgMaxInputs, tf.ArgMaxAttrs>(kernel, ({ g, inputs: { x }, attrs: { axis } }) => {
    const along = positiveAxis(axis ?? 0, x.shape.length);
    const numbers = x.type === 'bool' ? cast(g, x, 'int32') : withoutNaN(g, x, op === 'ArgMax' ? -Infinity : Infinity);
    const output = { type: 'int64', shape: reducedShape(x.shape, [along], false) } as const;
    return cast(g, g.node(op, [numbers], output, { axis: along, keepdims: 0 }), 'int32');
  });
}

lower<tf.CumsumInputs, tf.CumsumAttrs>(tf.Cumsum, ({ g, inputs: { x }, attrs: { axis, exclusive, reverse } }) =>
  g.node('CumSum', [x, g.scalar('int64', positiveAxis(axis, x.shape.length))], x, {
    ...(exclusive && { exclusive: 1 }),
    ...(reverse && { reverse: 1 }),
  }),
);

/** ONNX has no cumulative product: a product over what comes before, of a table with both axes. */
lower<tf.CumprodInputs, tf.CumprodAttrs>(tf.Cumprod, ({ g, inputs: { x }, attrs: { axis, exclusive, reverse } }) => {
  const along = positiveAxis(axis, x.shape.length);
  const n = x.shape[along]!;
  const counts = (i: number, j: number) => (exclusive ? j !== i : true) && (reverse ? j >= i : j <= i);
  const mask = Array.from({ length: n * n }, (_, k) => +counts(Math.floor(k / n), k % n));
  // [before, i, j, after]: the product over j
  const open = [...x.shape.slice(0, along), 1, n, ...x.shape.slice(along + 1)];
  const table = [n, n, ...x.shape.slice(along + 1).map(() => 1)];
  const factors = where(g, g.constant('bool', table, mask), reshape(g, x, open), g.scalar(x.type, 1));
  return reduce(g, 'ReduceProd', factors, [along + 1]);
});

/** Softmax or LogSoftmax along an axis; ONNX Runtime is fast on the last one. */
function alongLast(g: Graph, op: 'Softmax' | 'LogSoftmax', logits: Value, axis: number): Value {
  const rank = logits.shape.length;
  const along = positiveAxis(axis, rank);
  const x = cast(g, logits, 'float32');
  if (along === rank - 1) return unary(g, op, x, { axis: -1 });
  const perm = [...x.shape.keys()].map((i) => (i === along ? rank - 1 : i === rank - 1 ? along : i));
  return transpose(g, unary(g, op, transpose(g, x, perm), { axis: -1 }), perm);
}

lower<tf.SoftmaxInputs, tf.SoftmaxAttrs>(tf.Softmax, ({ g, inputs: { logits }, attrs: { dim } }) =>
  alongLast(g, 'Softmax', logits, dim),
);
lower<tf.LogSoftmaxInputs, tf.LogSoftmaxAttrs>(tf.LogSoftmax, ({ g, inputs: { logits }, attrs: { axis } }) =>
  alongLast(g, 'LogSoftmax', logits, axis),
);
