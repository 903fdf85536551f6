// Runs one tfjs function as a program on several engines and holds their outputs and gradients to those of the oracle.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { type NdArray, type NdArrays, sizeOf, type TensorSpecs } from '../../../src/base/ndarray.ts';
import { RandomStream } from '../../../src/base/random.ts';
import type { Engine, Program, Tensors } from '../../../src/engine/engine.ts';

export interface Input {
  readonly shape: readonly number[];
  readonly dtype?: 'float32' | 'int32' | 'bool';
  /** values are uniform in it; default [-2, 2] */
  readonly range?: readonly [low: number, high: number];
}

export interface Case {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Input>>;
  /** what is compared; floats are also differentiated by every float input unless `gradient` is false */
  readonly compute: (inputs: Tensors) => tf.Tensor | readonly tf.Tensor[];
  readonly gradient?: boolean;
  /** allowed difference, absolute for numbers below 1 and relative above; default 1e-5 */
  readonly tolerance?: number;
}

const steps = 2;

/** A fixed direction: the gradient of Σ y · cos(k) sees every element of y. */
function direction(y: tf.Tensor): tf.Tensor {
  return tf.tensor(
    Float32Array.from({ length: y.size }, (_, k) => Math.cos(k)),
    y.shape,
  );
}

function programOf({ name, inputs, compute, gradient = true }: Case): Program {
  const feeds: TensorSpecs = Object.fromEntries(
    Object.entries(inputs).map(([key, { shape, dtype = 'float32' }]) => [key, { shape, dtype }]),
  );
  const floats = Object.keys(feeds).filter((key) => feeds[key]!.dtype === 'float32');
  const list = (y: tf.Tensor | readonly tf.Tensor[]): readonly tf.Tensor[] => (Array.isArray(y) ? y : [y as tf.Tensor]);
  const step: Program['step'] = ({ feeds: given }) => {
    const outputs: Record<string, tf.Tensor> = {};
    list(compute(given)).forEach((y, i) => {
      outputs[`y${i}`] = y;
    });
    if (gradient) {
      const loss = (...values: tf.Tensor[]) => {
        const named = { ...given, ...Object.fromEntries(floats.map((key, i) => [key, values[i]!])) };
        const parts = list(compute(named)).filter((y) => y.dtype === 'float32');
        return tf.addN(parts.map((y) => tf.sum(tf.mul(y, direction(y))))) as tf.Scalar;
      };
      const slopes = tf.grads(loss)(floats.map((key) => given[key]!));
      floats.forEach((key, i) => {
        outputs[`d${key}`] = slopes[i]!;
      });
    }
    return { state: {}, outputs };
  };
  return { name, state: {}, constants: {}, feeds, step };
}

function feedsOf({ name, inputs }: Case): NdArrays {
  return Object.fromEntries(
    Object.entries(inputs).map(([key, { shape, dtype = 'float32', range = [-2, 2] }]) => {
      const full = [steps, ...shape];
      const floats = new RandomStream(7, `${name}/${key}`).uniform(new Float32Array(sizeOf(full)), ...range);
      const data =
        dtype === 'float32'
          ? floats
          : dtype === 'int32'
            ? Int32Array.from(floats, Math.floor)
            : Uint8Array.from(floats, (x) => +(x > 0));
      return [key, { dtype, shape: full, data } as NdArray];
    }),
  );
}

async function run(engine: Engine, program: Program, feeds: NdArrays): Promise<NdArrays> {
  const executable = await engine.compile(program);
  try {
    return await executable.run(feeds);
  } finally {
    await executable.dispose();
  }
}

export async function expectAgreement(engine: Engine, oracle: Engine, testCase: Case): Promise<void> {
  const { tolerance = 1e-5 } = testCase;
  const program = programOf(testCase);
  const feeds = feedsOf(testCase);
  const [found, wanted] = [await run(engine, program, feeds), await run(oracle, program, feeds)];
  expect(Object.keys(found)).toEqual(Object.keys(wanted));
  for (const [key, expected] of Object.entries(wanted)) {
    const actual = found[key]!;
    expect([key, actual.dtype, actual.shape]).toEqual([key, expected.dtype, expected.shape]);
    for (let i = 0; i < expected.data.length; i++) {
      const [a, b] = [actual.data[i]!, expected.data[i]!];
      if (Object.is(a, b) || a === b) continue;
      expect(Math.abs(a - b), `${key}[${i}] is ${a}, should be ${b}`).toBeLessThanOrEqual(
        tolerance * Math.max(1, Math.abs(b)),
      );
    }
  }
}
