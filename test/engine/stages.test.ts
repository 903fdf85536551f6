// Gradients of max-pools are computed between two stages of ONNX Runtime: to the same bits as in one graph, ties included.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { float32, type NdArray, type NdArrays, sizeOf, type TensorSpec } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program } from '../../src/engine/engine.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { planUpdate } from '../../src/engine/onnx/update/plan.ts';
import { stagesOf } from '../../src/engine/onnx/update/stages.ts';

const f32 = (...shape: number[]): TensorSpec => ({ dtype: 'float32', shape });

interface Shape {
  readonly batch: number;
  readonly side: number;
  readonly channels: number;
}

/** Two convolutions, each with a max-pool behind its rectifier (or not), trained to give the mean that is asked for. */
function network({ batch, side, channels }: Shape, { rectified = true, window = 2 } = {}): Program {
  const weights = { w0: f32(3, 3, 1, channels), w1: f32(3, 3, channels, channels) };
  const forward = (x: tf.Tensor, w0: tf.Tensor, w1: tf.Tensor) => {
    const activate = rectified ? tf.relu<tf.Tensor4D> : (y: tf.Tensor4D) => y;
    const level = (h: tf.Tensor4D, w: tf.Tensor4D) =>
      tf.maxPool(activate(tf.conv2d(h, w, 1, 'same')), window, window, 'valid') as tf.Tensor4D;
    return level(level(x as tf.Tensor4D, w0 as tf.Tensor4D), w1 as tf.Tensor4D);
  };
  return {
    name: 'pools',
    state: weights,
    constants: {},
    feeds: { x: f32(batch, side, side, 1), wanted: f32(batch) },
    step({ state, feeds }) {
      const { value, grads } = tf.valueAndGrads((w0: tf.Tensor, w1: tf.Tensor) => {
        const sums = tf.mean(forward(feeds.x!, w0, w1), [1, 2, 3]);
        return tf.mean(tf.square(tf.sub(sums, feeds.wanted!))) as tf.Scalar;
      })([state.w0!, state.w1!]);
      const next = Object.keys(weights).map((name, i) => [name, tf.sub(state[name]!, tf.mul(grads[i]!, 1e-2))]);
      return { state: Object.fromEntries(next) as Record<string, tf.Tensor>, outputs: { loss: value } };
    },
  };
}

const steps = 3;

/** Pictures of few grey levels, so that many windows hold their largest value more than once. */
const levels = (shape: readonly number[]): NdArray => {
  const values = new RandomStream(1, 'levels').uniform(new Float32Array(sizeOf(shape)), 0, 3);
  return float32(shape, values.map(Math.floor));
};

async function run(program: Program, fuse: boolean, threads = 1): Promise<{ state: NdArrays; outputs: NdArrays }> {
  const engine = createOnnxEngine({ fuse, threads });
  const executable = await engine.compile(program);
  const state = Object.entries(program.state).map(([name, { shape }]) => {
    const data = new RandomStream(1, name).uniform(new Float32Array(sizeOf(shape)), -0.5, 0.6);
    return [name, float32(shape, data)];
  });
  await executable.setState(Object.fromEntries(state) as NdArrays);
  const feeds = Object.entries(program.feeds).map(([name, { shape }]) => [name, levels([steps, ...shape])]);
  const outputs = await executable.run(Object.fromEntries(feeds) as NdArrays);
  const after = await executable.getState();
  await engine.dispose();
  return { state: after, outputs };
}

function passesOf(program: Program): number {
  const { handed, moved, outputs } = planUpdate(recordStep(program));
  const stages = stagesOf([...handed, ...moved, ...outputs].map(({ value }) => value));
  return stages.flatMap(({ passes }) => passes).length;
}

describe('max-pools of two levels', () => {
  it.each([
    ['rows of whole vectors', { batch: 3, side: 32, channels: 4 }, {}],
    ['rows of a rest', { batch: 2, side: 28, channels: 3 }, {}],
    ['negative values', { batch: 2, side: 28, channels: 3 }, { rectified: false }],
  ] as const)('%s: the same bits as in one graph', async (_, shape, options) => {
    const program = network(shape, options);
    expect(passesOf(program)).toBe(2);
    const whole = await run(program, false);
    expect(await run(program, true)).toEqual(whole);
    expect(whole.outputs.loss!.data.every((loss) => loss > 0 && Number.isFinite(loss))).toBe(true);
  });

  it('the same bits with any number of threads', async () => {
    const program = network({ batch: 32, side: 32, channels: 16 });
    const one = await run(program, true);
    for (const threads of [2, 3]) expect(await run(program, true, threads)).toEqual(one);
  });

  it('a level whose rows are shorter than a vector stays in the graph', async () => {
    const program = network({ batch: 2, side: 12, channels: 3 });
    expect(passesOf(program)).toBe(1);
    expect(await run(program, true)).toEqual(await run(program, false));
  });

  it('one picture of one channel', async () => {
    const program = network({ batch: 1, side: 16, channels: 1 });
    expect(await run(program, true)).toEqual(await run(program, false));
  });

  it('windows of another size stay in the graph', async () => {
    const program = network({ batch: 2, side: 27, channels: 2 }, { window: 3 });
    expect(passesOf(program)).toBe(0);
    expect(await run(program, true)).toEqual(await run(program, false));
  });
});
