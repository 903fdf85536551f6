/**
 * Defaults that follow from something else: from the data (loss, output units), or from the type of the model (how it is
 * trained). A client may leave these fields out although the model needs them.
 */

import type { ModelOf, ModelType } from './model.ts';
import type { PairFacts } from './pair-facts.ts';
import { usualPatch } from './sequence-model.ts';
import type { SeriesFacts } from './series-facts.ts';

/** What a check may know of the data set; DatasetInfo of src/data is one of these. */
export interface DatasetFacts {
  readonly shape: readonly number[];
  readonly range: readonly [number, number];
  readonly rows: { readonly train: number };
  readonly classes?: number;
  readonly classNames?: readonly string[];
  /** pictures keep their own sizes; `shape` is the largest height and width then */
  readonly sizes?: 'mixed';
  /** of documents: how many words they have */
  readonly documents?: { readonly train: { readonly entries: number }; readonly test: { readonly entries: number } };
  /** of series, whose rows are [time steps, channels] */
  readonly series?: SeriesFacts;
  /** of pairs, whose rows are numbers of symbols, [source | target] */
  readonly pairs?: PairFacts;
  /** of ratings: how many there are */
  readonly ratings?: { readonly range: readonly [number, number]; readonly train: number; readonly test: number };
}

/** What the rows of a data set are, as an upload says it in `kind`; and a type of model that learns from such. */
export const kindOf = (facts: DatasetFacts): keyof typeof usualTypes =>
  facts.ratings ? 'ratings' : facts.documents ? 'documents' : facts.series ? 'series' : facts.pairs ? 'pairs' : 'rows';
export const usualTypes = {
  ratings: 'autorec',
  documents: 'topics',
  series: 'sequence',
  pairs: 'sequence-to-sequence',
  rows: 'dense',
} as const;

export const isUnitRange = (facts: DatasetFacts | undefined): boolean =>
  facts === undefined || (facts.range[0] >= 0 && facts.range[1] <= 1);

/** JSON pointers of the fields filled in by `deriveMembers`. */
export const derivedMembers: readonly string[] = [
  '/model/loss',
  '/model/outputActivation',
  '/model/likelihood',
  '/model/visibleUnits',
  '/model/patch',
];

/** A model whose derived fields may be missing. */
export type Incomplete = { [T in ModelType]: Partial<ModelOf<T>> & { type: T } }[ModelType];

/**
 * Data in [0,1] (assumed where nothing is known) gets cross-entropy on sigmoid outputs, a Bernoulli likelihood, binary
 * visible units; other data gets squared error on linear outputs, a Gaussian likelihood, Gaussian visible units. Compression
 * is about squared errors, so it gets those in either case.
 */
export function deriveMembers(model: Incomplete, facts: DatasetFacts | undefined): void {
  const unit = isUnitRange(facts);
  switch (model.type) {
    case 'linear':
      model.loss ??= 'mse';
      break;
    case 'picture':
    case 'restoration':
      break;
    case 'sequence':
      model.patch ??= usualPatch(facts?.shape[0] ?? 1);
      break;
    case 'variational':
      model.likelihood ??= unit ? 'bernoulli' : 'gaussian';
      break;
    case 'rbm':
      model.visibleUnits ??= unit ? 'binary' : 'gaussian';
      break;
    case 'deep-belief':
      model.visibleUnits ??= unit ? 'binary' : 'gaussian';
      deriveOutput(model, unit);
      break;
    case 'sequence-to-sequence':
    case 'ease':
    case 'autorec':
    case 'mult-vae':
    case 'topics':
    case 'semantic-hashing':
      break;
    default:
      deriveOutput(model, unit);
  }
}

function deriveOutput(model: Extract<Incomplete, { outputActivation?: unknown }>, unit: boolean): void {
  const squared = 'compression' in model && model.compression !== undefined;
  model.loss ??= unit && !squared ? 'bce' : 'mse';
  model.outputActivation ??= model.loss === 'bce' || (squared && unit) ? 'sigmoid' : 'linear';
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Contrastive divergence is not a gradient of a loss: it takes plain steps, as its literature does (Hinton 2010, §8 and §9). Pictures:
 * a row is a crop of many pixels, so batches are small; twelve epochs take some minutes on two cores.
 * Ratings are few for each row, and all of them are needed. ProdLDA: a large β₁ and learning rate keep topics from falling into one
 * (Srivastava & Sutton 2017, §3.3). Recurrent units need many small steps.
 */
const trainingOf: Partial<Record<ModelType, object>> = {
  ease: { validation: { fraction: 0 } },
  autorec: { epochs: 80, batchSize: 128, validation: { fraction: 0 } },
  'mult-vae': { epochs: 30, batchSize: 128, validation: { fraction: 0 } },
  topics: { epochs: 100, batchSize: 200, optimizer: { type: 'adam', learningRate: 0.002, beta1: 0.99 } },
  'semantic-hashing': { epochs: 60, batchSize: 128 },
  sequence: {
    epochs: 60,
    batchSize: 32,
    optimizer: { type: 'adam', learningRate: 0.003, schedule: { type: 'cosine', warmupEpochs: 1, final: 0.02 } },
    validation: { fraction: 0.1 },
  },
  'sequence-to-sequence': {
    epochs: 20,
    batchSize: 256,
    optimizer: { type: 'adam', learningRate: 0.002, schedule: { type: 'cosine', warmupEpochs: 0.5, final: 0.02 } },
    validation: { fraction: 0.02 },
  },
  rbm: { optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.9, initialMomentum: 0.5 } },
  picture: {
    epochs: 12,
    batchSize: 8,
    optimizer: { type: 'adam', learningRate: 0.0015, schedule: { type: 'cosine', warmupEpochs: 0.2, final: 0.02 } },
  },
  restoration: {
    epochs: 12,
    batchSize: 16,
    optimizer: { type: 'adam', learningRate: 0.001, schedule: { type: 'cosine', warmupEpochs: 0.2, final: 0.01 } },
  },
};

/** The job as written, with the training that its type of model is used to where the client does not say. */
export function withTrainingOfType(raw: unknown): unknown {
  if (!isObject(raw) || !isObject(raw.model) || typeof raw.model.type !== 'string') return raw;
  const defaults = Object.hasOwn(trainingOf, raw.model.type) ? trainingOf[raw.model.type as ModelType] : undefined;
  if (!defaults || (raw.training !== undefined && !isObject(raw.training))) return raw;
  return { ...raw, training: { ...defaults, ...raw.training } };
}
