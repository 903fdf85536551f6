/**
 * ONNX operators with their shape inference, and the rewrites that need no search: what changes nothing is not written, constants
 * are folded, a splat meets an elementwise operator as a scalar. Lowerings (ops/) are composed of these.
 */

import * as tf from '@tensorflow/tfjs-core';
import { type Shape, sameShape, sizeOf } from '../../base/ndarray.ts';
import {
  type Attributes,
  constantData,
  type ElementType,
  elementsOf,
  type Graph,
  type Node,
  splatOf,
  type Value,
} from './graph.ts';

/** The shape that two shapes broadcast to (numpy's rule). Throws tfjs's own error when they do not. */
export const broadcastShapes = (a: Shape, b: Shape): number[] =>
  tf.broadcast_util.assertAndGetBroadcastShape([...a], [...b]);

export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const foldable: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

/** The right operand that changes nothing; for Add and Mul the left one as well. */
const neutral: Readonly<Record<string, number>> = { Add: 0, Sub: 0, Mul: 1, Div: 1 };

/** A single number next to a tensor of the full shape needs no shape of its own: ONNX Runtime is faster without. */
function asOperand(g: Graph, x: Value, other: Value, shape: Shape): Value {
  if (x.shape.length === 0 || !sameShape(other.shape, shape)) return x;
  const number = splatOf(x);
  if (number !== undefined) return g.scalar(x.type, number);
  return sizeOf(x.shape) === 1 && sizeOf(shape) > 1 ? reshape(g, x, []) : x;
}

/** From NCHW, in which ONNX convolves, to NHWC, in which tfjs does. */
const toLast = [0, 2, 3, 1];

const lastOf = (x: Value): Node | undefined => {
  const node = x.source.kind === 'node' && x.source.node.op === 'Transpose' ? x.source.node : undefined;
  return node && sameShape(node.attributes.perm as readonly number[], toLast) ? node : undefined;
};

/**
 * Whether all operands of an elementwise operator are images that were turned to NHWC, single numbers aside. The operator is
 * then written before the turn: turns move on until they meet their inverse at the next convolution.
 */
const areTurned = (...operands: readonly Value[]): boolean => {
  const images = operands.filter((x) => sizeOf(x.shape) !== 1);
  return images.length > 0 && images.every(lastOf) && operands.every((x) => x.shape.length <= 4);
};

/** The NCHW image that was turned into this NHWC one, if that is where it comes from. */
export const turnedImage = (x: Value): Value | undefined => lastOf(x)?.inputs[0];

/** An image as it was before the turn; a single number as it is. */
const beforeTurn = (x: Value): Value => turnedImage(x) ?? x;

/** A broadcasting operator of two tensors of one type. */
export function binary(g: Graph, op: string, a: Value, b: Value, type: ElementType = a.type): Value {
  const shape = broadcastShapes(a.shape, b.shape);
  const [x, y, fold] = [splatOf(a), splatOf(b), foldable[op]];
  if (x !== undefined && y !== undefined && fold && type === 'float32') {
    return g.constant(type, shape, [Math.fround(fold(x, y))]);
  }
  if (op in neutral) {
    if (y === neutral[op] && sameShape(a.shape, shape)) return a;
    if (x === neutral[op] && sameShape(b.shape, shape) && (op === 'Add' || op === 'Mul')) return b;
  }
  if (areTurned(a, b)) return transpose(g, binary(g, op, beforeTurn(a), beforeTurn(b), type), toLast);
  const left = asOperand(g, a, b, shape);
  return g.node(op, [left, asOperand(g, b, left, shape)], { type, shape });
}

/** a·c − b·c as (a − b)·c: what the gradient of a difference often is. */
function factored(g: Graph, x: Value, y: Value): Value | undefined {
  const [a, b] = [scaled(x), scaled(y)];
  if (!a || !b || a.factor !== -b.factor || !sameShape(x.shape, y.shape)) return undefined;
  const [plus, minus] = a.factor > 0 ? [a, b] : [b, a];
  return mul(g, sub(g, plus.of, minus.of), g.scalar('float32', plus.factor));
}

/** A tensor times a constant, taken apart. */
function scaled(x: Value): { of: Value; factor: number } | undefined {
  if (x.source.kind !== 'node' || x.source.node.op !== 'Mul' || x.type !== 'float32') return undefined;
  const [a, b] = x.source.node.inputs as [Value, Value];
  for (const [of, constant] of [
    [a, b],
    [b, a],
  ] as const) {
    const factor = splatOf(constant);
    if (factor !== undefined && sameShape(of.shape, x.shape)) return { of, factor };
  }
  return undefined;
}

