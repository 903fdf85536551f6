import * as tf from '@tensorflow/tfjs-core';
import type { Case, Input } from './agreement.ts';

const x: Input = { shape: [3, 4, 2] };
const matrix: Input = { shape: [5, 4] };

const of = (name: string, f: (x: tf.Tensor) => tf.Tensor | tf.Tensor[], input = x, gradient = true): Case => ({
  name,
  inputs: { x: input },
  compute: (given) => f(given.x!),
  gradient,
});

const movement: readonly Case[] = [
  of('reshape', (v) => tf.reshape(v, [4, -1])),
  of('expandDims, squeeze', (v) => tf.squeeze(tf.expandDims(v, 1))),
  of('transpose', (v) => tf.transpose(v, [2, 0, 1])),
  of('transposes that cancel', (v) => tf.transpose(tf.relu(tf.transpose(v, [2, 0, 1])), [1, 2, 0])),
  of('tile', (v) => tf.tile(v, [2, 1, 3])),
  of('broadcastTo', (v) => tf.broadcastTo(v, [3, 4, 2]), { shape: [3, 1, 2] }),
  of('concat', (v) => tf.concat([v, tf.mul(v, 2)], 1)),
  of('stack, unstack', (v) => tf.stack(tf.unstack(v, 1).reverse(), 0)),
  of('split', (v) => tf.concat(tf.split(v, [1, 3], 1).reverse(), 1)),
  of('slice', (v) => tf.slice(v, [1, 0, 1], [2, 3, 1])),
  of('stridedSlice', (v) => tf.stridedSlice(v, [3, 3, 0], [0, 0, 2], [-1, -2, 1]), x, false),
  of('reverse', (v) => tf.reverse(v, [0, 2])),
  of('pad', (v) =>
    tf.pad(
      v,
      [
        [1, 0],
        [0, 2],
        [1, 1],
      ],
      0.5,
    ),
  ),
  of(
    'mirrorPad, reflect',
    (v) =>
      tf.mirrorPad(
        v,
        [
          [1, 2],
          [2, 1],
          [0, 1],
        ],
        'reflect',
      ),
    x,
    false,
  ),
  of(
    'mirrorPad, symmetric',
    (v) =>
      tf.mirrorPad(
        v,
        [
          [1, 2],
          [2, 1],
          [2, 0],
        ],
        'symmetric',
      ),
    x,
    false,
  ),
  of('diag', tf.diag, { shape: [4] }, false),
  of(
    'eye, range, linspace, fill',
    (v) => tf.add(tf.mul(v, tf.eye(4)), tf.add(tf.range(0, 4), tf.add(tf.linspace(0, 1, 4), tf.fill([4, 4], 3)))),
    {
      shape: [4, 4],
    },
  ),
];

const reductions: readonly Case[] = [
  of('sum over all', (v) => tf.sum(v)),
  of('sum over leading axes', (v) => tf.sum(v, [0, 1])),
  of('sum over the first axis, kept', (v) => tf.sum(v, 0, true)),
  of('sum over the last axis', (v) => tf.sum(v, -1)),
  of('mean over the middle', (v) => tf.mean(v, 1)),
  of('max', (v) => tf.max(v, [0, 2])),
  of('min', (v) => tf.min(v, 1, true)),
  of('prod', (v) => tf.prod(v, 1)),
  of('logSumExp', (v) => tf.logSumExp(v, 1)),
  of('norm', (v) => tf.norm(v, 2, 1)),
  of('moments', (v) => Object.values(tf.moments(v, [0, 1]))),
  of('argMax, argMin', (v) => [tf.argMax(v, 1), tf.argMin(v, 0)], x, false),
  of('all, any', (v) => [tf.all(tf.greater(v, -1), 1), tf.any(tf.greater(v, 1), [0, 2])], x, false),
  of('cumsum', (v) => tf.cumsum(v, 2)),
  of('cumsum, exclusive, reverse', (v) => tf.cumsum(v, 0, true, true), x, false),
  of('cumprod', (v) => [tf.cumprod(v, 1), tf.cumprod(v, 0, true, true)], x, false),
  of('softmax', (v) => tf.softmax(v)),
  of('logSoftmax', (v) => tf.logSoftmax(v)),
  of('softmax over another axis', (v) => tf.softmax(tf.transpose(v, [0, 2, 1])), x),
];

const wide = { tolerance: 3e-5 };
const products: readonly Case[] = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
].map(
  ([ta, tb]): Case => ({
    ...wide,
    name: `matMul${ta ? ', a transposed' : ''}${tb ? ', b transposed' : ''}`,
    inputs: { a: { shape: ta ? [4, 5] : [5, 4] }, b: { shape: tb ? [3, 4] : [4, 3] } },
    compute: ({ a, b }) => tf.matMul(a!, b!, ta, tb),
  }),
);

