/** Elementwise kernels of one or two tensors: arithmetic, comparisons, logic, rounding, activations, selection, casts. */

import * as tf from '@tensorflow/tfjs-core';
import type { Graph, Value } from '../graph.ts';
import { lower, NoOnnxForm } from '../lowering.ts';
import {
  add,
  binary,
  broadcastShapes,
  cast,
  compare,
  div,
  expand,
  mul,
  reshape,
  stepOf,
  sub,
  unary,
  where,
} from '../nodes.ts';
import { biased } from './bias.ts';
import { steppedMaxPoolGradient } from './pooling.ts';

const zero = (g: Graph, like: Value): Value => g.scalar(like.type, 0);
const one = (g: Graph, like: Value): Value => g.scalar(like.type, 1);

/** int32 for bool operands: ONNX arithmetic has no bool. */
const numeric = (g: Graph, x: Value): Value => (x.type === 'bool' ? cast(g, x, 'int32') : x);

function lowerBinary(kernel: string, compute: (g: Graph, a: Value, b: Value) => Value): void {
  lower<tf.BinaryInputs>(kernel, ({ g, inputs: { a, b } }) => compute(g, numeric(g, a), numeric(g, b)));
}

lowerBinary(tf.Add, (g, a, b) => biased(g, a, b) ?? biased(g, b, a) ?? add(g, a, b));
lowerBinary(tf.Sub, sub);
lowerBinary(tf.Multiply, (g, a, b) => steppedMaxPoolGradient(g, a, b) ?? mul(g, a, b));
lowerBinary(tf.RealDiv, (g, a, b) => div(g, cast(g, a, 'float32'), cast(g, b, 'float32')));
lowerBinary(tf.Maximum, (g, a, b) => binary(g, 'Max', a, b));
lowerBinary(tf.Minimum, (g, a, b) => binary(g, 'Min', a, b));
lowerBinary(tf.Pow, (g, a, b) => binary(g, 'Pow', a, b));
lowerBinary(tf.SquaredDifference, (g, a, b) => {
  const difference = sub(g, a, b);
  return mul(g, difference, difference);
});
// floor of the quotient; for int32 the float quotient would lose digits beyond 2^24
lowerBinary(tf.FloorDiv, (g, a, b) => {
  if (a.type === 'float32') return unary(g, 'Floor', div(g, a, b));
  const quotient = div(g, a, b);
  const remainder = sub(g, a, mul(g, quotient, b));
  const apart = compare(g, 'Less', mul(g, remainder, b), zero(g, a));
  return sub(g, quotient, cast(g, apart, 'int32'));
});
// the sign of the divisor, as in Python and tfjs; ONNX Mod of floats follows the dividend
lowerBinary(tf.Mod, (g, a, b) => {
  if (a.type === 'int32') return g.node('Mod', [a, b], { type: a.type, shape: broadcastShapes(a.shape, b.shape) });
  const rest = g.node('Mod', [a, b], { type: a.type, shape: broadcastShapes(a.shape, b.shape) }, { fmod: 1 });
  const apart = compare(g, 'Less', mul(g, rest, b), zero(g, a));
  return where(g, apart, add(g, rest, b), rest);
});
lowerBinary(tf.Atan2, (g, y, x) => {
  const float = (value: Value) => cast(g, value, 'float32');
  const [fy, fx] = [float(y), float(x)];
  const angle = unary(g, 'Atan', div(g, fy, fx));
  const pi = g.scalar('float32', Math.PI);
  const left = where(g, compare(g, 'Less', fy, zero(g, fy)), sub(g, angle, pi), add(g, angle, pi));
  const sided = where(g, compare(g, 'Less', fx, zero(g, fx)), left, angle);
  const origin = binary(g, 'And', compare(g, 'Equal', fy, zero(g, fy)), compare(g, 'Equal', fx, zero(g, fx)));
  return where(g, origin, zero(g, fy), sided);
});

lower<Record<string, tf.TensorInfo>>(tf.AddN, ({ g, inputs }) => Object.values(inputs).reduce((a, b) => add(g, a, b)));

for (const [kernel, op] of [
  [tf.Greater, 'Greater'],
  [tf.GreaterEqual, 'GreaterOrEqual'],
  [tf.Less, 'Less'],
  [tf.LessEqual, 'LessOrEqual'],
  [tf.Equal, 'Equal'],
] as const) {
  lowerBinary(kernel, (g, a, b) => compare(g, op, a, b));
}
lowerBinary(tf.NotEqual, (g, a, b) => unary(g, 'Not', compare(g, 'Equal', a, b)));

