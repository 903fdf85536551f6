import * as tf from '@tensorflow/tfjs-core';
import type { Case, Input } from './agreement.ts';

const image = (height: number, width: number, channels: number, batch = 2): Input => ({
  shape: [batch, height, width, channels],
});
const filter = (...shape: [number, number, number, number]): Input => ({ shape });
type Pad = Parameters<typeof tf.conv2d>[3];
const close = { tolerance: 3e-5 };

const convolution = (name: string, x: Input, w: Input, strides: number, pad: Pad, dilations = 1): Case => ({
  ...close,
  name: `conv2d ${name}`,
  inputs: { x, w },
  gradient: dilations === 1,
  compute: (given) => tf.conv2d(given.x as tf.Tensor4D, given.w as tf.Tensor4D, strides, pad, 'NHWC', dilations),
});

const transposed = (name: string, x: Input, w: Input, out: number, strides: number, pad: 'same' | 'valid'): Case => ({
  ...close,
  name: `conv2dTranspose ${name}`,
  inputs: { x, w },
  compute: (given) =>
    tf.conv2dTranspose(given.x as tf.Tensor4D, given.w as tf.Tensor4D, [2, out, out, w.shape[2]!], strides, pad),
});

const depthwise = (name: string, w: Input, strides: number, pad: 'same' | 'valid', dilations = 1): Case => ({
  ...close,
  name: `depthwiseConv2d ${name}`,
  inputs: { x: image(7, 6, 3), w },
  gradient: dilations === 1,
  compute: (given) =>
    tf.depthwiseConv2d(given.x as tf.Tensor4D, given.w as tf.Tensor4D, strides, pad, 'NHWC', dilations),
});

const convolutions: readonly Case[] = [
  convolution('same, few to many channels', image(6, 5, 1), filter(3, 3, 1, 5), 1, 'same'),
  convolution('same, many to few channels', image(6, 5, 5), filter(3, 3, 5, 1), 1, 'same'),
  convolution('same, as many channels', image(6, 5, 3), filter(3, 3, 3, 3), 1, 'same'),
  convolution('valid', image(6, 5, 2), filter(3, 2, 2, 4), 1, 'valid'),
  convolution('1 × 1', image(4, 4, 3), filter(1, 1, 3, 2), 1, 'same'),
  convolution('stride 2, same', image(7, 6, 2), filter(3, 3, 2, 3), 2, 'same'),
  convolution('stride 2, valid, rows left over', image(8, 8, 2), filter(3, 3, 2, 3), 2, 'valid'),
  convolution('stride 3, even filter', image(9, 7, 2), filter(4, 4, 2, 3), 3, 'same'),
  convolution('explicit padding', image(5, 5, 2), filter(3, 3, 2, 3), 1, [
    [0, 0],
    [2, 1],
    [0, 2],
    [0, 0],
  ]),
  convolution('padding wider than the filter', image(4, 4, 1), filter(2, 2, 1, 2), 1, [
    [0, 0],
    [3, 3],
    [3, 3],
    [0, 0],
  ]),
  convolution('dilated', image(8, 8, 2), filter(3, 3, 2, 3), 1, 'same', 2),
  transposed('stride 2, same', image(4, 4, 3), filter(3, 3, 2, 3), 8, 2, 'same'),
  transposed('stride 2, valid', image(4, 4, 3), filter(2, 2, 2, 3), 8, 2, 'valid'),
  transposed('stride 1, same', image(5, 5, 3), filter(3, 3, 2, 3), 5, 1, 'same'),
  transposed('stride 2, odd output', image(4, 4, 2), filter(3, 3, 1, 2), 7, 2, 'same'),
  depthwise('same', filter(3, 3, 3, 1), 1, 'same'),
  depthwise('two outputs a channel, stride 2', filter(3, 3, 3, 2), 2, 'same'),
  depthwise('dilated', filter(2, 2, 3, 1), 1, 'valid', 2),
  {
    ...close,
    name: 'separableConv2d',
    inputs: { x: image(6, 6, 2), d: filter(3, 3, 2, 2), p: filter(1, 1, 4, 3) },
    compute: ({ x, d, p }) => tf.separableConv2d(x as tf.Tensor4D, d as tf.Tensor4D, p as tf.Tensor4D, 1, 'same'),
  },
  {
    ...close,
    name: 'a small convolutional net: bias, relu, pool, upsampling',
    inputs: {
      x: image(8, 8, 1, 1),
      w: filter(3, 3, 1, 4),
      b: { shape: [4] },
      v: filter(3, 3, 4, 1),
      c: { shape: [1] },
    },
    compute: ({ x, w, b, v, c }) => {
      const h = tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), b!)) as tf.Tensor4D;
      const up = tf.image.resizeNearestNeighbor(tf.maxPool(h, 2, 2, 'valid'), [8, 8]);
      return tf.add(tf.conv2d(up, v as tf.Tensor4D, 1, 'same'), c!);
    },
  },
  {
    ...close,
    name: 'fused conv2d with bias and elu',
    inputs: { x: image(5, 5, 2), w: filter(3, 3, 2, 3), b: { shape: [3] } },
    gradient: false,
    compute: ({ x, w, b }) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: b as tf.Tensor1D,
        activation: 'elu',
      }),
  },
];

