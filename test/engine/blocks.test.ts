// Convolutions of a step in ONNX Runtime's blocks of channels: the same numbers as without blocks, whatever the shapes.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { float32, type NdArrays, sizeOf, type TensorSpec, type TensorSpecs } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { blockSize } from '../../src/engine/onnx/blocks/block-size.ts';
import { inBlocks } from '../../src/engine/onnx/blocks/rewrite.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { type Node, reachable } from '../../src/engine/onnx/graph.ts';

const f32 = (...shape: number[]): TensorSpec => ({ dtype: 'float32', shape });

type Layer = (x: tf.Tensor4D, p: Tensors) => tf.Tensor;

/** A step that puts out the layer's value and, as new state, the gradients of Σ y · c by its parameters and by x. */
function program(image: readonly number[], parameters: TensorSpecs, layer: Layer): Program {
  const names = Object.keys(parameters);
  return {
    name: 'layer',
    state: { ...parameters, x: f32(...image) },
    constants: {},
    feeds: {},
    step({ state }) {
      const value = (...values: tf.Tensor[]) => {
        const p = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
        const y = layer(values.at(-1) as tf.Tensor4D, p);
        // small integers, so that sums are exact in every order
        const c = tf.sub(tf.mod(tf.reshape(tf.range(0, y.size), y.shape), 5), 2);
        return tf.sum(tf.mul(y, c)) as tf.Scalar;
      };
      const all = [...names, 'x'];
      const { value: loss, grads } = tf.valueAndGrads(value)(all.map((name) => state[name]!));
      return { state: Object.fromEntries(all.map((name, i) => [name, grads[i]!])), outputs: { loss } };
    },
  };
}

/** One step from a state of small integers. */
async function run(p: Program, options: { blocks: boolean; threads?: number }): Promise<NdArrays> {
  const engine = createOnnxEngine(options);
  const executable = await engine.compile(p);
  const state = Object.entries(p.state).map(([name, { shape }]) => {
    const values = new RandomStream(1, name).uniform(new Float32Array(sizeOf(shape)), -2, 3);
    return [name, float32(shape, values.map(Math.floor))];
  });
  await executable.setState(Object.fromEntries(state) as NdArrays);
  const outputs = await executable.run({}, 1);
  const after = await executable.getState();
  await engine.dispose();
  return { ...outputs, ...after };
}

function blockedNodes(p: Program, block = 16): Node[] {
  const { next, outputs } = inBlocks(recordStep(p), block);
  return reachable([...next, ...outputs].map(({ value }) => value)).nodes.filter(({ domain }) => domain !== '');
}
const blockedOperators = (p: Program): string[] => blockedNodes(p).map(({ op }) => op);

interface Shape {
  readonly from: number;
  readonly to: number;
  readonly batch?: number;
  readonly size?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  readonly stride?: number;
  readonly pad?: 'same' | 'valid';
}

function convolution({ from, to, batch = 16, size = [14, 15], kernel = [3, 3], stride = 1, pad = 'same' }: Shape) {
  return program([batch, ...size, from], { w: f32(...kernel, from, to), b: f32(to) }, (x, { w, b }) =>
    tf.relu(tf.add(tf.conv2d(x, w as tf.Tensor4D, stride, pad), b!)),
  );
}

const works = blockSize() !== undefined;

it('processors with AVX have blocks', () => {
  expect([8, 16, undefined]).toContain(blockSize());
  if (process.arch === 'x64') expect(works).toBe(true);
});

describe.runIf(works)('one convolution and its gradients', () => {
  it.each<[string, Shape, number]>([
    // forward, by the input, by the filter
    ['whole blocks', { from: 16, to: 16 }, 3],
    ['several blocks', { from: 32, to: 48, size: [6, 7] }, 3],
    ['half blocks', { from: 8, to: 8, size: [28, 28] }, 3],
    ['channels that fill no block', { from: 19, to: 13 }, 3],
    ['from one channel: no gradient in blocks', { from: 1, to: 16, size: [28, 28] }, 2],
    ['from three channels', { from: 3, to: 24 }, 2],
    ['to a few channels: only the gradients', { from: 24, to: 3 }, 2],
    ['valid padding', { from: 16, to: 20, pad: 'valid' }, 3],
    ['an even kernel', { from: 16, to: 16, kernel: [4, 2] }, 3],
    ['a wide kernel', { from: 12, to: 16, kernel: [1, 7] }, 3],
    ['a kernel of one pixel', { from: 64, to: 64, kernel: [1, 1] }, 3],
    ['two blocks of images', { from: 16, to: 12, batch: 32 }, 3],
    ['a batch that fills no block: no filter gradient', { from: 16, to: 16, batch: 12 }, 2],
    ['stride 2: forward only', { from: 16, to: 32, stride: 2 }, 1],
  ])('%s', async (_, shape, convolutions) => {
    const p = convolution(shape);
    expect(blockedOperators(p).filter((op) => op === 'Conv')).toHaveLength(convolutions);
    const plain = await run(p, { blocks: false });
    expect(await run(p, { blocks: true })).toEqual(plain);
    expect(plain.w!.data.some((value) => value !== 0)).toBe(true);
  });

  it('a small convolution is left as it is', () => {
    const step = recordStep(convolution({ from: 16, to: 16, batch: 2, size: [4, 4] }));
    expect(inBlocks(step, 16)).toBe(step);
  });
});

