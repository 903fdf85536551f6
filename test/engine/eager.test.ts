// The eager engine on each backend that is there: state over steps and calls, refusals that name what is wrong, and not one tensor left behind.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { float32, ndarray } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine, Program } from '../../src/engine/engine.ts';
import { tensorflowEngine, tensorflowInstalled } from '../../src/engine/tensorflow.ts';

/** w ← w − rate · x, n ← n + 1 */
const descent: Program = {
  name: 'descent',
  state: { w: { dtype: 'float32', shape: [2] }, n: { dtype: 'int32', shape: [] } },
  constants: { rate: { dtype: 'float32', shape: [] } },
  feeds: { x: { dtype: 'float32', shape: [2] } },
  step: ({ state, constants, feeds }) => ({
    state: {
      w: tf.sub(state.w!, tf.mul(constants.rate!, feeds.x!)),
      n: tf.add(state.n!, tf.scalar(1, 'int32')),
    },
    outputs: { norm: tf.sum(tf.square(state.w!)), positive: tf.greater(state.w!, 0) },
  }),
};

/** ridge regression by gradient descent: uses the gradients, a few kernels and a state handed back as it is */
const regression: Program = {
  name: 'regression',
  state: { w: { dtype: 'float32', shape: [3, 1] }, frozen: { dtype: 'float32', shape: [3, 1] } },
  constants: {},
  feeds: { x: { dtype: 'float32', shape: [8, 3] }, y: { dtype: 'float32', shape: [8, 1] } },
  step: ({ state, feeds }) => {
    const loss = (w: tf.Tensor) =>
      tf.mean(tf.squaredDifference(tf.matMul(feeds.x as tf.Tensor2D, w as tf.Tensor2D), feeds.y!)) as tf.Scalar;
    const { value, grad } = tf.valueAndGrad(loss)(state.w!);
    return {
      state: { w: tf.sub(state.w!, tf.mul(grad, 0.1)), frozen: state.frozen! },
      outputs: { loss: value, frozen: state.frozen! },
    };
  },
};

interface Backend {
  readonly name: string;
  readonly installed: boolean;
  readonly create: () => Promise<Engine>;
}
const backends: readonly Backend[] = [
  { name: 'cpu', installed: true, create: () => eagerEngine('cpu') },
  { name: 'tensorflow', installed: tensorflowInstalled(), create: tensorflowEngine },
];