const pool = (name: string, f: (x: tf.Tensor4D) => tf.Tensor, x = image(6, 6, 3)): Case => ({
  name,
  inputs: { x },
  compute: (given) => f(given.x as tf.Tensor4D),
});

const pools: readonly Case[] = [
  pool('maxPool that tiles', (x) => tf.maxPool(x, 2, 2, 'valid')),
  pool('maxPool with ties: the first of equals', (x) => tf.maxPool(tf.relu(x), 2, 2, 'valid')),
  pool('maxPool that overlaps', (x) => tf.maxPool(x, 3, 2, 'same')),
  pool('maxPool that leaves rows out', (x) => tf.maxPool(x, 2, 2, 'valid'), image(7, 5, 2)),
  pool('maxPool with stride 1', (x) => tf.maxPool(x, 3, 1, 'same')),
  pool('avgPool that tiles', (x) => tf.avgPool(x, 2, 2, 'valid')),
  pool('avgPool that overlaps', (x) => tf.avgPool(x, 3, 2, 'valid'), image(7, 7, 2)),
  pool('avgPool over its padding', (x) => tf.avgPool(x, 3, 1, 'same')),
  pool('the largest of blocks', (x) => tf.max(tf.reshape(x, [2, 3, 2, 3, 2, 3]), [2, 4])),
  { ...pool('maxPoolWithArgmax', (x) => tf.maxPoolWithArgmax(x, 2, 2, 'valid').indexes!), gradient: false },
];

const others: readonly Case[] = [
  // one image: tfjs's cpu backend mistakes the gradients of the second and later ones (it strides by the wrong tensor)
  pool('resizeNearestNeighbor, twice as large', (x) => tf.image.resizeNearestNeighbor(x, [12, 12]), image(6, 6, 3, 1)),
  pool('resizeNearestNeighbor, odd size', (x) => tf.image.resizeNearestNeighbor(x, [9, 4]), image(6, 6, 3, 1)),
  pool('resizeBilinear, twice as large', (x) => tf.image.resizeBilinear(x, [12, 12])),
  pool('resizeBilinear, aligned corners', (x) => tf.image.resizeBilinear(x, [9, 4], true)),
  { ...pool('resizeBilinear, half pixels', (x) => tf.image.resizeBilinear(x, [9, 4], false, true)), gradient: false },
  { ...pool('flipLeftRight', (x) => tf.image.flipLeftRight(x)), gradient: false },
  { ...pool('depthToSpace', (x) => tf.depthToSpace(x, 2), image(3, 3, 8)), gradient: false },
  pool('spaceToBatchND', (x) =>
    tf.spaceToBatchND(
      x,
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  ),
  pool(
    'batchToSpaceND',
    (x) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 0],
          [1, 0],
        ],
      ),
    image(3, 3, 2, 4),
  ),
  { ...pool('localResponseNormalization', (x) => tf.localResponseNormalization(x, 1, 1, 0.5, 0.5)), ...close },
  {
    ...close,
    name: 'batchNorm with the statistics of the batch',
    inputs: { x: image(4, 4, 3), scale: { shape: [3], range: [0.5, 2] }, offset: { shape: [3] } },
    compute: ({ x, scale, offset }) => {
      const { mean, variance } = tf.moments(x!, [0, 1, 2]);
      return tf.batchNorm(x!, mean as tf.Tensor1D, variance as tf.Tensor1D, offset!, scale!, 1e-3);
    },
  },
];

export const images: readonly Case[] = [...convolutions, ...pools, ...others];
