/**
 * From sequences of symbols to sequences of symbols: an encoder–decoder with attention. Bahdanau, Cho & Bengio 2015; the attention is
 * that of Luong, Pham & Manning 2015, computed for all steps of the decoder at once.
 *
 *   source ─► GRU forth and back ─► memory ─┐
 *   targets before ─► GRU ─► h ─ attention ─┴─► c ─► tanh([h c]·W) ─► p(next symbol)
 *
 * Rows of a training batch come longest first, so that step t is computed for the rows alone that are long enough (`slots`), not
 * for the end of all others. Numbers of symbols begin at 1; 0 is the end of a target, and nothing in a source.
 */

import * as tf from '@tensorflow/tfjs-core';
import type { NdArrays } from '../base/ndarray.ts';
import type { BatchFunction, Tensors } from '../engine/engine.ts';
import type { DatasetFacts } from '../jobspec/derived.ts';
import type { SequenceToSequenceModel } from '../jobspec/pair-model.ts';
import { gru } from './gru.ts';
import { dense, parameter, parametersOf } from './layers.ts';
import type { Objective } from './objective.ts';
import type { Parameters } from './parameters.ts';
import { keep, keepFeed } from './recommender.ts';

/** How long the rows of a batch are at most, by their place in it: never rising. */
export interface Slots {
  readonly source: readonly number[];
  /** with the end */
  readonly target: readonly number[];
}

export interface Translator {
  readonly parameters: Parameters;
  readonly objective: Objective;
  /** multiply-adds of a forward pass of one row, about */
  readonly cost: number;
  /** source [batch, symbols] → what was read of it [batch, units] */
  encoder(weights: NdArrays): BatchFunction;
  /** source [batch, symbols] → targets [batch, beams, symbols + 1]: the most probable ones, each with its log-probability at the end */
  translator(weights: NdArrays): BatchFunction;
}

/** How many rows take part in each step. */
const active = (lengths: readonly number[]): number[] =>
  Array.from({ length: lengths[0] ?? 0 }, (_, step) => lengths.filter((length) => length > step).length);

const minusInfinity = -1e9;
/** σ of it is 1 in float32. */
const stays = 1e4;

