// Layers of convolutional nets, forward and backward, in every form that the onnx engine writes them in: against tfjs's cpu.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { float32, type NdArrays, sizeOf, type TensorSpecs } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine, Program, Tensors } from '../../src/engine/engine.ts';
import { exportOnnx } from '../../src/engine/export.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { reachable } from '../../src/engine/onnx/graph.ts';

type Layer = (x: tf.Tensor4D, p: Tensors) => tf.Tensor;

/** one step of gradient descent on Σ y · c, with c fixed and uneven so that no gradient is the same everywhere */
function program(name: string, image: number[], parameters: TensorSpecs, layer: Layer): Program {
  const names = Object.keys(parameters);
  return {
    name,
    state: { ...parameters, x: { dtype: 'float32', shape: image } },
    constants: {},
    feeds: {},
    step({ state }) {
      const loss = (...values: tf.Tensor[]) => {
        const p = Object.fromEntries(names.map((key, i) => [key, values[i]!]));
        const y = layer(values.at(-1) as tf.Tensor4D, p);
        const c = tf.sin(tf.reshape(tf.range(0, y.size), y.shape));
        return tf.sum(tf.mul(y, c)) as tf.Scalar;
      };
      const all = [...names, 'x'];
      const { value, grads } = tf.valueAndGrads(loss)(all.map((key) => state[key]!));
      return { state: Object.fromEntries(all.map((key, i) => [key, grads[i]!])), outputs: { value } };
    },
  };
}

async function gradients(engine: Engine, p: Program): Promise<NdArrays> {
  const executable = await engine.compile(p);
  await executable.setState(
    Object.fromEntries(
      Object.entries(p.state).map(([key, { shape }]) => [
        key,
        float32(shape, new RandomStream(1, key).normal(new Float32Array(sizeOf(shape)))),
      ]),
    ),
  );
  const outputs = await executable.run({}, 1);
  const result = { ...outputs, ...(await executable.getState()) };
  await engine.dispose();
  return result;
}

async function expectSame(p: Program): Promise<void> {
  const expected = await gradients(await eagerEngine('cpu'), p);
  const found = await gradients(createOnnxEngine(), p);
  for (const [key, { data, shape }] of Object.entries(expected)) {
    expect(found[key]?.shape, key).toEqual(shape);
    const scale = Math.max(...data.map(Math.abs), 1);
    data.forEach((value, i) => {
      expect(Math.abs((found[key]?.data[i] ?? Number.NaN) - value) / scale, `${key}[${i}]`).toBeLessThan(1e-5);
    });
  }
}

const operators = (p: Program): string[] => {
  const { next, outputs } = recordStep(p);
  return reachable([...next, ...outputs].map(({ value }) => value)).nodes.map(({ op }) => op);
};

const convolution = (from: number, to: number, stride: number, pad: 'same' | 'valid', kernel = 3, size = 6): Program =>
  program(
    `${from} to ${to}`,
    [2, size, size + 1, from],
    { w: { dtype: 'float32', shape: [kernel, kernel, from, to] }, b: { dtype: 'float32', shape: [to] } },
    (x, { w, b }) => tf.relu(tf.add(tf.conv2d(x, w as tf.Tensor4D, stride, pad), b!)),
  );

it.each([
  [1, 16, 1, 'same'],
  [16, 1, 1, 'same'],
  [12, 3, 1, 'valid'],
  [3, 12, 1, 'same'],
  [8, 8, 1, 'same'],
  [5, 2, 2, 'same'],
  [2, 5, 2, 'valid'],
  [32, 16, 1, 'same'],
  [16, 32, 1, 'valid'],
] as const)('convolution of %i channels to %i, stride %i, %s', async (from, to, stride, pad) => {
  const p = convolution(from, to, stride, pad);
  await expectSame(p);
  // the bias is inside, forward
  expect(operators(p).filter((op) => op === 'Add')).toHaveLength(0);
});

it('few output channels are sent, not gathered', () => {
  expect(operators(convolution(16, 1, 1, 'same'))).toContain('ConvTranspose');
  expect(operators(convolution(16, 8, 1, 'same'))).toContain('ConvTranspose');
  // its gradient goes back from 16 channels to 8
  expect(operators(convolution(8, 16, 1, 'same'))).toContain('ConvTranspose');
  expect(operators(convolution(16, 16, 1, 'same'))).not.toContain('ConvTranspose');
});

