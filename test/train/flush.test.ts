// State that decays ends at zero, not among the denormal numbers, with which some processors compute a hundred times as slowly.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { float32, type NdArrays } from '../../src/base/ndarray.ts';
import { eagerEngine } from '../../src/engine/eager.ts';
import type { Engine, Executable } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import type { OptimizerSpec } from '../../src/jobspec/training.ts';
import type { Phase } from '../../src/models/objective.ts';
import { specsOf } from '../../src/models/parameters.ts';
import { negligible } from '../../src/train/flush.ts';
import { type Optimizer, optimizer } from '../../src/train/optimizers.ts';
import { scalarsFeed, trainingProgram } from '../../src/train/step.ts';

const schedule = { type: 'constant' } as const;
const adam: OptimizerSpec = {
  ...{ type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.9, epsilon: 1e-7, weightDecay: 0, schedule },
};
const momentum: OptimizerSpec = {
  ...{ type: 'sgd', learningRate: 1e-3, momentum: 0.8, initialMomentumEpochs: 0, weightDecay: 1, schedule },
};

const units = 24;
const steps = 1000;

/** Units whose gradients are what is fed, and a running average of the same. */
function phaseOf(spec: OptimizerSpec): Phase {
  const weights = { shape: [1, units], init: { type: 'zeros' } } as const;
  return {
    ...{ name: 'decay', begin: [], frozen: {}, epochs: 1, batchSize: 1, optimizer: spec },
    trainable: { w: weights },
    statistics: { average: weights },
    objective: {
      feeds: { x: { from: 'rows' } },
      directions: (p, { x }) => ({
        loss: tf.sum(x!) as tf.Scalar,
        gradients: { w: x! },
        statistics: { average: tf.add(tf.mul(p.average!, 0.9), tf.mul(x!, 0.1)) },
      }),
      heldOut: (_, { x }) => ({ loss: tf.sum(x!, 1) as tf.Tensor1D }),
    },
  };
}

function scalarsOf(rule: Optimizer, count: number) {
  const rows = Array.from({ length: count }, (_, step) => {
    const values = rule.scalars({ step, stepsPerEpoch: count, epochs: 1 });
    return rule.scalarNames.map((name) => values[name] as number);
  });
  return float32([count, rule.scalarNames.length], Float32Array.from(rows.flat()));
}

/** Gradients of each unit: those of even number die at once, the others fade at a rate of their own; signs alternate. */
function gradients(count: number) {
  const at = (step: number, unit: number) => (unit % 2 ? (0.8 + unit / 200) ** step : +(step === 0));
  const data = Float32Array.from({ length: count * units }, (_, i) => {
    const unit = i % units;
    return at(Math.floor(i / units), unit) * (unit % 4 < 2 ? 1 : -1);
  });
  return float32([count, 1, units], data);
}

async function compile(engine: Engine, spec: OptimizerSpec): Promise<{ executable: Executable; rule: Optimizer }> {
  const phase = phaseOf(spec);
  const rule = optimizer(spec, specsOf(phase.trainable));
  return { executable: await engine.compile(trainingProgram(phase, { batch: 1, row: [units] }, rule)), rule };
}

/** Numbers that are neither zero nor clearly normal, by their bits: a processor may show denormal numbers as zero. */
function faint(state: NdArrays): string[] {
  const floor = new Uint32Array(Float32Array.of(negligible).buffer)[0] as number;
  return Object.entries(state).flatMap(([name, { data }]) => {
    const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
    return [...bits].flatMap((word) => {
      const magnitude = word & 0x7fff_ffff;
      return magnitude !== 0 && magnitude < floor ? [`${name}: ${magnitude.toString(16)}`] : [];
    });
  });
}

// The eager engine comes first: ONNX Runtime lets this thread take denormal numbers as zero once it was loaded.
const engines: Record<string, () => Engine | Promise<Engine>> = {
  'eager/cpu': () => eagerEngine('cpu'),
  'onnx/cpu, fused': () => createOnnxEngine({ fuse: true }),
  'onnx/cpu, in a Scan': () => createOnnxEngine({ fuse: false }),
};

describe.each(Object.keys(engines))('%s', (name) => {
  it.each([
    ['Adam', adam],
    ['momentum and weight decay', momentum],
  ] as const)('%s: state that decays becomes zero', async (_, spec) => {
    const engine = await engines[name]!();
    const { executable, rule } = await compile(engine, spec);
    await executable.run({ x: gradients(steps), [scalarsFeed]: scalarsOf(rule, steps) });
    const state = await executable.getState();
    await engine.dispose();
    expect(faint(state)).toEqual([]);
    const moments = Object.entries(state).filter(([key]) => key !== 'w');
    for (const [, { data }] of moments) expect(data[0]).toBe(0);
    // what matters is still there
    expect(state.w?.data.every((value) => value !== 0)).toBe(true);
  });

  it('goes on from state that an earlier release left with denormal numbers', async () => {
    const engine = await engines[name]!();
    const { executable, rule } = await compile(engine, adam);
    const old = await executable.getState();
    for (const { data } of Object.values(old)) data.fill(0);
    new Uint32Array(old['m/w']!.data.buffer, old['m/w']!.data.byteOffset, units).fill(0x0000_1234);
    await executable.setState(old);
    expect(faint(await executable.getState()).length).toBe(units);
    await executable.run({ x: float32([1, 1, units], new Float32Array(units)), [scalarsFeed]: scalarsOf(rule, 1) });
    expect(faint(await executable.getState())).toEqual([]);
    await engine.dispose();
  });

  it('NaN stays, so that a training that diverges is seen', async () => {
    const engine = await engines[name]!();
    const { executable, rule } = await compile(engine, adam);
    const x = float32([1, 1, units], new Float32Array(units).fill(Number.NaN));
    await executable.run({ x, [scalarsFeed]: scalarsOf(rule, 1) });
    const state = await executable.getState();
    for (const { data } of Object.values(state)) expect([...data].every(Number.isNaN)).toBe(true);
    await engine.dispose();
  });
});
