/** Kernels that move, repeat or select elements without computing on them. */

import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../base/ndarray.ts';
import type { ElementType, Graph, Value } from '../graph.ts';
import { lower, NoOnnxForm } from '../lowering.ts';
import {
  cast,
  concat,
  expand,
  gather,
  iota,
  pad,
  positiveAxis,
  reshape,
  reverse,
  slice,
  tile,
  transpose,
  where,
} from '../nodes.ts';

lower<tf.ReshapeInputs, tf.ReshapeAttrs>(tf.Reshape, ({ g, inputs: { x }, attrs: { shape } }) =>
  reshape(g, x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape))),
);
lower<tf.ExpandDimsInputs, tf.ExpandDimsAttrs>(tf.ExpandDims, ({ g, inputs: { input }, attrs: { dim } }) => {
  const shape = [...input.shape];
  tf.util.assert(
    -shape.length - 1 <= dim && dim <= shape.length,
    () => `Axis ${dim} is not in a rank of ${shape.length}`,
  );
  shape.splice(dim < 0 ? shape.length + 1 + dim : dim, 0, 1);
  return reshape(g, input, shape);
});
lower<tf.TransposeInputs, tf.TransposeAttrs>(tf.Transpose, ({ g, inputs: { x }, attrs: { perm } }) =>
  transpose(g, x, perm ?? [...x.shape.keys()].reverse()),
);
lower<tf.TileInputs, tf.TileAttrs>(tf.Tile, ({ g, inputs: { x }, attrs: { reps } }) => tile(g, x, reps));
lower<tf.BroadcastToInputs, tf.BroadCastToAttrs>(tf.BroadcastTo, ({ g, inputs: { x }, attrs: { shape } }) =>
  expand(g, x, shape),
);

function numberType(dtype: tf.DataType | undefined, value: number | string): ElementType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  if (dtype === undefined && typeof value === 'number') return 'float32';
  throw new NoOnnxForm(`it makes a ${dtype ?? typeof value} tensor`);
}

lower<object, tf.FillAttrs>(tf.Fill, ({ g, attrs: { shape, value, dtype } }) =>
  expand(g, g.scalar(numberType(dtype, value), +value), shape),
);
lower<tf.ZerosLikeInputs>(tf.ZerosLike, ({ g, inputs: { x } }) => expand(g, g.scalar(x.type, 0), x.shape));
lower<tf.OnesLikeInputs>(tf.OnesLike, ({ g, inputs: { x } }) => expand(g, g.scalar(x.type, 1), x.shape));
lower<object, tf.RangeAttrs>(tf.Range, ({ g, attrs: { start, stop, step: given, dtype } }) => {
  // a falling range needs no negative step in tfjs
  const step = stop < start && given === 1 ? -1 : given;
  const size = Math.max(0, Math.ceil((stop - start) / step));
  return g.constant(
    dtype,
    [size],
    Array.from({ length: size }, (_, i) => start + i * step),
  );
});

lower<object, tf.LinSpaceAttrs>(tf.LinSpace, ({ g, attrs: { start, stop, num } }) => {
  const step = (stop - start) / (num - 1);
  return g.constant(
    'float32',
    [num],
    Array.from({ length: num }, (_, i) => start + (i === 0 ? 0 : i * step)),
  );
});
lower<tf.DiagInputs>(tf.Diag, ({ g, inputs: { x } }) => {
  const n = sizeOf(x.shape);
  const eye = g.constant(
    'bool',
    [n, n],
    Array.from({ length: n * n }, (_, k) => +(k % (n + 1) === 0)),
  );
  return reshape(g, where(g, eye, reshape(g, x, [n]), g.scalar(x.type, 0)), [...x.shape, ...x.shape]);
});

/** Concatenates; a shape of one element more would be broadcast by numpy, never here. */
lower<tf.ConcatInputs, tf.ConcatAttrs>(tf.Concat, ({ g, inputs, attrs: { axis } }) => {
  const parts = Object.values(inputs) as Value[];
  const along = tf.util.parseAxisParam(axis, [...parts[0]!.shape])[0]!;
  tf.backend_util.assertParamsConsistent(
    parts.map((part) => [...part.shape]),
    along,
  );
  return concat(g, parts, along);
});
lower<tf.PackInputs, tf.PackAttrs>(tf.Pack, ({ g, inputs, attrs: { axis } }) => {
  const parts = Object.values(inputs) as Value[];
  const [first] = parts as [Value];
  for (const part of parts) {
    tf.util.assertShapesMatch(
      [...first.shape],
      [...part.shape],
      'All tensors passed to stack must have matching shapes',
    );
    tf.util.assert(part.type === first.type, () => 'All tensors passed to stack must have matching dtypes');
  }
  const at = positiveAxis(axis, first.shape.length + 1);
  const shape = [...first.shape];
  shape.splice(at, 0, 1);
  return concat(
    g,
    parts.map((part) => reshape(g, part, shape)),
    at,
  );
});

/** The pieces of given sizes along an axis. */
function pieces(g: Graph, x: Value, sizes: readonly number[], axis: number): Value[] {
  let start = 0;
  return sizes.map((size) => {
    const from = x.shape.map((_, i) => (i === axis ? start : 0));
    start += size;
    return slice(
      g,
      x,
      from,
      x.shape.map((dim, i) => (i === axis ? size : dim)),
    );
  });
}

