/**
 * How far classes can be told apart from codes by planes: a softmax layer on codes that stay as they are.
 *
 *   code ─ minus mean, by deviation ─► W·z + b ─ softmax ─► p(class ∣ code)
 *
 * How codes are scaled and how much the weights decay is chosen on a tenth of the training codes that the layer then has not
 * seen; with that choice it is trained again on all of them. Alain & Bengio 2017, "Understanding intermediate layers using
 * linear classifier probes".
 */

import type { Shape } from '../base/ndarray.ts';
import { RandomStream } from '../base/random.ts';
import type { Dataset, Split, SplitName } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import type { Head } from '../jobspec/model-members.ts';
import type { Autoencoder } from '../models/autoencoder.ts';
import { classifier, classifierPhase } from '../models/classifier.ts';
import { initialise } from '../models/parameters.ts';
import type { Codes } from './codes.ts';
import { Evaluation } from './evaluation.ts';
import type { RowRange } from './feeder.ts';
import { trainPhase } from './phase.ts';

/** `each` value by its own deviation, so that all count alike; or all by one, so that rare small ones stay small. */
type Scaling = 'each' | 'all';

interface Choice {
  readonly scaling: Scaling;
  readonly weightDecay: number;
}

const choices: readonly Choice[] = [
  { scaling: 'each', weightDecay: 0 },
  { scaling: 'each', weightDecay: 0.3 },
  { scaling: 'all', weightDecay: 0 },
  { scaling: 'all', weightDecay: 0.3 },
];

/** Share of the training codes on which is chosen. */
const heldOut = 0.1;
const epochs = 30;
/** A small data set gets as many steps as a larger one. */
const leastSteps = 4000;
const batch = 100;

export interface ProbeOptions {
  readonly engine: Engine;
  readonly train: Codes;
  readonly test: Codes;
  readonly classes: number;
  /** called now and then; a throw ends it */
  readonly tick?: (() => void) | undefined;
}

/** Share of wrongly classified test codes. With less than two training codes there is nothing to choose on. */
export async function linearProbe(given: ProbeOptions): Promise<number> {
  const options = { ...given, train: mixed(given.train) };
  const { rows } = options.train;
  const cut = rows - Math.max(1, Math.round(heldOut * rows));
  let best: { readonly choice: Choice; readonly error: number } | undefined;
  for (const choice of cut > 0 ? choices : []) {
    const training = { start: 0, end: cut };
    const error = await errorOf(options, choice, training, { split: 'train', range: { start: cut, end: rows } });
    if (!best || error < best.error) best = { choice, error };
  }
  const all = { start: 0, end: rows };
  const test = { split: 'test', range: { start: 0, end: options.test.rows } } as const;
  return errorOf(options, best?.choice ?? (choices[0] as Choice), all, test);
}

