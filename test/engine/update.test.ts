// The fused update gives the numbers that ONNX Runtime gives for the whole step, for any optimizer and any mix of state.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { NdArray, TensorSpecs } from '../../src/base/ndarray.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { planUpdate } from '../../src/engine/onnx/update/plan.ts';
import { optimizer } from '../../src/train/optimizers.ts';
import { expectSame, f32, program, randomArrays, run } from './update-programs.ts';

describe('optimizers', () => {
  const weights = { w: f32(7, 3), b: f32(3), s: f32() };
  const gradients: TensorSpecs = { 'g/w': f32(7, 3), 'g/b': f32(3), 'g/s': f32() };
  it.each([
    ['adam', { type: 'adam', learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-7, weightDecay: 0 }],
    ['adam with decay', { type: 'adam', learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-7, weightDecay: 0.1 }],
    ['sgd', { type: 'sgd', learningRate: 0.1, momentum: 0, initialMomentumEpochs: 0, weightDecay: 0 }],
    ['momentum', { type: 'sgd', learningRate: 0.1, momentum: 0.9, initialMomentumEpochs: 0, weightDecay: 0.01 }],
  ] as const)('%s', async (_, spec) => {
    const rule = optimizer({ ...spec, schedule: 'constant' } as unknown as Parameters<typeof optimizer>[0], weights);
    const p = program(
      { ...weights, ...rule.state },
      { ...gradients, ...Object.fromEntries(rule.scalarNames.map((name) => [name, f32()])) },
      (state, feeds) => {
        // through a matrix product: what ONNX Runtime computes and hands over
        const identity = tf.eye(7);
        const given: Tensors = {
          w: tf.matMul(identity, feeds['g/w'] as tf.Tensor2D),
          b: feeds['g/b']!,
          s: feeds['g/s']!,
        };
        const scalars = Object.fromEntries(rule.scalarNames.map((name) => [name, tf.abs(feeds[name]!)]));
        const variance = Object.fromEntries(
          Object.entries(state).map(([name, value]) => [name, name.startsWith('v/') ? tf.abs(value) : value]),
        );
        const update = rule.update({ w: state.w!, b: state.b!, s: state.s! }, given, variance, scalars);
        return { ...update.parameters, ...update.state };
      },
    );
    const { groups, handed } = planUpdate(recordStep(p));
    expect(groups.flatMap(({ targets }) => targets)).toHaveLength(Object.keys(p.state).length);
    expect(handed.map(({ value }) => value.shape).filter((shape) => shape.length === 2)).toEqual([[7, 3]]);
    await expectSame(p);
  });
});

describe('state of any kind', () => {
  it('a swap, a copy of an old value and an average read the old values', async () => {
    const state = { a: f32(5), b: f32(5), old: f32(5), average: f32(5) };
    const p = program(state, {}, ({ a, b, average }) => ({
      a: b!,
      b: a!,
      old: a!,
      average: tf.add(tf.mul(average!, 0.75), tf.mul(b!, 0.25)),
    }));
    const start = randomArrays(state, 'state');
    const end = await expectSame(p);
    expect(end.a).toEqual(start.a); // after an even number of swaps
    expect(end.old).toEqual(start.b);
    const { groups } = planUpdate(recordStep(p));
    expect(groups).toHaveLength(1);
  });

  it('outputs of the old state are of the old state', async () => {
    const p = program(
      { w: f32(5), count: f32() },
      {},
      ({ w, count }) => ({ w: tf.mul(w!, 0.5), count: tf.add(count!, 1) }),
      ({ w, count }) => ({ before: w!, count: count!, twice: tf.mul(w!, 2) }),
    );
    const [fused, scanned] = [await run(p, true), await run(p, false)];
    expect(fused).toEqual(scanned);
    expect(fused.outputs.before!.data.slice(0, 5)).toEqual(randomArrays(p.state, 'state').w!.data);
  });

  it('a number that changes itself is used as it was before the step', async () => {
    const p = program({ w: f32(6), power: f32(), scaled: f32() }, {}, ({ w, power }) => ({
      w: tf.mul(w!, power!),
      power: tf.mul(power!, 0.5),
      scaled: tf.add(power!, 1),
    }));
    await expectSame(p);
  });

  it('integers, booleans, and what is not elementwise, are copied', async () => {
    const state: TensorSpecs = { n: { dtype: 'int32', shape: [2] }, flag: { dtype: 'bool', shape: [3] }, h: f32(4, 4) };
    const p = program(state, { x: f32(3) }, ({ n, flag, h }, { x }) => ({
      n: tf.add(n!, tf.scalar(3, 'int32')),
      flag: tf.logicalXor(flag!, tf.greater(x!, 0)),
      h: tf.tanh(tf.matMul(h as tf.Tensor2D, h as tf.Tensor2D)),
    }));
    await expectSame(p);
    expect(planUpdate(recordStep(p)).moved.map(({ name }) => name)).toEqual(['n', 'flag']);
  });

  it('integers that change places', async () => {
    const state: TensorSpecs = { a: { dtype: 'int32', shape: [2] }, b: { dtype: 'int32', shape: [2] }, w: f32(2) };
    await expectSame(program(state, {}, ({ a, b, w }) => ({ a: b!, b: a!, w: tf.mul(w!, 0.5) })));
  });

  it('state that stays as it is', async () => {
    const p = program({ w: f32(3), kept: f32(3) }, {}, ({ w, kept }) => ({ w: tf.add(w!, kept!), kept: kept! }));
    const { kept } = await expectSame(p);
    expect(kept).toEqual(randomArrays(p.state, 'state').kept);
  });

  it('constants and broadcast operands', async () => {
    const base = program({ w: f32(3, 2), b: f32(2) }, { x: f32(3, 2) }, ({ w, b }, { x }) => ({
      w: tf.add(tf.sub(w!, b!), x!),
      b: tf.mul(b!, tf.tensor1d([0.5, 2])),
    }));
    await expectSame(base);
    const constant: Program = {
      ...base,
      constants: { rate: f32(), mask: f32(3, 2) },
      step: ({ state, constants, feeds }) => ({
        state: { ...state, w: tf.sub(state.w!, tf.mul(tf.mul(feeds.x!, constants.mask!), constants.rate!)) },
        outputs: { sum: tf.sum(state.w!) },
      }),
    };
    const engine = createOnnxEngine();
    const executable = await engine.compile(constant);
    const x = randomArrays(constant.feeds, 'feeds', [1]);
    await executable.setConstants({
      rate: { dtype: 'float32', shape: [], data: Float32Array.of(0.5) },
      mask: { dtype: 'float32', shape: [3, 2], data: Float32Array.of(1, 0, 1, 0, 1, 0) },
    });
    await executable.run(x);
    const { w } = await executable.getState();
    expect(w?.data).toEqual(x.x!.data.map((v, i) => (i % 2 ? 0 : -0.5 * v) + 0));
    await engine.dispose();
  });
});