for (const { name, installed, create } of backends) {
  describe.runIf(installed)(installed ? name : `${name} (skipped: not installed, see npm run setup:tensorflow)`, () => {
    let engine: Engine;
    let tensorsBefore: number;
    beforeEach(async () => {
      engine = await create();
      tensorsBefore = tf.memory().numTensors;
    });
    afterEach(async () => {
      await engine.dispose();
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore);
    });

    describe('steps', () => {
      it('carries state through K steps and stacks the outputs', async () => {
        const executable = await engine.compile(descent);
        await executable.setConstants({ rate: float32([], Float32Array.of(0.5)) });
        await executable.setState({
          w: float32([2], Float32Array.of(1, 2)),
          n: ndarray('int32', [], Int32Array.of(5)),
        });
        const outputs = await executable.run({ x: float32([3, 2], Float32Array.of(1, 2, 4, 2, -8, 0)) });
        expect(outputs.norm).toEqual(float32([3], Float32Array.of(5, 1.25, 4.25 - 1 / 4 + 0.25 - 2)));
        expect(outputs.positive).toEqual(ndarray('bool', [3, 2], Uint8Array.of(1, 1, 1, 1, 0, 0)));
        expect(await executable.getState()).toEqual({
          w: float32([2], Float32Array.of(2.5, 0)),
          n: ndarray('int32', [], Int32Array.of(8)),
        });
        await executable.run({ x: float32([1, 2], Float32Array.of(1, 1)) });
        expect((await executable.getState()).w?.data).toEqual(Float32Array.of(2, -0.5));
      });

      it('starts from zeros, and neither reads nor changes the arrays it was given later on', async () => {
        const executable = await engine.compile(descent);
        expect((await executable.getState()).w?.data).toEqual(new Float32Array(2));
        const [w, x] = [Float32Array.of(1, 1), Float32Array.of(1, 1)];
        await executable.setState({ w: float32([2], w), n: ndarray('int32', [], Int32Array.of(0)) });
        await executable.setConstants({ rate: float32([], Float32Array.of(1)) });
        w.fill(99);
        await executable.run({ x: float32([1, 2], x) });
        x.fill(99);
        const state = await executable.getState();
        expect(state.w?.data).toEqual(Float32Array.of(0, 0));
        state.w?.data.fill(7);
        expect((await executable.getState()).w?.data).toEqual(Float32Array.of(0, 0));
        expect([...w, ...x]).toEqual([99, 99, 99, 99]);
      });

      it('follows gradients, to the least-squares solution', async () => {
        const executable = await engine.compile(regression);
        const truth = [1.5, -2, 0.5];
        const steps = 400;
        const x = new RandomStream(1, 'x').normal(new Float32Array(steps * 8 * 3));
        const y = Float32Array.from({ length: steps * 8 }, (_, row) =>
          truth.reduce((sum, w, i) => sum + w * (x[row * 3 + i] as number), 0),
        );
        const { loss } = await executable.run({ x: float32([steps, 8, 3], x), y: float32([steps, 8, 1], y) });
        expect(loss?.data[0]).toBeGreaterThan(1);
        expect(loss?.data[steps - 1]).toBeLessThan(1e-9);
        const { w } = await executable.getState();
        for (const [i, value] of truth.entries()) expect(w?.data[i]).toBeCloseTo(value, 4);
      });

      it('runs a program without feeds as often as asked', async () => {
        const executable = await engine.compile({
          name: 'counter',
          state: { n: { dtype: 'float32', shape: [] } },
          constants: {},
          feeds: {},
          step: ({ state }) => ({ state: { n: tf.add(state.n!, 1) }, outputs: { n: state.n! } }),
        });
        expect((await executable.run({}, 4)).n?.data).toEqual(Float32Array.of(0, 1, 2, 3));
        expect((await executable.run({})).n?.data).toEqual(Float32Array.of(4));
      });
    });

    describe('memory', () => {
      it('holds the same tensors after every step, and reports their bytes', async () => {
        const executable = await engine.compile(regression);
        expect(executable.memory()).toEqual({ residentBytes: 24, programBytes: 0 });
        const held = tf.memory();
        for (let call = 0; call < 5; call++) {
          await executable.run({
            x: float32([4, 8, 3], new Float32Array(96)),
            y: float32([4, 8, 1], new Float32Array(32)),
          });
          await executable.getState();
        }
        expect(tf.memory().numTensors).toBe(held.numTensors);
        expect(tf.memory().numBytes).toBe(held.numBytes);
      });

      it('a step that fails leaves the state as it was, and no tensor', async () => {
        let broken = true;
        const executable = await engine.compile({
          ...descent,
          step: (inputs) => {
            const result = descent.step(inputs);
            return broken ? { ...result, state: { ...result.state, w: tf.zeros([3]) } } : result;
          },
        });
        const held = tf.memory().numTensors;
        const feeds = { x: float32([1, 2], Float32Array.of(1, 1)) };
        await expect(executable.run(feeds)).rejects.toThrow('The shape of the new state w must be [2], found [3].');
        expect(tf.memory().numTensors).toBe(held);
        broken = false;
        await executable.run(feeds);
        expect((await executable.getState()).n?.data).toEqual(Int32Array.of(1));
      });

      it('an executable that was disposed refuses to run', async () => {
        const executable = await engine.compile(descent);
        await executable.dispose();
        expect(tf.memory().numTensors).toBe(tensorsBefore);
        await expect(executable.run({ x: float32([1, 2], new Float32Array(2)) })).rejects.toThrow('was disposed');
        await executable.dispose();
      });
    });

    describe('refusals', () => {
      it.each([
        ['a missing feed', {}, 'The names of the feeds must be x, found none.'],
        [
          'a foreign feed',
          { x: float32([1, 2], new Float32Array(2)), z: float32([1], new Float32Array(1)) },
          'must be x, found x, z.',
        ],
        [
          'a wrong shape',
          { x: float32([1, 3], new Float32Array(3)) },
          'The shape of feeds x must be [1, 2], found [1, 3].',
        ],
        [
          'a wrong dtype',
          { x: ndarray('int32', [1, 2], new Int32Array(2)) },
          'The dtype of feeds x must be float32, found int32.',
        ],
        ['no steps', { x: float32([0, 2], new Float32Array(0)) }, 'must be an integer of at least 1, found 0.'],
      ])('%s', async (_, feeds, message) => {
        const executable = await engine.compile(descent);
        await expect(executable.run(feeds)).rejects.toThrow(message);
        await expect(executable.run(feeds)).rejects.toMatchObject({ code: 'shape-mismatch' });
      });

      it('state and constants that do not fit, and steps that contradict the feeds', async () => {
        const executable = await engine.compile(descent);
        await expect(executable.setState({})).rejects.toThrow('The names of state must be n, w, found none.');
        await expect(executable.setConstants({ rate: float32([1], new Float32Array(1)) })).rejects.toThrow(
          'must be [], found [1].',
        );
        const feeds = { x: float32([2, 2], new Float32Array(4)) };
        await expect(executable.run(feeds, 3)).rejects.toThrow('must be 2, the leading axis of the feeds, found 3.');
      });
    });
  });
}

describe('next to other users of tfjs', () => {
  it('a backend that is not there', async () => {
    await expect(eagerEngine('abacus')).rejects.toMatchObject({ code: 'device-unavailable' });
  });

  it('leaves the current backend as it was', async () => {
    const cpu = tf.backend();
    tf.registerBackend('other', () => Object.create(cpu) as tf.KernelBackend);
    try {
      await tf.setBackend('other');
      const other = await eagerEngine('cpu');
      const executable = await other.compile(descent);
      await executable.run({ x: float32([1, 2], new Float32Array(2)) });
      expect(tf.getBackend()).toBe('other');
      await other.dispose();
    } finally {
      await tf.setBackend('cpu');
      tf.removeBackend('other');
    }
  });
});