for (const [kernel, op] of [
  [tf.LogicalAnd, 'And'],
  [tf.LogicalOr, 'Or'],
  [tf.LogicalXor, 'Xor'],
] as const) {
  lower<tf.BinaryInputs>(kernel, ({ g, inputs: { a, b } }) => binary(g, op, cast(g, a, 'bool'), cast(g, b, 'bool')));
}
lower<tf.LogicalNotInputs>(tf.LogicalNot, ({ g, inputs: { x } }) => unary(g, 'Not', cast(g, x, 'bool')));
lower<tf.BitwiseAndInputs>(tf.BitwiseAnd, ({ g, inputs: { a, b } }) => binary(g, 'BitwiseAnd', a, b));

function lowerUnary(kernel: string, compute: (g: Graph, x: Value) => Value): void {
  lower<tf.UnaryInputs>(kernel, ({ g, inputs: { x } }) => compute(g, x));
}

/** Functions of floats; an int32 argument is computed in float32. */
for (const [kernel, op] of [
  [tf.Acos, 'Acos'],
  [tf.Acosh, 'Acosh'],
  [tf.Asin, 'Asin'],
  [tf.Asinh, 'Asinh'],
  [tf.Atan, 'Atan'],
  [tf.Atanh, 'Atanh'],
  [tf.Cos, 'Cos'],
  [tf.Cosh, 'Cosh'],
  [tf.Erf, 'Erf'],
  [tf.Exp, 'Exp'],
  [tf.Log, 'Log'],
  [tf.Reciprocal, 'Reciprocal'],
  [tf.Sigmoid, 'Sigmoid'],
  [tf.Sin, 'Sin'],
  [tf.Sinh, 'Sinh'],
  [tf.Sqrt, 'Sqrt'],
  [tf.Tan, 'Tan'],
  [tf.Tanh, 'Tanh'],
] as const) {
  lowerUnary(kernel, (g, x) => unary(g, op, cast(g, x, 'float32')));
}

/** Rounding leaves integers as they are. */
for (const [kernel, op] of [
  [tf.Ceil, 'Ceil'],
  [tf.Floor, 'Floor'],
  [tf.Round, 'Round'],
] as const) {
  lowerUnary(kernel, (g, x) => (x.type === 'float32' ? unary(g, op, x) : x));
}

lowerUnary(tf.Abs, (g, x) => unary(g, 'Abs', numeric(g, x)));
lowerUnary(tf.Neg, (g, x) => unary(g, 'Neg', numeric(g, x)));
// ONNX Sign would keep NaN, tfjs's is 0
lowerUnary(tf.Sign, (g, x) => {
  const nothing = g.scalar(numeric(g, x).type, 0);
  const sided = (op: string) => cast(g, compare(g, op, numeric(g, x), nothing), nothing.type);
  return sub(g, sided('Greater'), sided('Less'));
});
lowerUnary(tf.Square, (g, x) => mul(g, numeric(g, x), numeric(g, x)));
lowerUnary(tf.Identity, (_, x) => x);
lowerUnary(tf.Rsqrt, (g, x) => unary(g, 'Reciprocal', unary(g, 'Sqrt', cast(g, x, 'float32'))));
lowerUnary(tf.Log1p, (g, x) => {
  const float = cast(g, x, 'float32');
  return unary(g, 'Log', add(g, float, one(g, float)));
});
lowerUnary(tf.Expm1, (g, x) => {
  const power = unary(g, 'Exp', cast(g, x, 'float32'));
  return sub(g, power, one(g, power));
});
lowerUnary(tf.IsNan, (g, x) => unary(g, 'IsNaN', cast(g, x, 'float32'), {}, 'bool'));
lowerUnary(tf.IsInf, (g, x) => unary(g, 'IsInf', cast(g, x, 'float32'), {}, 'bool'));
lowerUnary(tf.IsFinite, (g, x) => {
  const float = cast(g, x, 'float32');
  return unary(g, 'Not', binary(g, 'Or', unary(g, 'IsNaN', float, {}, 'bool'), unary(g, 'IsInf', float, {}, 'bool')));
});

