/**
 * An encoder–decoder of series: gated recurrent units read a series patch by patch into a code; others write it from the code
 * alone. Srivastava, Mansimov & Salakhutdinov 2015.
 *
 *   x ─ standardise ─► patches with their masks ─► GRU ─► z ─► GRU with a place of its own for each patch ─► patches ─► x̂
 *
 *   L = Σ over what was observed (x − x̂)² / σ² / (observed values of a row)
 *
 * Of some series the encoder does not see the end, which the decoder has to write all the same: so one model reconstructs, goes on,
 * and fills gaps. What was not observed is NaN in a row: the end of a shorter series, a gap. A patch without any observed value
 * leaves the state as it is.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { Tensors } from '../engine/engine.ts';
import type { DatasetFacts } from '../jobspec/derived.ts';
import type { JobSpec } from '../jobspec/job.ts';
import type { SequenceModel } from '../jobspec/sequence-model.ts';
import type { Autoencoder } from './autoencoder.ts';
import { gru } from './gru.ts';
import { dense, parameter, parametersOf } from './layers.ts';
import type { Objective, Phase } from './objective.ts';
import { type Plan, type PlanContext, planOf } from './plan.ts';

/** Share of a series that the encoder sees at least. */
const leastSeen = 0.25;
/** Share of each held-out series that has to be foretold. */
const foretold = 0.25;

export function planSequence(context: PlanContext, model: SequenceModel): Plan {
  const { autoencoder, objective } = sequence(model, context.data);
  return planOf(context, autoencoder, [phaseOf(context.spec, autoencoder, objective)]);
}

function phaseOf({ training }: JobSpec, { parameters, cost }: Autoencoder, objective: Objective): Phase {
  const { epochs, batchSize, optimizer } = training;
  return {
    ...{ name: 'train', begin: [], frozen: {}, statistics: {}, trainable: parameters, objective },
    ...{ epochs, batchSize, optimizer, report: 'series', cost: cost ?? 0 },
  };
}

interface Sequence {
  readonly autoencoder: Autoencoder;
  readonly objective: Objective;
}

