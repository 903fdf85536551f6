// Programs of state only, run with the update fused and as ONNX Runtime runs the whole step.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { type NdArray, type NdArrays, sizeOf, type TensorSpec, type TensorSpecs } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';

export const f32 = (...shape: number[]): TensorSpec => ({ dtype: 'float32', shape });

/** a program of state only; `step` gets and returns it, `x` is fed */
export const program = (
  state: TensorSpecs,
  feeds: TensorSpecs,
  step: (state: Tensors, feeds: Tensors) => Record<string, tf.Tensor>,
  outputs: (state: Tensors, feeds: Tensors) => Tensors = () => ({ done: tf.scalar(1) }),
): Program => ({
  name: 'update',
  state,
  constants: {},
  feeds,
  step: (inputs) => ({ state: step(inputs.state, inputs.feeds), outputs: outputs(inputs.state, inputs.feeds) }),
});

export function randomArrays(specs: TensorSpecs, name: string, leading: readonly number[] = []): NdArrays {
  return Object.fromEntries(
    Object.entries(specs).map(([key, { dtype, shape }]) => {
      const full = [...leading, ...shape];
      const data = new RandomStream(1, `${name}/${key}`).uniform(new Float32Array(sizeOf(full)), -2, 2);
      const typed =
        dtype === 'float32' ? data : dtype === 'int32' ? Int32Array.from(data) : Uint8Array.from(data, (v) => +(v > 0));
      return [key, { dtype, shape: full, data: typed } as NdArray];
    }),
  );
}

export const steps = 4;

/** state and outputs after some steps of the same random start */
export async function run(p: Program, fuse: boolean): Promise<{ state: NdArrays; outputs: NdArrays }> {
  const engine = createOnnxEngine({ fuse });
  const executable = await engine.compile(p);
  await executable.setState(randomArrays(p.state, 'state'));
  const outputs = await executable.run(randomArrays(p.feeds, 'feeds', [steps]), steps);
  const state = await executable.getState();
  await engine.dispose();
  return { state, outputs };
}

/** the same bits: both are IEEE arithmetic in the order of the program */
export async function expectSame(p: Program): Promise<NdArrays> {
  const [fused, scanned] = [await run(p, true), await run(p, false)];
  expect(fused).toEqual(scanned);
  return fused.state;
}