export const add = (g: Graph, a: Value, b: Value): Value => factored(g, a, b) ?? binary(g, 'Add', a, b);
export const sub = (g: Graph, a: Value, b: Value): Value => binary(g, 'Sub', a, b);
/** Constant factors are multiplied with each other first. */
export function mul(g: Graph, a: Value, b: Value): Value {
  for (const [constant, x] of [
    [a, b],
    [b, a],
  ] as const) {
    const inner = scaled(x);
    const factor = splatOf(constant);
    if (inner && factor !== undefined && sizeOf(constant.shape) <= sizeOf(x.shape)) {
      return binary(g, 'Mul', inner.of, g.scalar('float32', factor * inner.factor));
    }
  }
  return binary(g, 'Mul', a, b);
}
export const div = (g: Graph, a: Value, b: Value): Value => binary(g, 'Div', a, b);
export const compare = (g: Graph, op: string, a: Value, b: Value): Value => binary(g, op, a, b, 'bool');

export function unary(g: Graph, op: string, x: Value, attributes: Attributes = {}, type: ElementType = x.type): Value {
  const splat = splatOf(x);
  if (op === 'Neg' && splat !== undefined) return g.constant(type, x.shape, [-splat]);
  if (areTurned(x)) return transpose(g, unary(g, op, beforeTurn(x), attributes, type), toLast);
  return g.node(op, [x], { type, shape: x.shape }, attributes);
}

/** As steep as float32 allows: a step in one pass (below 3e-39 it is a slope). NaN stays. */
const steepest = { alpha: { float: 3.4e38 }, beta: { float: 0 } };

/**
 * 1 where x > 0, else 0. Where x was rectified, its rectified form is read, which has the same sign: then often nothing else
 * reads x.
 */
export const stepOf = (g: Graph, x: Value): Value =>
  unary(g, 'HardSigmoid', existingUnary(g, 'Relu', x) ?? x, steepest);

/** What `unary` would return, if it was asked for before. */
function existingUnary(g: Graph, op: string, x: Value): Value | undefined {
  const image = turnedImage(x);
  const found = g.find(op, [image ?? x]);
  return found && image ? transpose(g, found, toLast) : found;
}

export function where(g: Graph, condition: Value, yes: Value, no: Value): Value {
  const shape = broadcastShapes(condition.shape, broadcastShapes(yes.shape, no.shape));
  // ONNX Runtime does not select bools
  if (yes.type === 'bool') return cast(g, where(g, condition, cast(g, yes, 'int32'), cast(g, no, 'int32')), 'bool');
  if (areTurned(condition, yes, no)) {
    return transpose(g, where(g, beforeTurn(condition), beforeTurn(yes), beforeTurn(no)), toLast);
  }
  const scalar = (x: Value) => (sameShape(condition.shape, shape) ? asOperand(g, x, condition, shape) : x);
  return g.node('Where', [condition, scalar(yes), scalar(no)], { type: yes.type, shape });
}

/** TensorProto.DataType by element type. */
export const typeNumbers = { float32: 1, int32: 6, int64: 7, bool: 9 } as const satisfies Record<ElementType, number>;

/** Cast by C's rules: towards zero; to bool, whatever is not zero is true. */
export function cast(g: Graph, x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  const data = constantData(x);
  if (data && data.length <= 64) {
    const convert = {
      float32: Math.fround,
      int32: (v: number) => v | 0,
      int64: Math.trunc,
      bool: (v: number) => +(v !== 0),
    };
    return g.constant(type, x.shape, Array.from(data, convert[type]));
  }
  return g.node('Cast', [x], { type, shape: x.shape }, { to: typeNumbers[type] });
}

export function reshape(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const data = constantData(x);
  if (data) return g.constant(x.type, shape, data);
  const { source } = x;
  // of two reshapes in a row only the last counts
  if (source.kind === 'node' && source.node.op === 'Reshape') return reshape(g, source.node.inputs[0]!, shape);
  // otherwise 0 stands for the input's dimension
  const attributes: Attributes = shape.includes(0) ? { allowzero: 1 } : {};
  return g.node('Reshape', [x, g.int64(shape)], { type: x.type, shape }, attributes);
}

export function transpose(g: Graph, x: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => x.shape[axis]!);
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return reshape(g, x, shape);
  if (splatOf(x) !== undefined) return g.constant(x.type, shape, [splatOf(x)!]);
  const { source } = x;
  if (source.kind === 'node' && source.node.op === 'Transpose') {
    const first = source.node.attributes.perm as readonly number[];
    return transpose(
      g,
      source.node.inputs[0]!,
      perm.map((axis) => first[axis]!),
    );
  }
  return g.node('Transpose', [x], { type: x.type, shape }, { perm });
}

/** Broadcasts to a shape. */
export function expand(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const splat = splatOf(x);
  if (splat !== undefined) return g.constant(x.type, shape, [splat]);
  return g.node('Expand', [x, g.int64(shape)], { type: x.type, shape });
}

export function tile(g: Graph, x: Value, reps: readonly number[]): Value {
  if (reps.every((n) => n === 1)) return x;
  const shape = x.shape.map((dim, i) => dim * reps[i]!);
  const splat = splatOf(x);
  if (splat !== undefined) return g.constant(x.type, shape, [splat]);
  return g.node('Tile', [x, g.int64(reps)], { type: x.type, shape });
}