describe.runIf(works)('a convolution of an image that was enlarged twofold', () => {
  const enlarged = (inputs: number, outputs: number, batch = 16) =>
    program([batch, 14, 12, inputs], { w: f32(3, 3, inputs, outputs), b: f32(outputs) }, (x, { w, b }) => {
      const large = tf.image.resizeNearestNeighbor(tf.relu(x), [28, 24]);
      return tf.add(tf.conv2d(large, w as tf.Tensor4D, 1, 'same'), b!);
    });

  it.each([
    ['grey', enlarged(16, 1)],
    ['colours', enlarged(20, 3)],
    ['a batch that fills no block', enlarged(32, 1, 12)],
  ])('%s: is computed from the small image', async (_, p) => {
    const operators = blockedOperators(p);
    expect(operators).not.toContain('Upsample');
    expect(operators).not.toContain('AveragePool');
    const plain = await run(p, { blocks: false });
    expect(await run(p, { blocks: true })).toEqual(plain);
    expect(plain.w!.data.some((value) => value !== 0)).toBe(true);
  });
});

describe.runIf(works)('between convolutions', () => {
  const parameters = {
    w0: f32(3, 3, 1, 16),
    b0: f32(16),
    w1: f32(3, 3, 16, 8),
    b1: f32(8),
    w2: f32(3, 3, 8, 16),
    w3: f32(3, 3, 16, 1),
  };
  const conv = (h: tf.Tensor, w: tf.Tensor | undefined) => tf.conv2d(h as tf.Tensor4D, w as tf.Tensor4D, 1, 'same');
  const net: Layer = (x, { w0, b0, w1, b1, w2, w3 }) => {
    const pool = (h: tf.Tensor) => tf.maxPool(h as tf.Tensor4D, 2, 2, 'valid');
    const up = (h: tf.Tensor) => tf.image.resizeNearestNeighbor(h as tf.Tensor4D, [2 * h.shape[1]!, 2 * h.shape[2]!]);
    let h: tf.Tensor = pool(tf.relu(tf.add(conv(x, w0), b0!)));
    h = tf.mul(tf.relu(tf.add(conv(h, w1), b1!)), 1 / 16);
    h = pool(tf.mul(tf.add(h, tf.relu(h)), 0.5));
    h = up(tf.relu(conv(h, w2)));
    return conv(up(h), w3) as tf.Tensor;
  };
  const whole = program([32, 28, 28, 1], parameters, net);

  it('pools, rectifiers, sums and enlarging stay in blocks, ties included', async () => {
    const operators = blockedOperators(whole);
    for (const op of ['MaxPool', 'Upsample', 'AveragePool', 'MaxPoolGradient', 'GlobalAveragePool']) {
      expect(operators, op).toContain(op);
    }
    expect(operators).not.toContain('ReorderInput');
    const plain = await run(whole, { blocks: false });
    const blocked = await run(whole, { blocks: true });
    for (const [name, { data, shape }] of Object.entries(plain)) {
      expect(blocked[name]?.shape, name).toEqual(shape);
      const scale = Math.max(...data.map(Math.abs), 1);
      const apart = data.map((value, i) => Math.abs(value - (blocked[name]?.data[i] ?? Number.NaN)) / scale);
      expect(Math.max(...apart), name).toBeLessThan(1e-6);
    }
  });

  it('the same bits with any number of threads', async () => {
    const one = await run(whole, { blocks: true });
    for (const threads of [2, 3]) expect(await run(whole, { blocks: true, threads })).toEqual(one);
  });
});
