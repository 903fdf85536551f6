// Totals over the lines of a cross-entropy that the fused update computes itself: the same numbers, where it may.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { NdArray } from '../../src/base/ndarray.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { planUpdate } from '../../src/engine/onnx/update/plan.ts';
import { totalsIn } from '../../src/engine/onnx/update/totals.ts';
import { crossEntropyFromLogits } from '../../src/models/losses.ts';
import { f32, program, randomArrays, run, steps } from './update-programs.ts';

describe('totals of a cross-entropy', () => {
  /** one layer of logits, trained on targets; `loss` makes the output from logits and targets */
  const layer = (
    [rows, inputs, columns]: readonly [number, number, number],
    loss: (logits: tf.Tensor, target: tf.Tensor, w: tf.Tensor) => tf.Scalar,
  ): Program =>
    program(
      { w: f32(inputs, columns) },
      { x: f32(rows, inputs), target: f32(rows, columns) },
      ({ w }, feeds) => ({ w: tf.sub(w!, tf.mul(0.01, lossAndGradient(w!, feeds, loss).gradient)) }),
      ({ w }, feeds) => ({ loss: lossAndGradient(w!, feeds, loss).loss }),
    );
  function lossAndGradient(w: tf.Tensor, { x, target }: Tensors, loss: Parameters<typeof layer>[1]) {
    const { value, grads } = tf.valueAndGrads((v: tf.Tensor) =>
      loss(tf.matMul(x as tf.Tensor2D, v as tf.Tensor2D), tf.abs(tf.mul(target!, 0.5)), v),
    )([w]);
    return { loss: value, gradient: grads[0]! };
  }
  const mean = (logits: tf.Tensor, target: tf.Tensor) => tf.mean(crossEntropyFromLogits(logits, target)) as tf.Scalar;

  /** the loss of the first step in float64 */
  function reference(p: Program): number {
    const w = randomArrays(p.state, 'state').w!;
    const { x, target } = randomArrays(p.feeds, 'feeds', [steps]) as { x: NdArray; target: NdArray };
    const [, rows, inputs] = x.shape as [number, number, number];
    const columns = w.shape[1]!;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let logit = 0;
        for (let i = 0; i < inputs; i++) logit += x.data[row * inputs + i]! * w.data[i * columns + column]!;
        const wanted = Math.abs(target.data[row * columns + column]! / 2);
        sum += Math.max(logit, 0) - logit * wanted + Math.log1p(Math.exp(-Math.abs(logit)));
      }
    }
    return sum / rows / columns;
  }

  it.each([
    ['whole blocks', [32, 100, 256]],
    ['a last block that is not full', [32, 100, 300]],
    ['less than a block', [16, 3, 5]],
  ] as const)('%s', async (_, shape) => {
    const p = layer(shape, mean);
    const { totals, outputs } = planUpdate(recordStep(p));
    expect([totals.map(({ name }) => name), outputs]).toEqual([['loss'], []]);
    const [fused, scanned] = [await run(p, true), await run(p, false)];
    expect(fused.state).toEqual(scanned.state);
    const [found, other] = [fused.outputs.loss!.data, scanned.outputs.loss!.data];
    for (let i = 0; i < steps; i++) expect(Math.abs(found[i]! / other[i]! - 1)).toBeLessThan(1e-6);
    expect(Math.abs(found[0]! / reference(p) - 1)).toBeLessThan(1e-6);
  });

  it('is NaN when a logit is', async () => {
    const p = layer([16, 2, 8], mean);
    const engine = createOnnxEngine();
    const executable = await engine.compile(p);
    const feeds = randomArrays(p.feeds, 'feeds', [1]);
    feeds.x!.data[5] = Number.NaN;
    expect((await executable.run(feeds)).loss!.data[0]).toBeNaN();
    await engine.dispose();
  });

  it('the same bits with any number of threads', async () => {
    const p = layer([16, 600, 1000], mean);
    const losses = [];
    for (const threads of [1, 2, 3]) {
      const engine = createOnnxEngine({ threads });
      const executable = await engine.compile(p);
      await executable.setState(randomArrays(p.state, 'state'));
      losses.push((await executable.run(randomArrays(p.feeds, 'feeds', [steps]))).loss!.data);
      await engine.dispose();
    }
    expect(losses[1]).toEqual(losses[0]);
    expect(losses[2]).toEqual(losses[0]);
  });

  it('goes with what ONNX Runtime computes of the same number', async () => {
    const p = layer([16, 4, 32], (logits, target) => tf.add(mean(logits, target), tf.mean(tf.square(tf.tanh(logits)))));
    expect(planUpdate(recordStep(p)).totals).toHaveLength(1);
    const [fused, scanned] = [await run(p, true), await run(p, false)];
    expect(fused.state).toEqual(scanned.state);
    for (let i = 0; i < steps; i++) {
      expect(Math.abs(fused.outputs.loss!.data[i]! / scanned.outputs.loss!.data[i]! - 1)).toBeLessThan(1e-6);
    }
  });

  it('goes with a number of the old state', async () => {
    const base = layer([16, 4, 32], mean);
    const p = program(
      { ...base.state, price: f32() },
      base.feeds,
      ({ price, ...state }, feeds) => ({
        ...base.step({ state, constants: {}, feeds }).state,
        price: tf.add(price!, 1),
      }),
      (state, feeds) => ({
        loss: tf.add(base.step({ state, constants: {}, feeds }).outputs.loss!, tf.reshape(state.price!, [])),
      }),
    );
    const [fused, scanned] = [await run(p, true), await run(p, false)];
    expect(fused.state).toEqual(scanned.state);
    for (let i = 0; i < steps; i++) {
      expect(fused.outputs.loss!.data[i]).toBeCloseTo(scanned.outputs.loss!.data[i]!, 5);
    }
  });

  it('stays with ONNX Runtime where lines are not full, and as far as state is read', () => {
    const kindsOf = (p: Program) =>
      planUpdate(recordStep(p)).totals.map(({ expression }) => totalsIn(expression).map(({ kind }) => kind));
    expect(kindsOf(layer([16, 16, 16], mean))).toEqual([['sum', 'logarithms']]);
    expect(kindsOf(layer([3, 4, 5], mean))).toEqual([]);
    expect(kindsOf(layer([16, 16, 16], (_, target, w) => mean(w, target)))).toEqual([['logarithms']]);
  });
});
