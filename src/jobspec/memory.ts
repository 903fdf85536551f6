/**
 * How much memory a job will take, from its resolved specification alone, so that one that cannot fit is refused before it is
 * queued. An estimate of the large parts: weights with their gradients and moments, what a batch holds in every layer, the
 * data set, the codes of an evaluation. It must not miss a part that grows with what a client asks for.
 */

import { HourglassError } from '../base/errors.ts';
import type { DatasetFacts } from './derived.ts';
import type { JobSpec } from './job.ts';
import type { ModelOf, ModelSpec } from './model.ts';
import type { SequenceToSequenceModel } from './pair-model.ts';
import type { PictureModel } from './picture-model.ts';
import { isRecommender, type RecommenderModel } from './recommender.ts';
import type { RestorationModel } from './restoration-model.ts';
import type { OptimizerSpec, TrainingSpec } from './training.ts';

export interface MemoryEstimate {
  readonly weights: number;
  readonly activations: number;
  readonly data: number;
  readonly evaluation: number;
  readonly total: number;
}

const float = 4;
/** stored rows up to which a data set is kept in memory; beyond, two windows of it are */
const keptDataBytes = 512 * 2 ** 20;
const windowBytes = 128 * 2 ** 20;

/** Numbers of a model: its weights, and what one row holds in all of its layers. */
interface Size {
  readonly weights: number;
  readonly units: number;
  readonly code: number;
}

/** Bytes. `facts` is of the data set that the specification names. */
export function estimateMemory({ model, training }: JobSpec, facts: DatasetFacts): MemoryEstimate {
  if (model.type === 'picture') return pictureMemory(model, training, facts);
  if (model.type === 'restoration') return restorationMemory(model, training, facts);
  if (isRecommender(model)) return recommenderMemory(model, training, facts);
  const size = sizeOf(model, facts);
  const head = headSize(model, size.code, facts.classes ?? 1);
  const bestCopy = training.earlyStopping ? 1 : 0;
  const weights = float * (size.weights + head) * (copies(training.optimizer) + bestCopy);
  const rows = Math.min(training.batchSize, training.maxSamples ?? facts.rows.train, facts.rows.train);
  const row = facts.shape.reduce((product, side) => product * side, 1);
  // Each value once going forward and once coming back.
  const activations = float * rows * 2 * (size.units + jacobian(model, row, size.code));
  const stored = float * row * facts.rows.train;
  const data = facts.documents ? sparseData(facts.documents) : stored <= keptDataBytes ? stored : windowBytes;
  const { linearProbe, neighbours, codes } = training.evaluation;
  const keepsCodes = linearProbe || neighbours > 0 || codes !== 'none' || head > 0;
  const evaluation = keepsCodes ? float * size.code * facts.rows.train : 0;
  return { weights, activations, data, evaluation, total: weights + activations + data + evaluation };
}

/** Counts of words stay sparse, and are held several times over while they are prepared and measured. */
const sparseData = ({ train, test }: NonNullable<DatasetFacts['documents']>): number =>
  6 * 8 * (train.entries + test.entries);

/** Crops with their margins in every layer of the decoder; sampled pictures with their coefficients while the codec is fitted. */
function pictureMemory(model: PictureModel, training: TrainingSpec, { shape }: DatasetFacts): MemoryEstimate {
  const coefficients = 64 * (shape[2] ?? 3);
  const { maps, layers, crop } = model;
  const count = 9 * 64 * maps + (layers - 1) * 9 * maps * maps + maps * coefficients + 9 * 40 * coefficients;
  const weights = float * count * copies(training.optimizer);
  const blocks = (crop + 2 * (layers + 1)) ** 2;
  const activations = float * training.batchSize * blocks * 2 * (4 * coefficients + 3 * layers * maps);
  // pictures as they are read, and the symbols of crops
  const data = 2 * windowBytes;
  return { weights, activations, data, evaluation: 0, total: weights + activations + data };
}