describe('every fused operator', () => {
  const operators: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    add: tf.add,
    sub: tf.sub,
    mul: tf.mul,
    div: tf.div,
    maximum: tf.maximum,
    minimum: tf.minimum,
    sqrt: (a) => tf.sqrt(tf.abs(a)),
    neg: (a) => tf.neg(a),
    reciprocal: (_, b) => tf.reciprocal(b),
    clip: (a) => tf.clipByValue(a, -0.5, 1),
    relu: (a) => tf.relu(a),
    greater: (a, b) => tf.where(tf.greater(a, b), a, tf.mul(b, 2)),
    less: (a, b) => tf.where(tf.logicalOr(tf.less(a, b), tf.equal(a, tf.scalar(0))), a, b),
    between: (a, b) => tf.where(tf.logicalAnd(tf.greaterEqual(a, b), tf.lessEqual(a, tf.scalar(1))), tf.onesLike(a), b),
    not: (a, b) => tf.where(tf.logicalNot(tf.isNaN(a)), a, b),
    cast: (a, b) => tf.mul(tf.cast(tf.greater(a, b), 'float32'), a),
    sign: (a) => tf.sign(a),
  };
  it.each(Object.keys(operators))('%s', async (name) => {
    // 9 elements: two full vectors and a rest
    await expectSame(program({ a: f32(9), b: f32(9) }, {}, ({ a, b }) => ({ a: operators[name]!(a!, b!), b: b! })));
  });
});

describe('a large weight gradient', () => {
  it('is xᵀ·y, although the product transposes x first', async () => {
    const [rows, inputs, columns] = [16, 520, 510];
    const p = program(
      { w: f32(inputs, columns) },
      { x: f32(rows, inputs), y: f32(rows, columns) },
      ({ w }, { x, y }) => ({
        w: tf.sub(w!, tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D, true)),
      }),
    );
    const w = randomArrays(p.state, 'state').w!.data;
    const { x, y } = randomArrays(p.feeds, 'feeds', [1]) as { x: NdArray; y: NdArray };
    const engine = createOnnxEngine();
    const executable = await engine.compile(p);
    await executable.setState(randomArrays(p.state, 'state'));
    await executable.run({ x, y });
    const found = (await executable.getState()).w!.data;
    await engine.dispose();
    let worst = 0;
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < columns; j++) {
        let wanted = w[i * columns + j]!;
        for (let row = 0; row < rows; row++) wanted -= x.data[row * inputs + i]! * y.data[row * columns + j]!;
        worst = Math.max(worst, Math.abs(found[i * columns + j]! - wanted));
      }
    }
    expect(worst).toBeLessThan(1e-4);
  });
});
