// What is served must be what was trained: ONNX files run by ONNX Runtime against the model's functions on the tfjs cpu backend.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { float32, type NdArrays } from '../../src/base/ndarray.ts';
import type { BatchFunction } from '../../src/engine/engine.ts';
import { Session } from '../../src/runtime/session.ts';

const tensors = (arrays: NdArrays) =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]),
  );

/** The outputs of a function on the tfjs cpu backend. */
export async function callOnCpu(fn: BatchFunction, inputs: NdArrays): Promise<NdArrays> {
  await tf.setBackend('cpu');
  tf.engine().startScope();
  try {
    const outputs = fn.call(tensors(inputs), tensors(fn.weights));
    return Object.fromEntries(
      Object.entries(outputs).map(([name, t]) => [name, float32(t.shape, Float32Array.from(t.dataSync()))]),
    );
  } finally {
    tf.engine().endScope();
  }
}

/** The file's outputs equal the function's to 1e-5 (relative to values above 1); answers the function's outputs. */
export async function expectServed(
  file: Uint8Array | undefined,
  fn: BatchFunction,
  inputs: NdArrays,
): Promise<NdArrays> {
  const expected = await callOnCpu(fn, inputs);
  const session = Session.create(file ?? new Uint8Array());
  try {
    const served = session.runSync(inputs);
    expect(Object.keys(served)).toEqual(Object.keys(expected));
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect(served[name]?.shape).toEqual(shape);
      let worst = 0;
      for (const [i, value] of data.entries()) {
        worst = Math.max(worst, Math.abs(value - Number(served[name]?.data[i])) / Math.max(1, Math.abs(value)));
      }
      expect(worst).toBeLessThan(1e-5);
    }
  } finally {
    session.dispose();
  }
  return expected;
}