const algebra: readonly Case[] = [
  ...products,
  {
    ...wide,
    name: 'matMul of batches',
    inputs: { a: { shape: [2, 3, 4] }, b: { shape: [2, 5, 4] } },
    compute: ({ a, b }) => tf.matMul(a!, b!, false, true),
  },
  {
    ...wide,
    name: 'matMul of a batch and one matrix',
    inputs: { a: { shape: [2, 3, 4] }, b: { shape: [4, 5] } },
    gradient: false,
    compute: ({ a, b }) => tf.matMul(a!, b!),
  },
  {
    ...wide,
    name: 'a dense layer with a bias, its product used twice',
    inputs: { x: matrix, w: { shape: [4, 3] }, b: { shape: [3] } },
    compute: ({ x: v, w, b }) => {
      const h = tf.matMul(v!, w!);
      return [tf.sigmoid(tf.add(h, b!)), tf.square(h)];
    },
  },
  {
    ...wide,
    name: 'tied weights',
    inputs: { x: matrix, w: { shape: [4, 3] } },
    compute: ({ x: v, w }) => tf.matMul(tf.tanh(tf.matMul(v!, w!)), tf.transpose(w!)),
  },
  {
    ...wide,
    name: 'dot, outerProduct',
    inputs: { a: { shape: [4] }, b: { shape: [4] } },
    compute: ({ a, b }) => [tf.dot(a!, b!), tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D)],
  },
  {
    ...wide,
    name: 'einsum',
    inputs: { a: { shape: [2, 3, 4] }, b: { shape: [4, 5] } },
    gradient: false,
    compute: ({ a, b }) => tf.einsum('bij,jk->bki', a!, b!),
  },
];

const index = (shape: number[], high: number): Input => ({ shape, dtype: 'int32', range: [0, high] });

const indices: readonly Case[] = [
  { name: 'gather rows', inputs: { x, i: index([5], 3) }, compute: ({ x: v, i }) => tf.gather(v!, i as tf.Tensor1D) },
  {
    name: 'gather columns',
    inputs: { x, i: index([3], 4) },
    compute: ({ x: v, i }) => tf.gather(v!, i as tf.Tensor1D, 1),
  },
  {
    name: 'gather by batch',
    inputs: { x, i: index([3, 2], 4) },
    gradient: false,
    compute: ({ x: v, i }) => tf.gather(v!, i as tf.Tensor2D, 1, 1),
  },
  {
    name: 'gatherND',
    inputs: { x, i: index([4, 2], 3) },
    gradient: false,
    compute: ({ x: v, i }) => tf.gatherND(v!, i!),
  },
  {
    name: 'oneHot, values outside too',
    inputs: { i: { shape: [6], dtype: 'int32', range: [-1, 6] } },
    gradient: false,
    compute: ({ i }) => tf.oneHot(i as tf.Tensor1D, 4, 2, -1),
  },
  { name: 'topk', inputs: { x: matrix }, gradient: false, compute: ({ x: v }) => Object.values(tf.topk(v!, 2)) },
  {
    name: 'unsortedSegmentSum',
    inputs: { x, i: index([3], 4) },
    compute: ({ x: v, i }) => tf.unsortedSegmentSum(v!, i as tf.Tensor1D, 4),
  },
  {
    name: 'scatterND',
    inputs: { u: { shape: [5, 2] }, i: index([5, 1], 4) },
    gradient: false,
    compute: ({ u, i }) => tf.scatterND(i!, u!, [4, 2]),
  },
  {
    name: 'tensorScatterUpdate',
    inputs: { x: matrix, u: { shape: [1, 4] } },
    gradient: false,
    compute: ({ x: v, u }) => tf.tensorScatterUpdate(v!, tf.tensor2d([[2]], [1, 1], 'int32'), u!),
  },
  {
    name: 'bincount',
    inputs: { i: index([9], 6), w: { shape: [9] } },
    gradient: false,
    compute: ({ i, w }) => tf.bincount(i as tf.Tensor1D, w as tf.Tensor1D, 5),
  },
  {
    name: 'searchSorted',
    inputs: { x: { shape: [6] } },
    gradient: false,
    compute: ({ x: v }) => tf.lowerBound(tf.tensor1d([-1, 0, 0.5, 1]), v as tf.Tensor1D),
  },
];

const losses: readonly Case[] = [
  {
    name: 'softmaxCrossEntropy',
    inputs: { z: matrix, i: index([5], 4) },
    compute: ({ z, i }) => tf.losses.softmaxCrossEntropy(tf.oneHot(i as tf.Tensor1D, 4), z as tf.Tensor2D),
  },
  {
    name: 'sigmoidCrossEntropy',
    inputs: { z: matrix, y: { shape: [5, 4], range: [0, 1] } },
    compute: ({ z, y }) => tf.losses.sigmoidCrossEntropy(y as tf.Tensor2D, z as tf.Tensor2D),
  },
  {
    name: 'meanSquaredError',
    inputs: { a: matrix, b: matrix },
    compute: ({ a, b }) => tf.losses.meanSquaredError(a!, b!),
  },
  { name: 'huberLoss', inputs: { a: matrix, b: matrix }, compute: ({ a, b }) => tf.losses.huberLoss(a!, b!) },
  {
    // the squared norm of an encoder's Jacobian, differentiated once more (tfjs can where a gradient reads the op's input)
    name: 'second derivatives',
    inputs: { x: { shape: [4] }, w: { shape: [4, 3] } },
    tolerance: 5e-5,
    compute: ({ x: v, w }) => {
      const unit = (j: number) => tf.grad((t) => tf.sum(tf.slice(tf.softplus(tf.dot(t, w!)), [j], [1])))(v!);
      return tf.addN([0, 1, 2].map((j) => tf.sum(tf.square(unit(j)))));
    },
  },
];

export const arrays: readonly Case[] = [...movement, ...reductions, ...algebra, ...indices, ...losses];