/** Crops in every layer. */
function restorationMemory(model: RestorationModel, training: TrainingSpec, { shape }: DatasetFacts): MemoryEstimate {
  const { stride, maps, blocks, crop } = model;
  const values = stride ** 2 * (shape[2] ?? 3);
  const count = 9 * maps * (3 * values + 2 * blocks * maps);
  const weights = float * count * copies(training.optimizer);
  const activations = float * training.batchSize * (crop / stride) ** 2 * 2 * (6 * values + 5 * blocks * maps);
  const data = windowBytes;
  return { weights, activations, data, evaluation: 0, total: weights + activations + data };
}

/** Throws `invalid-spec` for a job that is estimated to take more than `limit` bytes. */
export function checkMemory(spec: JobSpec, facts: DatasetFacts, limit: number): void {
  const { total, ...parts } = estimateMemory(spec, facts);
  if (total <= limit) return;
  const [largest] = (Object.entries(parts) as [keyof typeof parts, number][]).sort(([, a], [, b]) => b - a);
  const part = largest?.[0] ?? 'weights';
  throw new HourglassError(
    'invalid-spec',
    `Training this is estimated to take ${readable(total)} of memory, ${readable(parts[part])} of it for ${names[part]}; HOURGLASS_MAX_JOB_MEMORY allows ${readable(limit)} here. ${remedies[part]}`,
    { field: fields[part], expected: limit, found: Math.round(total) },
  );
}

const names = {
  weights: 'the weights and what the optimizer keeps of them',
  activations: 'what a batch holds in the layers',
  data: 'the data set',
  evaluation: 'the codes of all rows',
} as const;
const remedies = {
  weights: 'Use fewer or smaller layers.',
  activations: 'Use a smaller "training.batchSize", or smaller layers.',
  data: 'Use a data set with fewer rows.',
  evaluation: 'Use a smaller code, or leave out what is measured on codes ("training.evaluation", "model.head").',
} as const;
const fields = {
  weights: '/model',
  activations: '/training/batchSize',
  data: '/dataset',
  evaluation: '/training/evaluation',
} as const;