export function sequenceToSequence(
  { units, dropout, smoothing, beams }: SequenceToSequenceModel,
  { pairs }: Pick<DatasetFacts, 'pairs'>,
  slots: Slots | undefined,
): Translator {
  const { sourceLength = 1, targetLength = 1, sourceSymbols = 1, targetSymbols = 1 } = pairs ?? {};
  const [sources, targets] = [sourceSymbols + 1, targetSymbols + 1];
  const forth = gru('encoder/forth', sources, units);
  const back = gru('encoder/back', sources, units);
  const toMemory = dense('encoder/memory', { inputs: 2 * units, units: 2 * units, activation: 'linear' });
  const toState = dense('decoder/state', { inputs: 2 * units, units, activation: 'tanh' });
  const writer = gru('decoder/units', targets, units);
  const combine = dense('decoder/combine', { inputs: 2 * units, units, activation: 'tanh' });
  const toSymbol = dense('decoder/symbol', { inputs: units, units: targets, activation: 'linear' });
  const parameters = parametersOf([forth, back, toMemory, toState, writer, combine, toSymbol]);

  const oneHot = (numbers: tf.Tensor, depth: number): tf.Tensor2D =>
    tf.cast(tf.oneHot(tf.cast(tf.reshape(numbers, [-1]), 'int32'), depth), 'float32') as tf.Tensor2D;
  /** What is one below the other by steps of so many rows, taken apart. */
  const parts = (x: tf.Tensor, sizes: readonly number[], steps: number): tf.Tensor[] =>
    sizes.every((size) => size === sizes[0]) ? tf.split(x, steps, 0) : tf.split(x, [...sizes], 0);
  /** Where no symbol is: so much for the update gate that the state stays. */
  const still = (ids: tf.Tensor2D): tf.Tensor2D => {
    const gate = tf.tensor(
      Array.from({ length: 3 * units }, (_, i) => (i < units ? stays : 0)),
      [1, 3 * units],
      'float32',
    ) as tf.Tensor2D;
    return tf.matMul(tf.slice(ids, [0, 0], [-1, 1]), gate);
  };
  const first = (x: tf.Tensor, rows: number): tf.Tensor =>
    x.shape[0] === rows ? x : tf.slice(x, [0, ...x.shape.slice(1).map(() => 0)], [rows, ...x.shape.slice(1)]);
  /** Of states of fewer and fewer rows: each row as it was last. */
  const ends = (states: readonly tf.Tensor[]): tf.Tensor => {
    const parts = states.map((state, t) => {
      const [rows = 0, size = 0] = state.shape;
      const left = states[t + 1]?.shape[0] ?? 0;
      return rows === left ? undefined : tf.slice(state, [left, 0], [rows - left, size]);
    });
    return tf.concat(parts.filter((part) => part !== undefined).toReversed(), 0);
  };
  const padRows = (x: tf.Tensor, rows: number): tf.Tensor => {
    const missing = rows - (x.shape[0] ?? 0);
    return missing === 0
      ? x
      : tf.pad(x, [
          [0, missing],
          [0, 0],
        ]);
  };

  interface Read {
    /** [batch, steps, units] */
    readonly keys: tf.Tensor3D;
    readonly values: tf.Tensor3D;
    /** 0 where a symbol is, far below where none is: [batch, 1, steps] */
    readonly mask: tf.Tensor3D;
    readonly state: tf.Tensor;
  }

  /** `counts`: rows that take part in each step. */
  const read = (p: Tensors, source: tf.Tensor2D, counts: readonly number[] | undefined): Read => {
    const steps = counts?.length ?? sourceLength;
    const columns = Array.from({ length: steps }, (_, t) => {
      const column = tf.slice(source, [0, t], [-1, 1]);
      return counts ? first(column, counts[t] as number) : column;
    });
    const ids = oneHot(tf.concat(columns, 0), sources);
    const sizes = columns.map((column) => column.shape[0] ?? 0);
    const none = tf.zeros([counts ? (sizes.at(-1) as number) : source.shape[0], units]);
    const run = (of: typeof forth, isBack: boolean): tf.Tensor[] => {
      const inputs = parts(tf.add(of.project(p, ids), still(ids)), sizes, steps);
      const outputs: tf.Tensor[] = [];
      let state: tf.Tensor | undefined;
      for (let i = 0; i < steps; i++) {
        const t = isBack ? steps - 1 - i : i;
        const rows = sizes[t] as number;
        const before = state ?? (isBack ? none : tf.zeros([counts ? rows : source.shape[0], units]));
        state = of.step(
          p,
          counts ? (isBack ? padRows(before, rows) : first(before, rows)) : before,
          inputs[t] as tf.Tensor,
        );
        outputs[t] = state;
      }
      return outputs;
    };
    const [a, b] = [run(forth, false), run(back, true)];
    const both = a.map((output, t) => tf.concat([output, b[t] as tf.Tensor], 1));
    const memory = toMemory.apply(p, tf.concat(both, 0));
    const split = counts
      ? tf.split(memory, [...counts], 0).map((part) => padRows(part, counts[0] as number))
      : undefined;
    const whole = split ? tf.stack(split, 1) : tf.transpose(tf.reshape(memory, [steps, -1, 2 * units]), [1, 0, 2]);
    const [keys, values] = tf.split(whole, 2, 2) as [tf.Tensor3D, tf.Tensor3D];
    const taken = tf.cast(tf.greater(tf.slice(source, [0, 0], [-1, steps]), 0), 'float32');
    const mask = tf.reshape(tf.mul(tf.sub(1, taken), minusInfinity), [-1, 1, steps]) as tf.Tensor3D;
    const read = tf.concat([counts ? ends(a) : (a.at(-1) as tf.Tensor), b[0] as tf.Tensor], 1);
    return { keys, values, mask, state: toState.apply(p, read) };
  };

  /** h [batch, n, units] → c [batch, n, units] */
  const attend = ({ keys, values, mask }: Read, h: tf.Tensor3D): tf.Tensor3D => {
    const scores = tf.mul(tf.matMul(h, keys, false, true), 1 / Math.sqrt(units));
    return tf.matMul(tf.softmax(tf.add(scores, mask) as tf.Tensor3D), values);
  };

  interface Scored {
    /** one below the other: [rows, symbols] */
    readonly logits: tf.Tensor2D;
    /** the right symbol of each, and whether it counts */
    readonly symbols: tf.Tensor;
    readonly weights: tf.Tensor;
  }

  /** Probabilities of the symbols of a target, each given those before. */
  const score = (p: Tensors, x: tf.Tensor2D, slots: Slots, feeds?: Tensors): Scored => {
    const [batch] = x.shape;
    const counts = { source: active(slots.source), target: active(slots.target) };
    const memory = read(p, tf.slice(x, [0, 0], [-1, sourceLength]), counts.source);
    const column = (t: number, rows: number): tf.Tensor => tf.slice(x, [0, sourceLength + t], [rows, 1]);
    const before = counts.target.map((rows, t) => (t === 0 ? tf.zeros([rows, 1]) : column(t - 1, rows)));
    const inputs = parts(writer.project(p, oneHot(tf.concat(before, 0), targets)), counts.target, counts.target.length);
    let state = memory.state;
    const states = counts.target.map((rows, t) => {
      state = writer.step(p, first(state, rows), inputs[t] as tf.Tensor);
      return state;
    });
    const context = attend(
      memory,
      tf.stack(
        states.map((state) => padRows(state, batch)),
        1,
      ) as tf.Tensor3D,
    );
    const contexts = tf.unstack(context, 1).map((part, t) => first(part, counts.target[t] as number));
    let joined = combine.apply(p, tf.concat([tf.concat(states, 0), tf.concat(contexts, 0)], 1));
    if (feeds) {
      const dropped = parameter(feeds, 'keep');
      joined = keep(
        joined,
        {
          keep: tf.concat(
            counts.target.map((rows) => first(dropped, rows)),
            0,
          ),
        },
        'keep',
        dropout,
      );
    }
    return {
      logits: toSymbol.apply(p, joined) as tf.Tensor2D,
      symbols: tf.concat(
        counts.target.map((rows, t) => (t < targetLength ? column(t, rows) : tf.zeros([rows, 1]))),
        0,
      ),
      weights: tf.concat(
        before.map((symbols, t) => (t === 0 ? tf.onesLike(symbols) : tf.cast(tf.greater(symbols, 0), 'float32'))),
        0,
      ),
    };
  };

  const surprises = ({ logits, symbols, weights }: Scored, share: number): tf.Tensor => {
    const logs = tf.sub(logits, tf.logSumExp(logits, 1, true));
    const right = tf.sum(tf.mul(logs, oneHot(symbols, targets)), 1, true);
    const wanted = share > 0 ? tf.add(tf.mul(right, 1 - share), tf.mul(tf.mean(logs, 1, true), share)) : right;
    return tf.mul(tf.neg(wanted), weights);
  };

  const complete = (batch: number): Slots => ({
    source: new Array<number>(batch).fill(sourceLength),
    target: new Array<number>(batch).fill(targetLength),
  });

  const objective: Objective = {
    feeds: { x: { from: 'rows' }, ...(dropout > 0 && { keep: keepFeed(dropout, units) }) },
    loss(p, feeds) {
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const scored = score(p, x, slots ?? complete(x.shape[0]), dropout > 0 ? feeds : undefined);
      return { loss: tf.div(tf.sum(surprises(scored, smoothing)), x.shape[0]) };
    },
    heldOut(p, feeds) {
      const x = parameter<tf.Tensor2D>(feeds, 'x');
      const batch = x.shape[0];
      const scored = score(p, x, complete(batch));
      const byRow = (values: tf.Tensor): tf.Tensor2D => tf.reshape(values, [-1, batch]);
      const found = tf.reshape(tf.cast(tf.argMax(scored.logits, 1), 'float32'), [-1, 1]);
      const wrong = tf.mul(tf.cast(tf.notEqual(found, scored.symbols), 'float32'), scored.weights);
      return {
        loss: tf.sum(byRow(surprises(scored, 0)), 0) as tf.Tensor1D,
        wrong: tf.max(byRow(wrong), 0) as tf.Tensor1D,
      };
    },
  };

  const inputs = { x: { dtype: 'float32', shape: [sourceLength] } } as const;
  return {
    parameters,
    objective,
    cost: costOf(units, sources, targets, slots ?? { source: [sourceLength], target: [targetLength] }),
    encoder: (weights) => ({
      ...{ name: 'encoder', inputs, weights },
      call: (given, p) => ({ z: read(p, parameter<tf.Tensor2D>(given, 'x'), undefined).state }),
    }),
    translator: (weights) => ({
      ...{ name: 'translator', inputs, weights },
      call: (given, p) => ({ y: search(p, parameter<tf.Tensor2D>(given, 'x')) }),
    }),
  };

  /** Beam search. What has ended stays, at no cost. */
  function search(p: Tensors, source: tf.Tensor2D): tf.Tensor3D {
    const memory = read(p, source, undefined);
    const each = (x: tf.Tensor, size: number): tf.Tensor3D => tf.reshape(x, [-1, beams, size]);
    let state = tf.tile(tf.reshape(memory.state, [-1, 1, units]), [1, beams, 1]) as tf.Tensor3D;
    const zero = tf.mul(tf.slice(state, [0, 0, 0], [-1, -1, 1]), 0) as tf.Tensor3D;
    // At first all are the same: only one of them counts.
    const start = tf.tensor([0, ...new Array(beams - 1).fill(minusInfinity)], [1, beams, 1], 'float32');
    let total = tf.add(zero, start) as tf.Tensor3D;
    let ended = zero;
    let last = zero;
    let history: tf.Tensor3D | undefined;
    const onlyEnd = tf.tensor([0, ...new Array(targets - 1).fill(minusInfinity)], [1, 1, targets], 'float32');
    for (let t = 0; t < targetLength; t++) {
      const input = writer.project(p, oneHot(last, targets));
      const next = each(writer.step(p, tf.reshape(state, [-1, units]), input), units);
      const joined = tf.reshape(tf.concat([next, attend(memory, next)], 2), [-1, 2 * units]);
      const logits = toSymbol.apply(p, combine.apply(p, joined)) as tf.Tensor2D;
      const logs = each(tf.sub(logits, tf.logSumExp(logits, 1, true)), targets);
      // Running out of steps ends a target as well.
      const going = t === 0 ? logs : tf.add(tf.mul(logs, tf.sub(1, ended)), tf.mul(onlyEnd, ended));
      const totals = tf.reshape(tf.add(total, going), [-1, beams * targets]);
      const { values, indices } = tf.topk(totals, beams);
      const place = tf.cast(indices, 'float32');
      const from = tf.floor(tf.div(tf.add(place, 0.5), targets));
      const select = each(oneHot(from, beams), beams);
      const chosen = (x: tf.Tensor3D): tf.Tensor3D => tf.matMul(select, x);
      last = each(tf.sub(place, tf.mul(from, targets)), 1);
      state = chosen(next);
      total = each(values, 1);
      ended = tf.maximum(chosen(ended), tf.cast(tf.equal(last, 0), 'float32'));
      history = history ? (tf.concat([chosen(history), last], 2) as tf.Tensor3D) : last;
    }
    return tf.concat([history as tf.Tensor3D, total], 2) as tf.Tensor3D;
  }
}

function costOf(units: number, sources: number, targets: number, { source, target }: Slots): number {
  const mean = (lengths: readonly number[]): number => lengths.reduce((a, b) => a + b, 0) / lengths.length;
  const reading = 2 * 3 * units * (units + sources) + 4 * units * units;
  const writing = 3 * units * (units + targets) + 2 * units * units + units * targets;
  return mean(source) * reading + mean(target) * writing;
}