/** `from[i], from[i]+step[i], …`, `size[i]` of them, along each axis. Steps may be negative. */
export function slice(
  g: Graph,
  x: Value,
  from: readonly number[],
  size: readonly number[],
  steps: readonly number[] = from.map(() => 1),
): Value {
  const axes = [...x.shape.keys()].filter((i) => size[i] !== x.shape[i] || from[i] !== 0 || steps[i] !== 1);
  if (axes.length === 0) return x;
  const splat = splatOf(x);
  if (splat !== undefined) return g.constant(x.type, size, [splat]);
  const to = axes.map((i) => {
    const end = from[i]! + (size[i]! - 1) * steps[i]! + Math.sign(steps[i]!);
    // -1 would mean the last element, not the place before the first
    return size[i] === 0 ? from[i]! : end < 0 ? -x.shape[i]! - 1 : end;
  });
  const pick = (list: readonly number[]) => g.int64(axes.map((i) => list[i]!));
  const bounds = [pick(from), g.int64(to), g.int64(axes)];
  const inputs = axes.some((i) => steps[i] !== 1) ? [x, ...bounds, pick(steps)] : [x, ...bounds];
  return g.node('Slice', inputs, { type: x.type, shape: size });
}

/** Reverses axes. */
export function reverse(g: Graph, x: Value, axes: readonly number[]): Value {
  const turned = (i: number) => axes.includes(i) && x.shape[i]! > 1;
  return slice(
    g,
    x,
    x.shape.map((dim, i) => (turned(i) ? dim - 1 : 0)),
    x.shape,
    x.shape.map((_, i) => (turned(i) ? -1 : 1)),
  );
}

export function concat(g: Graph, parts: readonly Value[], axis: number): Value {
  const filled = parts.filter((part) => part.shape[axis] !== 0);
  const first = filled[0] ?? parts[0]!;
  if (filled.length <= 1) return first;
  const dim = filled.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const shape = first.shape.map((d, i) => (i === axis ? dim : d));
  return g.node('Concat', filled, { type: first.type, shape }, { axis });
}

export function pad(
  g: Graph,
  x: Value,
  before: readonly number[],
  after: readonly number[],
  value = 0,
  mode: 'constant' | 'reflect' = 'constant',
): Value {
  if ([...before, ...after].every((n) => n === 0)) return x;
  const shape = x.shape.map((dim, i) => dim + before[i]! + after[i]!);
  const inputs = [x, g.int64([...before, ...after])];
  if (mode === 'constant') inputs.push(g.scalar(x.type, value));
  return g.node('Pad', inputs, { type: x.type, shape }, { mode });
}

/** Shape of a reduction over axes. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepDims: boolean): number[] =>
  keepDims ? shape.map((dim, i) => (axes.includes(i) ? 1 : dim)) : shape.filter((_, i) => !axes.includes(i));

/** ReduceSum, ReduceMax …: axes must be positive. */
export function reduce(g: Graph, op: string, x: Value, axes: readonly number[], keepDims = false): Value {
  const shape = reducedShape(x.shape, axes, keepDims);
  if (axes.every((axis) => x.shape[axis] === 1)) return reshape(g, x, shape);
  const sorted = [...axes].sort((a, b) => a - b);
  if (sizeOf(shape) === 1 && x.shape.length > 1 && sizeOf(x.shape) > 0) {
    // ONNX Runtime reduces a vector at once, axes of one element between others slow it down
    const vector = reshape(g, x, [sizeOf(x.shape)]);
    return reshape(g, g.node(op, [vector, g.int64([0])], { type: x.type, shape: [] }, { keepdims: 0 }), shape);
  }
  return g.node(op, [x, g.int64(sorted)], { type: x.type, shape }, { keepdims: keepDims ? 1 : 0 });
}

/** alpha · A' B' + C of matrices; C broadcasts. */
export function gemm(
  g: Graph,
  a: Value,
  b: Value,
  { transA = false, transB = false, c }: { transA?: boolean; transB?: boolean; c?: Value | undefined } = {},
): Value {
  const shape = [a.shape[transA ? 1 : 0]!, b.shape[transB ? 0 : 1]!];
  const attributes = { ...(transA && { transA: 1 }), ...(transB && { transB: 1 }) };
  return g.node('Gemm', c ? [a, b, c] : [a, b], { type: a.type, shape }, attributes);
}

export function matMul(g: Graph, a: Value, b: Value): Value {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return g.node('MatMul', [a, b], { type: a.type, shape: [...batch, a.shape.at(-2)!, b.shape.at(-1)!] });
}

/** Entries of `x` along an axis, at int32 or int64 indices; the indices' shape takes the axis's place. */
export function gather(g: Graph, x: Value, indices: Value, axis: number): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return g.node('Gather', [x, indices], { type: x.type, shape }, { axis });
}

/** `0, 1, … n-1` as a constant. */
export const iota = (g: Graph, n: number, type: ElementType = 'int64'): Value =>
  g.constant(type, [n], n === 1 ? [0] : Array.from({ length: n }, (_, i) => i));

export const sizeOfAxes = (shape: Shape, axes: readonly number[]): number => sizeOf(axes.map((axis) => shape[axis]!));

export { elementsOf };