const readable = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toPrecision(3)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`;

/**
 * Copies of each weight: those that a step reads and those that it writes, with their moments, and both once more in a checkpoint; the gradient;
 * the published files with the sessions that measure them. Measured by `npm run bench:job-memory`.
 */
function copies(optimizer: OptimizerSpec): number {
  const moments = optimizer.type === 'adam' ? 2 : optimizer.momentum > 0 ? 1 : 0;
  return 3 * (1 + moments) + 1 + 5;
}

function sizeOf(
  model: Exclude<ModelSpec, PictureModel | RestorationModel | RecommenderModel>,
  facts: DatasetFacts,
): Size {
  const { shape } = facts;
  const row = shape.reduce((product, side) => product * side, 1);
  switch (model.type) {
    case 'linear':
      return chain([row, model.code], false);
    case 'rbm': {
      const { weights, units, code } = chain([row, model.code], true);
      return { weights, units: units * 2, code };
    }
    case 'variational':
      return variational(model, row);
    case 'convolutional':
      return convolutional(model, shape);
    case 'topics': {
      const { weights, units, code } = chain([row, ...model.hidden], false);
      // μ, ln σ² and the topics, and the row once more as a distribution
      return {
        weights: weights / 2 + (2 * code + row) * model.code + 2 * row,
        units: units + 3 * row,
        code: model.code,
      };
    }
    case 'semantic-hashing': {
      const { weights, units, code } = chain([row, ...model.hidden, model.code], false);
      return { weights, units: units + 3 * row, code };
    }
    case 'sequence-to-sequence':
      return attentive(model, facts);
    case 'sequence':
      return recurrent(model, shape);
    case 'deep-belief':
      return chain([row, ...model.hidden, model.code], false);
    case 'dense':
    case 'tied':
    case 'deep':
    case 'sparse':
    case 'k-sparse':
    case 'denoising':
    case 'stacked-denoising':
    case 'contractive':
      return chain([row, ...model.hidden, model.code], model.tied);
    default:
      return model satisfies never;
  }
}

/** Fully connected layers down to the code, and their mirror image. */
function chain(sizes: readonly number[], tied: boolean): Size {
  let weights = 0;
  for (let i = 1; i < sizes.length; i++) weights += (sizes[i - 1] ?? 0) * (sizes[i] ?? 0);
  const biases = 2 * sum(sizes);
  return { weights: weights * (tied ? 1 : 2) + biases, units: 2 * sum(sizes), code: sizes.at(-1) ?? 0 };
}

/** Each gate of each step is kept for the way back: about ten vectors of units. */
function recurrent({ code, units, patch }: ModelOf<'sequence'>, [steps = 1, channels = 1]: readonly number[]): Size {
  const patches = Math.ceil(steps / patch);
  const tokens = patch * channels;
  const weights = 3 * units * (2 * tokens + code + patches + 2 * units) + units * (2 * code + tokens);
  return { weights, units: 2 * patches * (12 * units + 4 * tokens), code };
}

/** As if every row were as long as the longest, which held-out rows are measured as. */
function attentive({ units }: SequenceToSequenceModel, { pairs }: DatasetFacts): Size {
  const { sourceLength = 1, targetLength = 1, sourceSymbols = 1, targetSymbols = 1 } = pairs ?? {};
  const recurrent = 3 * units * (3 * units + 2 * sourceSymbols + targetSymbols);
  const weights = recurrent + 8 * units * units + units * targetSymbols;
  const perStep = sourceLength * (2 * 12 * units + sourceSymbols) + targetLength * (16 * units + 3 * targetSymbols);
  return { weights, units: perStep + sourceLength * targetLength, code: units };
}

/** Mean and variance of the code, and everything after it once for each sample. */
function variational({ hidden, code, samples }: ModelOf<'variational'>, row: number): Size {
  const { weights, units } = chain([row, ...hidden, code], false);
  const last = hidden.at(-1) ?? row;
  return { weights: weights + last * code, units: (units / 2) * (1 + samples) + 2 * code, code };
}

function convolutional({ channels, kernel, code }: ModelOf<'convolutional'>, shape: readonly number[]): Size {
  let [height = 1, width = 1, maps = 1] = shape;
  let weights = 0;
  let units = height * width * maps;
  for (const next of channels) {
    weights += 2 * kernel * kernel * maps * next;
    // A level convolves at full size, then halves; batch normalisation and activation keep a copy each.
    units += 3 * height * width * next;
    [height, width, maps] = [Math.ceil(height / 2), Math.ceil(width / 2), next];
  }
  const flat = height * width * maps;
  if (code === 'map') return { weights, units: 2 * units, code: flat };
  return { weights: weights + 2 * flat * code, units: 2 * (units + code), code };
}

/** Rows of a step are dense, an input and a target each; the ratings stay sparse, in both orders while they are prepared. */
function recommenderMemory(model: RecommenderModel, training: TrainingSpec, facts: DatasetFacts): MemoryEstimate {
  const [items = 0] = facts.shape;
  const people = facts.rows.train;
  const data = 6 * 8 * ((facts.ratings?.train ?? 0) + (facts.ratings?.test ?? 0));
  if (model.type === 'ease') {
    // Two matrices in double precision, one in single, and its copy in the published file.
    const weights = (2 * 8 + 3 * float) * items ** 2;
    return { weights, activations: 0, data, evaluation: 0, total: weights + data };
  }
  const [row, rows] = model.type === 'autorec' && model.by === 'item' ? [people, items] : [items, people];
  const hidden = model.type === 'mult-vae' ? model.hidden : [];
  const size = chain([row, ...hidden, model.code], false);
  const weights = float * size.weights * (copies(training.optimizer) + (training.earlyStopping ? 1 : 0));
  const activations = float * Math.min(training.batchSize, rows) * (2 * size.units + 4 * row);
  const evaluation =
    model.type === 'autorec' && model.by === 'item' ? 8 * (2 * model.code ** 2 + items * model.code) : 0;
  return { weights, activations, data, evaluation, total: weights + activations + data + evaluation };
}

/** A classifier on the codes. */
function headSize(model: ModelSpec, code: number, classes: number): number {
  if (!('head' in model) || !model.head) return 0;
  return chain([code, ...model.head.hidden, classes], true).weights;
}

/** The exact contraction holds the derivative of every code unit by every input. */
function jacobian(model: ModelSpec, row: number, code: number): number {
  const exact = 'contraction' in model && model.contraction?.method === 'exact';
  return exact ? row * code : 0;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
