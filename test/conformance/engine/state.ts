// What every executable promises about state, constants, feeds and its end.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { float32, type NdArrays, ndarray } from '../../../src/base/ndarray.ts';
import type { Engine, Executable, Program } from '../../../src/engine/engine.ts';

/** w ← w − rate · x, n ← n + 1, flag ← not flag; `kept` is handed back as it is */
const program: Program = {
  name: 'descent',
  state: {
    w: { dtype: 'float32', shape: [2] },
    n: { dtype: 'int32', shape: [] },
    flag: { dtype: 'bool', shape: [1] },
    kept: { dtype: 'float32', shape: [3] },
  },
  constants: { rate: { dtype: 'float32', shape: [] } },
  feeds: { x: { dtype: 'float32', shape: [2] }, unused: { dtype: 'int32', shape: [2, 2] } },
  step: ({ state, constants, feeds }) => ({
    state: {
      w: tf.sub(state.w!, tf.mul(constants.rate!, feeds.x!)),
      n: tf.add(state.n!, tf.scalar(1, 'int32')),
      flag: tf.logicalNot(state.flag!),
      kept: state.kept!,
    },
    outputs: { before: state.w!, energy: tf.sum(tf.square(state.w!)), count: state.n!, up: tf.greater(feeds.x!, 0) },
  }),
};

const counter: Program = {
  name: 'counter',
  state: { n: { dtype: 'float32', shape: [] } },
  constants: {},
  feeds: {},
  step: ({ state }) => ({ state: { n: tf.add(state.n!, 1) }, outputs: { n: state.n! } }),
};

const f = (shape: number[], ...values: number[]) => float32(shape, Float32Array.from(values));
const feeds = (...rows: [number, number][]): NdArrays => ({
  x: f([rows.length, 2], ...rows.flat()),
  unused: ndarray('int32', [rows.length, 2, 2], new Int32Array(4 * rows.length)),
});
const start: NdArrays = {
  w: f([2], 1, 2),
  n: ndarray('int32', [], Int32Array.of(5)),
  flag: ndarray('bool', [1], Uint8Array.of(1)),
  kept: f([3], 7, 8, 9),
};

export function describeState(engineOf: () => Engine): void {
  const compile = async (p: Program, body: (executable: Executable) => Promise<void>): Promise<void> => {
    const executable = await engineOf().compile(p);
    try {
      await body(executable);
    } finally {
      await executable.dispose();
    }
  };

  it('carries state through steps and calls, and stacks the outputs', () =>
    compile(program, async (executable) => {
      await executable.setConstants({ rate: f([], 0.5) });
      await executable.setState(start);
      const first = await executable.run(feeds([2, 4], [-4, 0]));
      expect(first).toEqual({
        before: f([2, 2], 1, 2, 0, 0),
        energy: f([2], 5, 0),
        count: ndarray('int32', [2], Int32Array.of(5, 6)),
        up: ndarray('bool', [2, 2], Uint8Array.of(1, 1, 0, 0)),
      });
      await executable.setConstants({ rate: f([], 1) });
      const second = await executable.run(feeds([1, 1]));
      expect(second.before).toEqual(f([1, 2], 2, 0));
      expect(await executable.getState()).toEqual({
        w: f([2], 1, -1),
        n: ndarray('int32', [], Int32Array.of(8)),
        flag: ndarray('bool', [1], Uint8Array.of(0)),
        kept: f([3], 7, 8, 9),
      });
    }));

  it('starts from zeros and shares no memory with its caller', () =>
    compile(program, async (executable) => {
      expect((await executable.getState()).kept).toEqual(f([3], 0, 0, 0));
      const mine = { ...start, w: f([2], 1, 2) };
      await executable.setState(mine);
      mine.w.data.fill(9);
      const read = await executable.getState();
      expect(read.w).toEqual(f([2], 1, 2));
      read.w!.data.fill(9);
      const outputs = await executable.run(feeds([0, 0]));
      await executable.run(feeds([5, 5]));
      expect(outputs.before).toEqual(f([1, 2], 1, 2));
    }));

  it('runs a program without feeds as often as asked', () =>
    compile(counter, async (executable) => {
      expect(await executable.run({}, 3)).toEqual({ n: f([3], 0, 1, 2) });
      expect(await executable.run({})).toEqual({ n: f([1], 3) });
    }));

  it('reports the memory it holds', () =>
    compile(program, async (executable) => {
      // w, n, flag, kept, rate
      expect(executable.memory().residentBytes).toBeGreaterThanOrEqual(8 + 4 + 1 + 12 + 4);
    }));

  it('refuses what does not fit, and goes on', () =>
    compile(program, async (executable) => {
      const wrong: readonly NdArrays[] = [
        { x: f([1, 2], 0, 0) },
        { ...feeds([0, 0]), other: f([1], 0) },
        { ...feeds([0, 0]), x: f([1, 3], 0, 0, 0) },
        { ...feeds([0, 0]), x: ndarray('int32', [1, 2], new Int32Array(2)) },
        { ...feeds([0, 0]), x: f([2, 2], 0, 0, 0, 0) },
        feeds(),
      ];
      for (const given of wrong) {
        await expect(executable.run(given)).rejects.toMatchObject({ code: 'shape-mismatch' });
      }
      await expect(executable.setState({ w: f([2], 0, 0) })).rejects.toMatchObject({ code: 'shape-mismatch' });
      await expect(executable.setConstants({ rate: f([1], 0) })).rejects.toMatchObject({ code: 'shape-mismatch' });
      expect((await executable.run(feeds([0, 0]))).count).toEqual(ndarray('int32', [1], Int32Array.of(0)));
    }));

  it('is of no use once it was disposed, which may be done twice', async () => {
    const executable = await engineOf().compile(counter);
    await executable.dispose();
    await executable.dispose();
    await expect(executable.run({})).rejects.toThrow('The executable of counter was disposed.');
    await expect(executable.getState()).rejects.toThrow('disposed');
    await expect(executable.setState({ n: f([], 0) })).rejects.toThrow('disposed');
  });
}