lower<tf.UnpackInputs, tf.UnpackAttrs>(tf.Unpack, ({ g, inputs: { value }, attrs: { axis } }) => {
  const along = positiveAxis(axis, value.shape.length);
  const shape = value.shape.filter((_, i) => i !== along);
  return pieces(g, value, new Array(value.shape[along]!).fill(1), along).map((piece) => reshape(g, piece, shape));
});
lower<tf.SplitVInputs, tf.SplitVAttrs>(tf.SplitV, ({ g, inputs: { x }, attrs: { numOrSizeSplits, axis } }) => {
  const along = positiveAxis(axis, x.shape.length);
  const like = { shape: [...x.shape] } as tf.Tensor;
  return pieces(g, x, tf.backend_util.prepareSplitSize(like, numOrSizeSplits, along), along);
});

lower<tf.SliceInputs, tf.SliceAttrs>(tf.Slice, ({ g, inputs: { x }, attrs: { begin, size } }) => {
  const like = { shape: [...x.shape], rank: x.shape.length } as tf.Tensor;
  const [from, extent] = tf.slice_util.parseSliceParams(like, begin, size);
  tf.slice_util.assertParamsValid(like, from!, extent!);
  return slice(g, x, from!, extent!);
});
lower<tf.StridedSliceInputs, tf.StridedSliceAttrs>(tf.StridedSlice, ({ g, inputs: { x }, attrs }) => {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
  const info = tf.slice_util.sliceInfo(
    [...x.shape],
    begin,
    end,
    strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  if (info.isIdentity) return reshape(g, x, info.finalShape);
  const extent = tf.slice_util.computeOutShape(info.begin, info.end, info.strides).map((n) => Math.max(0, n));
  return reshape(g, slice(g, x, info.begin, extent, info.strides), info.finalShape);
});
lower<tf.ReverseInputs, tf.ReverseAttrs>(tf.Reverse, ({ g, inputs: { x }, attrs: { dims } }) =>
  reverse(g, x, tf.util.parseAxisParam(dims, [...x.shape])),
);

lower<tf.PadV2Inputs, tf.PadV2Attrs>(tf.PadV2, ({ g, inputs: { x }, attrs: { paddings, constantValue } }) =>
  pad(
    g,
    x,
    paddings.map((p) => p[0]),
    paddings.map((p) => p[1]),
    constantValue,
  ),
);
lower<tf.MirrorPadInputs, tf.MirrorPadAttrs>(tf.MirrorPad, ({ g, inputs: { x }, attrs: { paddings, mode } }) => {
  // gathers along each axis: the indices of reflection (without the edge) or symmetry (with it)
  const offset = mode === 'reflect' ? 0 : 1;
  return paddings.reduce((value, [before, after], axis) => {
    if (before === 0 && after === 0) return value;
    const dim = value.shape[axis]!;
    const index = Array.from({ length: before + dim + after }, (_, i) => {
      const at = i - before;
      if (at < 0) return -at - offset;
      return at < dim ? at : 2 * (dim - 1) - at + offset;
    });
    return gather(g, value, g.int64(index), axis);
  }, x);
});

/** Indices out of range: tfjs has checked constants; ONNX Runtime refuses the rest. */
lower<tf.GatherV2Inputs, tf.GatherV2Attrs>(tf.GatherV2, ({ g, inputs: { x, indices }, attrs }) => {
  const rank = x.shape.length;
  const axis = positiveAxis(attrs.axis, rank);
  const batchDims = positiveAxis(attrs.batchDims ?? 0, indices.shape.length);
  const like = (value: Value) => ({ shape: [...value.shape] }) as tf.Tensor;
  tf.backend_util.segment_util.collectGatherOpShapeInfo(like(x), like(indices), axis, batchDims);
  if (batchDims === 0) return gather(g, x, cast(g, indices, 'int32'), axis);
  // flatten the batch into one axis and give each batch its own range of rows
  const batch = x.shape.slice(0, batchDims);
  const count = sizeOf(batch);
  const dim = x.shape[axis]!;
  const before = x.shape.slice(batchDims, axis);
  const after = x.shape.slice(axis + 1);
  const last = [...x.shape.keys()];
  const perm = [...last.slice(0, batchDims), axis, ...last.slice(batchDims, axis), ...last.slice(axis + 1)];
  const rows = reshape(g, transpose(g, x, perm), [count * dim, ...before, ...after]);
  const own = indices.shape.slice(batchDims);
  const start = g.constant('int32', [count, 1], count === 1 ? [0] : Array.from({ length: count }, (_, i) => i * dim));
  const flat = reshape(g, cast(g, indices, 'int32'), [count, sizeOf(own)]);
  const absolute = g.node('Add', [flat, start], flat);
  const picked = reshape(g, gather(g, rows, absolute, 0), [...batch, ...own, ...before, ...after]);
  const [b, o, p] = [batchDims, own.length, before.length];
  const axes = [...picked.shape.keys()];
  return transpose(g, picked, [
    ...axes.slice(0, b),
    ...axes.slice(b + o, b + o + p),
    ...axes.slice(b, b + o),
    ...axes.slice(b + o + p),
  ]);
});

lower<tf.OneHotInputs, tf.OneHotAttrs>(
  tf.OneHot,
  ({ g, inputs: { indices }, attrs: { depth, onValue, offValue, dtype } }) => {
    // comparing leaves out-of-range indices at offValue, as in tfjs; ONNX OneHot would wrap negative ones
    const shape = [...indices.shape, depth];
    const column = reshape(g, cast(g, indices, 'int32'), [...indices.shape, 1]);
    const hit = g.node('Equal', [column, iota(g, depth, 'int32')], { type: 'bool', shape });
    const type = numberType(dtype, onValue);
    if (onValue === 1 && offValue === 0) return cast(g, hit, type);
    return g.node('Where', [hit, g.scalar(type, onValue), g.scalar(type, offValue)], { type, shape });
  },
);
