// A step of training on every device: losses and state are those of tfjs.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { float32, type NdArrays } from '../../src/base/ndarray.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { type Device, requireDevice } from '../../src/runtime/session.ts';

const sizes = [6, 4, 2, 4, 6];
const batch = 8;

const forward = (p: Tensors, x: tf.Tensor): tf.Tensor => {
  let h = x;
  for (let l = 0; l < sizes.length - 1; l++) {
    h = tf.add(tf.matMul(h as tf.Tensor2D, p[`W${l}`] as tf.Tensor2D), p[`b${l}`]!);
    if (l < sizes.length - 2) h = tf.tanh(h);
  }
  return h;
};

function adam(): Program {
  const weights: Record<string, { dtype: 'float32'; shape: number[] }> = {};
  for (let l = 0; l < sizes.length - 1; l++) {
    weights[`W${l}`] = { dtype: 'float32', shape: [sizes[l]!, sizes[l + 1]!] };
    weights[`b${l}`] = { dtype: 'float32', shape: [sizes[l + 1]!] };
  }
  const names = Object.keys(weights);
  const state = { ...weights };
  for (const name of names) {
    state[`m/${name}`] = weights[name]!;
    state[`v/${name}`] = weights[name]!;
  }
  return {
    name: 'adam',
    state,
    constants: {},
    feeds: { x: { dtype: 'float32', shape: [batch, 6] }, rate: { dtype: 'float32', shape: [] } },
    step({ state, feeds }) {
      const loss = (...list: tf.Tensor[]) => {
        const p = Object.fromEntries(names.map((name, i) => [name, list[i]!]));
        return tf.mean(tf.squaredDifference(forward(p, feeds.x!), feeds.x!)) as tf.Scalar;
      };
      const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => state[name]!));
      const next: Record<string, tf.Tensor> = {};
      names.forEach((name, i) => {
        const m = tf.add(tf.mul(state[`m/${name}`]!, 0.9), tf.mul(grads[i]!, 0.1));
        const v = tf.add(tf.mul(state[`v/${name}`]!, 0.999), tf.mul(tf.square(grads[i]!), 0.001));
        next[`m/${name}`] = m;
        next[`v/${name}`] = v;
        next[name] = tf.sub(state[name]!, tf.div(tf.mul(m, feeds.rate!), tf.add(tf.sqrt(v), 1e-7)));
      });
      return { state: next, outputs: { loss: value } };
    },
  };
}

const works = (device: Device): boolean => {
  try {
    requireDevice(device);
    return true;
  } catch {
    return false;
  }
};

const kinds = [
  { device: 'cpu', fuse: true },
  { device: 'cpu', fuse: false },
  { device: 'webgpu', fuse: false },
  { device: 'cuda', fuse: false },
] as const;

// a device that this machine lacks shows as skipped
describe.each(kinds)('$device, fused $fuse', ({ device, fuse }) => {
  it.runIf(works(device))('trains like tfjs on its cpu backend', () => trainsLikeTfjs(device, fuse));
});

async function trainsLikeTfjs(device: Device, fuse: boolean): Promise<void> {
  const program = adam();
  const engine = createOnnxEngine({ device, fuse });
  const executable = await engine.compile(program);
  const start: Record<string, ReturnType<typeof float32>> = {};
  let seed = 1;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647 - 0.5;
  };
  for (const [name, { shape }] of Object.entries(program.state)) {
    const size = shape.reduce((a, b) => a * b, 1);
    start[name] = float32(
      shape,
      Float32Array.from({ length: size }, () => (name.includes('/') ? 0 : random())),
    );
  }
  await executable.setState(start);
  const steps = 5;
  const x = Float32Array.from({ length: steps * batch * 6 }, random);
  const feeds: NdArrays = {
    x: float32([steps, batch, 6], x),
    rate: float32([steps], new Float32Array(steps).fill(0.01)),
  };
  const { loss } = await executable.run(feeds);
  expect(loss?.shape).toEqual([steps]);

  await tf.setBackend('cpu');
  let state: Tensors = Object.fromEntries(
    Object.entries(start).map(([name, a]) => [name, tf.tensor(a.data as Float32Array, [...a.shape])]),
  );
  const losses: number[] = [];
  for (let k = 0; k < steps; k++) {
    const slice = x.slice(k * batch * 6, (k + 1) * batch * 6);
    const result = program.step({
      state,
      constants: {},
      feeds: { x: tf.tensor2d(slice, [batch, 6]), rate: tf.scalar(0.01) },
    });
    state = result.state;
    losses.push(result.outputs.loss!.dataSync()[0]!);
  }
  for (let k = 0; k < steps; k++) expect(loss!.data[k]).toBeCloseTo(losses[k]!, 5);
  const trained = await executable.getState();
  for (const name of Object.keys(program.state)) {
    const expected = state[name]!.dataSync();
    trained[name]!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 4);
    });
  }
  await engine.dispose();
}