export function relu6(g: Graph, x: Value): Value {
  return g.node('Clip', [x, g.scalar(x.type, 0), g.scalar(x.type, 6)], x);
}

export const leakyRelu = (g: Graph, x: Value, alpha: number): Value =>
  unary(g, 'LeakyRelu', x, { alpha: { float: alpha } });

export const prelu = (g: Graph, x: Value, alpha: Value): Value =>
  where(g, compare(g, 'Less', x, zero(g, x)), mul(g, x, alpha), x);

lowerUnary(tf.Relu, (g, x) => unary(g, 'Relu', x));
lowerUnary(tf.Relu6, relu6);
lowerUnary(tf.Elu, (g, x) => unary(g, 'Elu', x));
lowerUnary(tf.Selu, (g, x) => unary(g, 'Selu', x));
// ln(1 + eˣ) = max(x, 0) − ln σ(|x|), which cannot overflow; ONNX Runtime's own Softplus is five times slower
lowerUnary(tf.Softplus, (g, x) => {
  const float = cast(g, x, 'float32');
  const rest = unary(g, 'Log', unary(g, 'Sigmoid', unary(g, 'Abs', float)));
  return sub(g, unary(g, 'Relu', float), rest);
});
lower<tf.LeakyReluInputs, tf.LeakyReluAttrs>(tf.LeakyRelu, ({ g, inputs: { x }, attrs: { alpha } }) =>
  leakyRelu(g, cast(g, x, 'float32'), alpha),
);
lower<tf.PreluInputs>(tf.Prelu, ({ g, inputs: { x, alpha } }) =>
  prelu(g, cast(g, x, 'float32'), cast(g, alpha, 'float32')),
);
// y > 0: dy; else dy · (y + 1), as y = eˣ − 1
lower<tf.EluGradInputs>(tf.EluGrad, ({ g, inputs: { dy, y } }) =>
  where(g, compare(g, 'Less', y, zero(g, y)), mul(g, dy, add(g, y, one(g, y))), dy),
);
// x > 0: 1; NaN: NaN; else alpha
lower<tf.StepInputs, tf.StepAttrs>(tf.Step, ({ g, inputs: { x }, attrs: { alpha } }) => {
  if (x.type === 'float32' && !alpha) return stepOf(g, x);
  const low = g.scalar(x.type, alpha ?? 0);
  const rest = x.type === 'float32' ? where(g, unary(g, 'IsNaN', x, {}, 'bool'), x, low) : low;
  return where(g, compare(g, 'Greater', x, zero(g, x)), one(g, x), rest);
});
lower<tf.ClipByValueInputs, tf.ClipByValueAttrs>(tf.ClipByValue, ({ g, inputs: { x }, attrs }) =>
  g.node('Clip', [x, g.scalar(x.type, attrs.clipValueMin), g.scalar(x.type, attrs.clipValueMax)], x),
);

lower<tf.CastInputs, tf.CastAttrs>(tf.Cast, ({ g, inputs: { x }, attrs: { dtype } }) => {
  if (dtype === 'string' || dtype === 'complex64') throw new NoOnnxForm(`it casts to ${dtype}`);
  return cast(g, x, dtype);
});
lower<tf.SelectInputs>(tf.Select, ({ g, inputs: { condition, t, e } }) => {
  // a vector condition selects rows
  const rows = condition.shape.length < t.shape.length && condition.shape.length === 1;
  const shape = rows ? [condition.shape[0]!, ...t.shape.slice(1).map(() => 1)] : condition.shape;
  return where(g, reshape(g, condition, shape), t, expand(g, e, t.shape));
});

/** Activations that fused kernels can carry. */
export function activate(g: Graph, x: Value, activation: string | undefined, weights?: Value, alpha?: number): Value {
  switch (activation) {
    case undefined:
    case 'linear':
      return x;
    case 'relu':
      return unary(g, 'Relu', x);
    case 'relu6':
      return relu6(g, x);
    case 'elu':
      return unary(g, 'Elu', x);
    case 'sigmoid':
      return unary(g, 'Sigmoid', x);
    case 'leakyrelu':
      return leakyRelu(g, x, alpha ?? 0.2);
    case 'prelu':
      return prelu(g, x, weights!);
    default:
      throw new NoOnnxForm(`its activation is ${activation}`);
  }
}
