// The fused update gives the numbers that ONNX Runtime gives for the whole step, for any optimizer and any mix of state.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type NdArray, type NdArrays, sizeOf, type TensorSpec, type TensorSpecs } from '../../src/base/ndarray.ts';
import { RandomStream } from '../../src/base/random.ts';
import type { Program, Tensors } from '../../src/engine/engine.ts';
import { createOnnxEngine, recordStep } from '../../src/engine/onnx/engine.ts';
import { planUpdate } from '../../src/engine/onnx/update/plan.ts';
import { totalsIn } from '../../src/engine/onnx/update/totals.ts';
import { crossEntropyFromLogits } from '../../src/models/losses.ts';
import { optimizer } from '../../src/train/optimizers.ts';

const f32 = (...shape: number[]): TensorSpec => ({ dtype: 'float32', shape });

/** a program of state only; `step` gets and returns it, `x` is fed */
const program = (
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

function randomArrays(specs: TensorSpecs, name: string, leading: readonly number[] = []): NdArrays {
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

const steps = 4;

/** state and outputs after some steps of the same random start */
async function run(p: Program, fuse: boolean): Promise<{ state: NdArrays; outputs: NdArrays }> {
  const engine = createOnnxEngine({ fuse });
  const executable = await engine.compile(p);
  await executable.setState(randomArrays(p.state, 'state'));
  const outputs = await executable.run(randomArrays(p.feeds, 'feeds', [steps]), steps);
  const state = await executable.getState();
  await engine.dispose();
  return { state, outputs };
}

/** the same bits: both are IEEE arithmetic in the order of the program */
async function expectSame(p: Program): Promise<NdArrays> {
  const [fused, scanned] = [await run(p, true), await run(p, false)];
  expect(fused).toEqual(scanned);
  return fused.state;
}

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
