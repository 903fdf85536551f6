// What the fused update holds in memory, and that its threads give the same bits.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { NdArrays } from '../../src/base/ndarray.ts';
import type { Program } from '../../src/engine/engine.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { planUpdate } from '../../src/engine/onnx/update/plan.ts';
import { f32, program, randomArrays, steps } from './update-programs.ts';

describe('memory', () => {
  it('is not taken for a copy of what is computed', async () => {
    const p = program({ w: f32(1000, 2000) }, { x: f32(4, 1000), y: f32(4, 2000) }, ({ w }, { x, y }) => ({
      w: tf.sub(w!, tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D, true)),
    }));
    const engine = createOnnxEngine();
    const executable = await engine.compile(p);
    const feeds = randomArrays(p.feeds, 'feeds', [1]);
    await executable.run(feeds);
    // nothing is left to be collected while the next step runs
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    const before = process.memoryUsage().arrayBuffers;
    await executable.run(feeds);
    // the gradient has 8 MB
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    await engine.dispose();
  });

  it('holds state once', async () => {
    const p = program({ w: f32(1000), m: f32(1000) }, { x: f32(1000) }, ({ w, m }, { x }) => ({
      w: tf.sub(w!, m!),
      m: tf.add(tf.mul(m!, 0.9), x!),
    }));
    const engine = createOnnxEngine();
    const executable = await engine.compile(p);
    // two of state, the feed and an output, in lines of 64 bytes
    expect(executable.memory().residentBytes).toBe(3 * 4032 + 64);
    await engine.dispose();
  });
});

describe('threads', () => {
  const large = program({ w: f32(600, 1000), m: f32(600, 1000) }, { g: f32(600, 1000) }, ({ w, m }, { g }) => {
    const moved = tf.add(tf.mul(m!, 0.5), g!);
    return { w: tf.sub(w!, tf.div(moved, tf.add(tf.sqrt(tf.abs(m!)), 1))), m: moved };
  });

  async function state(p: Program, threads: number): Promise<NdArrays> {
    const engine = createOnnxEngine({ threads });
    const executable = await engine.compile(p);
    await executable.setState(randomArrays(p.state, 'state'));
    await executable.run(randomArrays(p.feeds, 'feeds', [steps]));
    const result = await executable.getState();
    await engine.dispose();
    return result;
  }

  it('do parts of one update, where ONNX Runtime takes shared memory: the same bits', async () => {
    const one = await state(large, 1);
    for (const threads of [2, 3]) {
      const several = await state(large, threads);
      for (const name of ['w', 'm']) {
        expect(Buffer.compare(Buffer.from(several[name]!.data.buffer), Buffer.from(one[name]!.data.buffer))).toBe(0);
      }
    }
  });

  it('stay out of it when an array is computed from a number that is replaced', () => {
    const p = program({ w: f32(8), scale: f32() }, {}, ({ w, scale }) => ({
      w: tf.mul(w!, scale!),
      scale: tf.mul(scale!, 0.5),
    }));
    expect(planUpdate(recordStep(p)).parallel).toBe(false);
    expect(planUpdate(recordStep(large)).parallel).toBe(true);
  });
});