it('a filter that is a constant is convolved, in blocks of channels', () => {
  const exported = (outputs: number) =>
    exportOnnx(
      {
        name: 'layer',
        inputs: { x: { dtype: 'float32', shape: [8, 8, 16] } },
        weights: {
          w: float32(
            [3, 3, 16, outputs],
            new Float32Array(9 * 16 * outputs).map((_, i) => i % 7),
          ),
        },
        call: ({ x }, { w }) => ({ y: tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same') }),
      },
      { producer: 'test', version: '1' },
    );
  expect(Buffer.from(exported(8)).includes('ConvTranspose')).toBe(false);
  expect(Buffer.from(exported(1)).includes('ConvTranspose')).toBe(true);
});

it('even kernels', async () => {
  await expectSame(convolution(16, 2, 1, 'same', 2));
  await expectSame(convolution(4, 6, 1, 'same', 4));
});

it('filters of whole strides: overlapping squares, squares beside each other, rows left over', async () => {
  for (const p of [
    convolution(3, 6, 2, 'same', 4, 7),
    convolution(2, 5, 2, 'valid', 2, 7),
    convolution(1, 3, 3, 'same', 6, 8),
  ]) {
    await expectSame(p);
    // one slice for each stride of the filter, not for each of its places
    expect(operators(p).filter((op) => op === 'Slice').length).toBeLessThan(8);
  }
});

it('dense layer with bias', async () => {
  const parameters: TensorSpecs = { w: { dtype: 'float32', shape: [5, 4] }, b: { dtype: 'float32', shape: [4] } };
  const dense: Layer = (x, { w, b }) => tf.relu(tf.add(tf.matMul(x as unknown as tf.Tensor2D, w as tf.Tensor2D), b!));
  await expectSame(program('rows', [3, 5], parameters, dense));
});

it('max-pool behind a rectifier, also where all of a window is equal', async () => {
  const pooled: Layer = (x) => tf.maxPool(tf.relu(x), 2, 2, 'valid');
  await expectSame(program('pool', [2, 6, 8, 3], {}, pooled));
  // the bias makes equal windows above zero: only the first place gets the gradient
  const flat: Layer = (x, { b }) => tf.maxPool(tf.relu(tf.add(tf.mul(x, 0), b!)), 2, 2, 'valid');
  await expectSame(program('flat', [1, 4, 4, 2], { b: { dtype: 'float32', shape: [2] } }, flat));
  const overlapping: Layer = (x) => tf.maxPool(tf.relu(x), 3, 2, 'same');
  await expectSame(program('overlapping', [1, 7, 7, 2], {}, overlapping));
});

it('doubling by nearest neighbours between convolutions', async () => {
  const up: Layer = (x, { w, v }) => {
    const h = tf.relu(tf.conv2d(x, w as tf.Tensor4D, 1, 'same')) as tf.Tensor4D;
    const large = tf.image.resizeNearestNeighbor(h, [12, 18]);
    return tf.sigmoid(tf.conv2d(large, v as tf.Tensor4D, 1, 'same'));
  };
  const parameters: TensorSpecs = {
    w: { dtype: 'float32', shape: [3, 3, 2, 4] },
    v: { dtype: 'float32', shape: [3, 3, 4, 1] },
  };
  // one image: tfjs's cpu backend reads the wrong part of the gradient for all after the first
  await expectSame(program('up', [1, 6, 6, 2], parameters, up));
});

it('softplus and step at the edges', async () => {
  const edges: Layer = (x) => tf.add(tf.softplus(tf.mul(x, 40)), tf.mul(tf.step(x), x));
  await expectSame(program('edges', [2, 3, 3, 5], {}, edges));
});

it('cross-entropy of thousands of logits: the logarithm of products', async () => {
  const entropy: Layer = (x, { t }) => tf.mean(tf.sub(tf.softplus(x), tf.mul(x, t!)), [1, 2, 3]);
  const shape = [4, 28, 28, 3];
  const mean: Layer = (x, p) => tf.mean(entropy(tf.mul(x, 8), p));
  const p = program('entropy', shape, { t: { dtype: 'float32', shape } }, mean);
  await expectSame(p);
  expect(operators(p).filter((op) => op === 'Split')).toHaveLength(2);
});
