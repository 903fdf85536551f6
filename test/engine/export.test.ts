// Exported functions run for any batch and equal tfjs; functions whose rows are not independent are refused.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as web from 'onnxruntime-web';
import { describe, expect, it } from 'vitest';
import { float32, type NdArrays } from '../../src/base/ndarray.ts';
import type { BatchFunction } from '../../src/engine/engine.ts';
import { exportOnnx } from '../../src/engine/export.ts';
import { Session } from '../../src/runtime/session.ts';

let seed = 7;
const random = () => {
  seed = (seed * 48271) % 2147483647;
  return seed / 2147483647 - 0.5;
};
const randoms = (...shape: number[]) =>
  float32(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random));

/** 28×28 → conv → max-pool → transposed conv → dense code; reshapes in between. */
const encoder: BatchFunction = {
  name: 'encoder',
  inputs: { x: { dtype: 'float32', shape: [8, 8, 1] } },
  weights: { W: randoms(3, 3, 1, 4), T: randoms(2, 2, 3, 4), D: randoms(8 * 8 * 3, 5), b: randoms(5) },
  call({ x }, { W, T, D, b }) {
    const n = x!.shape[0]!;
    const h = tf.maxPool(tf.relu(tf.conv2d(x as tf.Tensor4D, W as tf.Tensor4D, 1, 'same')), 2, 2, 'valid');
    const u = tf.conv2dTranspose(h as tf.Tensor4D, T as tf.Tensor4D, [n, 8, 8, 3], 2, 'same');
    const flat = tf.reshape(u, [n, 8 * 8 * 3]);
    const z = tf.add(tf.matMul(flat, D as tf.Tensor2D), b!);
    const shifted = tf.concat([z, tf.zeros([n, 2])], 1);
    return { z, both: tf.stack([shifted, tf.mul(shifted, 2)], 1) };
  },
};

function expected(fn: BatchFunction, x: Float32Array, batch: number): Record<string, number[]> {
  void tf.setBackend('cpu');
  return tf.tidy(() => {
    const tensors = (arrays: NdArrays) =>
      Object.fromEntries(Object.entries(arrays).map(([k, a]) => [k, tf.tensor(a.data, [...a.shape], a.dtype)]));
    const out = fn.call(tensors({ x: float32([batch, ...fn.inputs.x!.shape], x) }), tensors(fn.weights));
    return Object.fromEntries(Object.entries(out).map(([k, t]) => [k, [...t.dataSync()]]));
  });
}

function close(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(found[i]! - wanted[i]!)).toBeLessThan(1e-5);
}

describe('export', () => {
  const metadata = { producer: 'hourglass', version: '1.2.3', properties: { code: '5' } };
  const bytes = exportOnnx(encoder, metadata);

  it('runs for any batch in onnxruntime-node', () => {
    const session = Session.create(bytes);
    expect(session.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 8, 8, 1] }]);
    expect(session.outputs.map((port) => [port.name, port.shape])).toEqual([
      ['z', ['batch', 5]],
      ['both', ['batch', 2, 7]],
    ]);
    for (const batch of [1, 2, 17]) {
      const x = randoms(batch, 8, 8, 1);
      const out = session.runSync({ x });
      const wanted = expected(encoder, x.data, batch);
      expect(out.z?.shape).toEqual([batch, 5]);
      close(out.z!.data, wanted.z!);
      close(out.both!.data, wanted.both!);
    }
    session.dispose();
  });

  it('runs in onnxruntime-web', async () => {
    web.env.wasm.numThreads = 1;
    const session = await web.InferenceSession.create(bytes);
    const x = randoms(3, 8, 8, 1);
    const out = await session.run({ x: new web.Tensor('float32', x.data, x.shape) });
    close(out.z!.data as Float32Array, expected(encoder, x.data, 3).z!);
    await session.release();
  });

  it('gives the same bytes each time', () => {
    expect(Buffer.compare(bytes, exportOnnx(encoder, metadata))).toBe(0);
  });

  it('refuses functions whose rows depend on their number', () => {
    const centred: BatchFunction = {
      ...encoder,
      name: 'centred',
      call: ({ x }) => ({ z: tf.sub(x!, tf.mean(x!, 0, true)) }),
    };
    expect(() => exportOnnx(centred, metadata)).toThrow(/centred cannot be exported .* the number 9949 in it changes/);
    const total: BatchFunction = {
      ...encoder,
      name: 'total',
      call: ({ x }) => ({ z: tf.sum(x!, [1, 2, 3]), s: tf.sum(x!) }),
    };
    expect(() => exportOnnx(total, metadata)).toThrow(/its output s has the shape \[\]/);
  });
});
