import * as tf from '@tensorflow/tfjs-core';
import type { Case, Input } from './agreement.ts';

const x: Input = { shape: [3, 4] };
const positive: Input = { shape: [3, 4], range: [0.1, 3] };
const unit: Input = { shape: [3, 4], range: [-0.9, 0.9] };

const unary = (name: string, f: (x: tf.Tensor) => tf.Tensor, input: Input = x, gradient = true): Case => ({
  name,
  inputs: { x: input },
  compute: (given) => f(given.x!),
  gradient,
});

const differentiable: readonly Case[] = [
  unary('abs', tf.abs),
  unary('acos', tf.acos, unit),
  unary('acosh', tf.acosh, { shape: [3, 4], range: [1.1, 4] }),
  unary('asin', tf.asin, unit),
  unary('asinh', tf.asinh),
  unary('atan', tf.atan),
  unary('atanh', tf.atanh, unit),
  unary('cos', tf.cos),
  unary('cosh', tf.cosh),
  unary('elu', tf.elu),
  unary('erf', tf.erf),
  unary('exp', tf.exp),
  unary('expm1', tf.expm1),
  unary('leakyRelu', (v) => tf.leakyRelu(v, 0.1)),
  unary('log', tf.log, positive),
  unary('log1p', tf.log1p, positive),
  unary('logSigmoid', tf.logSigmoid),
  unary('neg', tf.neg),
  unary('reciprocal', tf.reciprocal, positive),
  unary('relu', tf.relu),
  unary('relu6', (v) => tf.relu6(tf.mul(v, 5))),
  unary('rsqrt', tf.rsqrt, positive),
  unary('selu', tf.selu),
  unary('sigmoid', tf.sigmoid),
  unary('sin', tf.sin),
  unary('sinh', tf.sinh),
  unary('softplus', (v) => tf.softplus(tf.mul(v, 20))),
  unary('sqrt', tf.sqrt, positive),
  unary('square', tf.square),
  unary('tan', tf.tan, unit),
  unary('tanh', tf.tanh),
  unary('clipByValue', (v) => tf.clipByValue(v, -0.5, 1)),
  unary('prelu', (v) => tf.prelu(v, tf.scalar(0.3))),
];

const steps: readonly Case[] = [
  unary('ceil', tf.ceil, x, false),
  unary('floor', tf.floor, x, false),
  unary('round', (v) => tf.round(tf.div(tf.floor(tf.mul(v, 8)), 4)), x, false),
  unary('sign', tf.sign, x, false),
  unary('step', (v) => tf.step(v, 0.25), x, false),
  unary('isNaN', (v) => tf.isNaN(tf.log(v)), x, false),
  unary('isFinite', (v) => tf.isFinite(tf.div(1, tf.relu(v))), x, false),
  unary('isInf', (v) => tf.isInf(tf.div(1, tf.relu(v))), x, false),
  unary('logicalNot', (v) => tf.logicalNot(tf.greater(v, 0)), x, false),
];

const binary = (
  name: string,
  f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  a = x,
  b: Input = { shape: [4] },
): Case => ({
  name,
  inputs: { a, b },
  compute: (given) => f(given.a!, given.b!),
});
const column: Input = { shape: [3, 1] };

const arithmetic: readonly Case[] = [
  binary('add a row', tf.add),
  binary('sub a column', tf.sub, x, column),
  binary('mul outer', tf.mul, column, { shape: [1, 4] }),
  binary('div', tf.div, x, positive),
  binary('maximum', tf.maximum, x, x),
  binary('minimum', tf.minimum, x, x),
  binary('pow', tf.pow, positive, { shape: [4] }),
  binary('squaredDifference', tf.squaredDifference, x, x),
  binary('atan2', tf.atan2, x, x),
  binary('mod', tf.mod, x, positive),
  binary('add a scalar', tf.add, x, { shape: [] }),
  { ...binary('divNoNan', tf.divNoNan, x, positive), gradient: false },
];

const compared = [tf.equal, tf.notEqual, tf.greater, tf.greaterEqual, tf.less, tf.lessEqual] as const;
const logical = [tf.logicalAnd, tf.logicalOr, tf.logicalXor] as const;
const int: Input = { shape: [3, 4], dtype: 'int32', range: [-9, 9] };
const divisor: Input = { shape: [3, 4], dtype: 'int32', range: [1, 5] };
const bool: Input = { shape: [3, 4], dtype: 'bool' };

const integers: readonly Case[] = [
  ...compared.map((f): Case => ({ ...binary(`${f.name} of int32`, f, int, { ...int, shape: [4] }), gradient: false })),
  ...logical.map((f): Case => ({ ...binary(f.name, f, bool, bool), gradient: false })),
  {
    name: 'int32 arithmetic',
    inputs: { a: int, b: divisor },
    gradient: false,
    compute: ({ a, b }) => [
      tf.add(a!, b!),
      tf.sub(a!, b!),
      tf.mul(a!, b!),
      tf.floorDiv(a!, b!),
      tf.mod(a!, b!),
      tf.maximum(a!, b!),
      tf.abs(a!),
      tf.sign(a!),
      tf.square(a!),
      tf.neg(a!),
    ],
  },
  {
    name: 'casts',
    inputs: { x: { shape: [12], range: [-3, 3] }, i: { ...int, shape: [12] }, b: { ...bool, shape: [12] } },
    gradient: false,
    compute: ({ x: v, i, b }) => [
      tf.cast(v!, 'int32'),
      tf.cast(v!, 'bool'),
      tf.cast(i!, 'float32'),
      tf.cast(i!, 'bool'),
      tf.cast(b!, 'float32'),
      tf.cast(b!, 'int32'),
    ],
  },
];

const selection: readonly Case[] = [
  {
    name: 'where',
    inputs: { a: x, b: x, c: bool },
    compute: ({ a, b, c }) => tf.where(c!, tf.mul(a!, b!), tf.exp(b!)),
  },
  {
    name: 'constants fold and neutral operands vanish',
    inputs: { a: x },
    compute: ({ a }) =>
      tf.div(tf.add(tf.mul(tf.mul(a!, 1), tf.onesLike(a!)), tf.zeros([3, 4])), tf.mul(2, tf.scalar(3))),
  },
];

export const elementwise: readonly Case[] = [...differentiable, ...steps, ...arithmetic, ...integers, ...selection];