/** In a random order, so that its last tenth has all classes: a data set may come class by class. */
function mixed({ rows, size, values, labels }: Codes): Codes {
  const random = new RandomStream(1, 'probe');
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  for (let last = rows - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  const out = new Float32Array(values.length);
  for (const [i, row] of order.entries()) out.set(values.subarray(row * size, (row + 1) * size), i * size);
  return { rows, size, values: out, labels: Int32Array.from(order, (row) => labels[row] as number) };
}

interface Measured {
  readonly split: SplitName;
  readonly range: RowRange;
}

async function errorOf(
  { engine, train, test, classes, tick }: ProbeOptions,
  { scaling, weightDecay }: Choice,
  training: RowRange,
  { split, range }: Measured,
): Promise<number> {
  const scale = scaleOf(train, training, scaling);
  const dataset = asDataset(asSplit(train, scale), asSplit(test, scale), classes);
  const model = identityModel([train.size]);
  const head = headOf(weightDecay, training.end - training.start);
  const onTop = classifier(model, head, { classes, range: dataset.info.range });
  const phase = classifierPhase(model, onTop, head, batch);
  const { weights } = await trainPhase(
    phase,
    {
      engine,
      dataset,
      labels: train.labels,
      seed: 1,
      training,
      heldOut: { start: 0, end: 0 },
      afterChunk: async () => tick?.(),
      afterEpoch: async () => {},
    },
    {
      progress: { position: { phase: 0, epoch: 0, chunk: 0 }, epochs: [], sums: {}, best: null, seconds: 0 },
      weights: initialise(onTop.parameters, 1),
      moments: {},
      best: {},
    },
  );
  const evaluation = await Evaluation.compile(phase, { engine, dataset, split, range, batch, seed: 1 });
  try {
    return (await evaluation.measure(weights)).error ?? Number.NaN;
  } finally {
    await evaluation.dispose();
  }
}

function headOf(weightDecay: number, rows: number): Head {
  const perEpoch = Math.max(1, Math.floor(rows / batch));
  return {
    hidden: [],
    activation: 'linear',
    loss: 'cross-entropy',
    dropout: 0,
    freezeEncoder: true,
    epochs: Math.max(epochs, Math.ceil(leastSteps / perEpoch)),
    optimizer: {
      type: 'adam',
      learningRate: 0.003,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
      weightDecay,
      schedule: { type: 'cosine', warmupEpochs: 0, final: 0 },
    },
  };
}

/** What each value of a code loses and is multiplied by, [size] each. */
interface Scale {
  readonly mean: Float32Array;
  readonly factor: Float32Array;
}

/** From the codes of `range`. A value that is always the same becomes 0. */
function scaleOf({ size, values }: Codes, { start, end }: RowRange, scaling: Scaling): Scale {
  const rows = end - start;
  const mean = new Float64Array(size);
  const variance = new Float64Array(size);
  const each = (visit: (value: number, j: number) => void): void => {
    for (let i = start * size; i < end * size; i++) visit(values[i] as number, i % size);
  };
  each((value, j) => {
    mean[j] = (mean[j] as number) + value / rows;
  });
  each((value, j) => {
    variance[j] = (variance[j] as number) + (value - (mean[j] as number)) ** 2 / rows;
  });
  const overall = variance.reduce((sum, one) => sum + one / size, 0);
  const inverse = (square: number): number => (square > 1e-12 ? 1 / Math.sqrt(square) : 0);
  return {
    mean: Float32Array.from(mean),
    factor: Float32Array.from(variance, (own) =>
      inverse(own) === 0 ? 0 : inverse(scaling === 'each' ? own : overall),
    ),
  };
}

const identityModel = (shape: Shape): Autoencoder => ({
  inputShape: shape,
  codeShape: shape,
  parameters: {},
  statistics: {},
  noise: {},
  outputActivation: 'linear',
  encode: (_, x) => [x],
  decode: (_, z) => z,
});

function asDataset(train: Split, test: Split, classes: number): Dataset {
  const splits = { train, test };
  return {
    info: {
      name: 'codes',
      hash: 'codes',
      shape: [train.rowSize],
      range: [0, 0],
      rows: { train: train.length, test: test.length },
      classes,
      scaling: { divisor: 1 },
      warnings: [],
      builtIn: false,
    },
    split: (name) => splits[name],
    close: async () => {},
  };
}

function asSplit({ rows, size, values, labels }: Codes, { mean, factor }: Scale): Split {
  const copy = (row: number, out: Float32Array, at: number): void => {
    for (let j = 0; j < size; j++) {
      out[at + j] = ((values[row * size + j] as number) - (mean[j] as number)) * (factor[j] as number);
    }
  };
  return {
    length: rows,
    inMemory: true,
    storedBytes: values.byteLength,
    rowSize: size,
    async readRange(start, end, out) {
      for (let row = start; row < end; row++) copy(row, out, (row - start) * size);
    },
    async readRows(numbers, out) {
      for (const [i, row] of numbers.entries()) copy(row, out, i * size);
    },
    labels: async () => labels,
  };
}