export function sequence(
  { code, units, patch, hiddenEnds }: SequenceModel,
  { shape, series }: Pick<DatasetFacts, 'shape' | 'series'>,
): Sequence {
  const [steps = 1, channels = 1] = shape;
  const patches = Math.ceil(steps / patch);
  const padded = patches * patch;
  const scale = scaleOf(series, channels);
  const reader = gru('encoder/units', 2 * patch * channels, units);
  const toCode = dense('encoder/code', { inputs: units, units: code, activation: 'linear' });
  const writer = gru('decoder/units', code, units);
  const fromCode = dense('decoder/state', { inputs: code, units, activation: 'tanh' });
  const toPatch = dense('decoder/patch', { inputs: units, units: patch * channels, activation: 'linear' });
  const places = 'decoder/places';
  const placeParameters = {
    parameters: { [places]: { shape: [patches, 3 * units], init: { type: 'normal', deviation: 0.1 } } },
  } as const;

  /** x [batch, steps, channels] and what of it is seen, 0 or 1 → code */
  const read = (p: Tensors, x: tf.Tensor, seen: tf.Tensor): tf.Tensor2D => {
    const values = tf.mul(scale.down(filled(x)), seen);
    const both = padTo(tf.concat([values, seen], 2), padded - steps);
    const tokens = tf.reshape(both, [-1, 2 * patch * channels]);
    const inputs = tf.unstack(tf.reshape(reader.project(p, tokens), [-1, patches, 3 * units]), 1);
    const there = tf.unstack(
      tf.max(tf.reshape(padTo(seen, padded - steps), [-1, patches, patch * channels]), 2, true),
      1,
    );
    let state: tf.Tensor = tf.zeros([x.shape[0] ?? 1, units]);
    for (const [i, input] of inputs.entries()) {
      const next = reader.step(p, state, input);
      state = tf.add(state, tf.mul(tf.sub(next, state), there[i] as tf.Tensor));
    }
    return toCode.apply(p, state) as tf.Tensor2D;
  };

  /** code → [batch, steps, channels], standardised */
  const write = (p: Tensors, z: tf.Tensor): tf.Tensor => {
    const input = writer.project(p, z);
    let state: tf.Tensor = fromCode.apply(p, z);
    const states = tf.unstack(parameter(p, places)).map((place) => {
      state = writer.step(p, state, tf.add(input, place));
      return state;
    });
    const written = toPatch.apply(p, tf.reshape(tf.stack(states, 1), [-1, units]));
    const whole = tf.reshape(written, [-1, padded, channels]);
    return padded === steps ? whole : tf.slice(whole, [0, 0, 0], [-1, steps, channels]);
  };

  const autoencoder: Autoencoder = {
    inputShape: [steps, channels],
    codeShape: [code],
    parameters: parametersOf([reader, toCode], [writer, fromCode, placeParameters, toPatch]),
    statistics: {},
    noise: {},
    outputActivation: 'linear',
    cost: costOf({ code, units, patch, patches, channels }),
    encode: (p, x) => [read(p, x, observed(x))],
    decode: (p, z) => scale.up(write(p, z)),
  };

  /** Squared errors of what `counted` says, in standard deviations: mean of each row */
  const errorOf = (p: Tensors, z: tf.Tensor, x: tf.Tensor, counted: tf.Tensor): tf.Tensor1D => {
    const squares = tf.mul(tf.square(tf.sub(write(p, z), scale.down(filled(x)))), counted);
    return tf.div(tf.sum(squares, [1, 2]), tf.maximum(tf.sum(counted, [1, 2]), 1));
  };
  /** 1 for the first `share` of what each row has, [batch, 1] → [batch, steps, 1] */
  const before = (there: tf.Tensor, share: tf.Tensor | number): tf.Tensor => {
    const numbers = tf.reshape(tf.range(1, steps + 1, 1, 'float32'), [1, steps, 1]);
    const length = tf.max(tf.mul(tf.max(there, 2, true), numbers), 1, true);
    const upTo = tf.mul(length, typeof share === 'number' ? share : tf.reshape(share, [-1, 1, 1]));
    return tf.cast(tf.lessEqual(numbers, tf.maximum(upTo, 1)), 'float32');
  };

  const objective: Objective = {
    feeds: {
      x: { from: 'rows' },
      ...(hiddenEnds > 0 && {
        hides: { from: 'noise', distribution: { type: 'bernoulli', probability: hiddenEnds }, shape: [1] },
        share: { from: 'noise', distribution: { type: 'uniform' }, shape: [1] },
      }),
    },
    loss(p, feeds) {
      const x = parameter(feeds, 'x');
      const there = observed(x);
      const seen = hiddenEnds > 0 ? tf.mul(there, ends(there, feeds)) : there;
      return { loss: tf.mean(errorOf(p, read(p, x, seen), x, there)) };
    },
    heldOut(p, feeds) {
      const x = parameter(feeds, 'x');
      const there = observed(x);
      const loss = errorOf(p, read(p, x, there), x, there);
      if (hiddenEnds === 0) return { loss };
      const seen = tf.mul(there, before(there, 1 - foretold));
      return { loss, forecast: errorOf(p, read(p, x, seen), x, tf.sub(there, seen)) };
    },
  };
  /** 0 for the hidden ends of the rows that have one. */
  function ends(there: tf.Tensor, feeds: Tensors): tf.Tensor {
    const share = tf.add(tf.mul(parameter(feeds, 'share'), 1 - leastSeen), leastSeen);
    const hides = tf.reshape(parameter(feeds, 'hides'), [-1, 1, 1]);
    return tf.sub(1, tf.mul(hides, tf.sub(1, before(there, share))));
  }
  return { autoencoder, objective };
}

const observed = (x: tf.Tensor): tf.Tensor => tf.sub(1, tf.cast(tf.isNaN(x), 'float32'));
const filled = (x: tf.Tensor): tf.Tensor => tf.where(tf.isNaN(x), tf.zerosLike(x), x);

/** Zeros after the last step. */
const padTo = (x: tf.Tensor, more: number): tf.Tensor =>
  more === 0
    ? x
    : tf.pad(x, [
        [0, 0],
        [0, more],
        [0, 0],
      ]);

/** To mean 0 and deviation 1 of each channel, and back. */
function scaleOf(series: DatasetFacts['series'], channels: number) {
  const means = (): tf.Tensor => tf.tensor(series?.means ?? new Array(channels).fill(0), [channels], 'float32');
  const deviations = (): tf.Tensor =>
    tf.tensor((series?.deviations ?? new Array(channels).fill(1)).map(atLeast), [channels], 'float32');
  return {
    down: (x: tf.Tensor): tf.Tensor => tf.div(tf.sub(x, means()), deviations()),
    up: (x: tf.Tensor): tf.Tensor => tf.add(tf.mul(x, deviations()), means()),
  };
}

/** A channel that never changes. */
const atLeast = (deviation: number): number => (deviation > 1e-12 ? deviation : 1);

interface Sizes {
  readonly code: number;
  readonly units: number;
  readonly patch: number;
  readonly patches: number;
  readonly channels: number;
}

const costOf = ({ code, units, patch, patches, channels }: Sizes): number =>
  patches * (2 * patch * channels * 3 * units + 2 * 3 * units * units + units * patch * channels) + 5 * code * units;
