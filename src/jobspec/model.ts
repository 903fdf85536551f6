/**
 * What a job may ask of a model: schemas and defaults of every architecture, each put together from the parts that they
 * share. Pure data, no tfjs: the gateway validates and documents with these, src/models builds from them.
 */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';
import {
  Activation,
  Compression,
  Contraction,
  Contrastive,
  Corruption,
  Head,
  Loss,
  Pretraining,
  RbmPretraining,
  Sparsity,
} from './model-members.ts';
import { SequenceToSequenceModel } from './pair-model.ts';
import { PictureModel } from './picture-model.ts';
import { AutorecModel, EaseModel, MultVaeModel } from './recommender.ts';
import { RestorationModel } from './restoration-model.ts';
import { SequenceModel } from './sequence-model.ts';
import { SemanticHashingModel, TopicsModel } from './text-model.ts';

export { Activation, Corruption, Loss } from './model-members.ts';

const closed = { additionalProperties: false } as const;
const units = { minimum: 1, maximum: 65_536 } as const;

const code = (value: number) => Type.Integer({ ...units, default: value, description: 'number of code units' });
const hidden = (value: readonly number[]) =>
  Type.Array(Type.Integer(units), {
    maxItems: 16,
    default: value,
    description: 'units of the encoder layers before the code; the decoder mirrors them',
  });

/** Follow from the data when absent: see derived.ts. */
const output = { outputActivation: Activation, loss: Loss };

/** What any feed-forward autoencoder may be combined with. */
const combinations = {
  corruption: Type.Optional(Corruption),
  sparsity: Type.Optional(Sparsity),
  contraction: Type.Optional(Contraction),
  compression: Type.Optional(Compression),
  head: Type.Optional(Head),
};

interface DenseDefaults {
  readonly code?: number;
  readonly hidden?: readonly number[];
  readonly activation?: Activation;
  readonly codeActivation?: Activation;
  readonly tied?: boolean;
}

/** Fully connected layers. */
const dense = (defaults: DenseDefaults = {}) => ({
  code: code(defaults.code ?? 32),
  hidden: hidden(defaults.hidden ?? [128]),
  activation: withDefault(Activation, defaults.activation ?? 'relu'),
  codeActivation: withDefault(Activation, defaults.codeActivation ?? 'linear'),
  tied: Type.Boolean({ default: defaults.tied ?? false, description: "decoder weights are the encoder's, transposed" }),
  active: Type.Optional(
    Type.Integer({ ...units, description: 'k: only the k largest code units stay, the rest are 0' }),
  ),
  ...output,
  ...combinations,
});

export const LinearModel = Type.Object(
  {
    type: Type.Literal('linear'),
    code: code(32),
    loss: Loss,
    corruption: combinations.corruption,
    compression: combinations.compression,
    head: combinations.head,
  },
  closed,
);

export const DenseModel = Type.Object({ type: Type.Literal('dense'), ...dense() }, closed);

export const TiedModel = Type.Object(
  {
    type: Type.Literal('tied'),
    ...dense({ hidden: [], codeActivation: 'sigmoid' }),
    tied: Type.Literal(true, { default: true }),
  },
  closed,
);

export const DeepModel = Type.Object(
  {
    type: Type.Literal('deep'),
    ...dense({ code: 30, hidden: [1000, 500, 250] }),
    pretraining: withDefault(Pretraining, {}),
  },
  closed,
);

export const SparseModel = Type.Object(
  {
    type: Type.Literal('sparse'),
    ...dense({ code: 256, hidden: [], codeActivation: 'sigmoid' }),
    sparsity: withDefault(Sparsity, {}),
  },
  closed,
);

export const KSparseModel = Type.Object(
  {
    type: Type.Literal('k-sparse'),
    ...dense({ code: 1000, hidden: [], tied: true }),
    active: Type.Integer({
      ...units,
      default: 25,
      description: 'k: only the k largest code units stay, the rest are 0',
    }),
    alpha: Type.Number({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description:
        'α: a code keeps the α · k largest units, of which decoding uses the k largest; more than 1 gives classifiers more to go by',
    }),
    halvings: Type.Integer({
      minimum: 0,
      maximum: 8,
      default: 3,
      description:
        'the first half of the epochs comes down to k in so many steps from k · 2^halvings, so that no unit dies',
    }),
  },
  closed,
);

export const DenoisingModel = Type.Object(
  { type: Type.Literal('denoising'), ...dense(), corruption: withDefault(Corruption, { type: 'gaussian' }) },
  closed,
);

export const StackedDenoisingModel = Type.Object(
  {
    type: Type.Literal('stacked-denoising'),
    ...dense({ code: 250, hidden: [500, 500], activation: 'sigmoid', codeActivation: 'sigmoid' }),
    corruption: withDefault(Corruption, { type: 'masking', probability: 0.25 }),
    pretraining: withDefault(Pretraining, {}),
  },
  closed,
);

export const ContractiveModel = Type.Object(
  {
    type: Type.Literal('contractive'),
    ...dense({ code: 256, hidden: [], codeActivation: 'sigmoid', tied: true }),
    contraction: withDefault(Contraction, {}),
  },
  closed,
);

export const ConvolutionalModel = Type.Object(
  {
    type: Type.Literal('convolutional'),
    channels: Type.Array(Type.Integer({ minimum: 1, maximum: 1024 }), {
      minItems: 1,
      maxItems: 6,
      default: [16, 32],
      description: 'feature maps of each level; each level halves height and width',
    }),
    kernel: Type.Integer({ minimum: 1, maximum: 15, default: 3, description: 'side of the square filters' }),
    activation: withDefault(Activation, 'relu'),
    batchNorm: Type.Boolean({ default: false }),
    pooling: Type.Enum(['max', 'stride'], {
      default: 'max',
      description: 'how a level halves: the largest of 2 × 2, or a convolution of stride 2',
    }),
    unpooling: Type.Enum(['even', 'random', 'switches', 'transposed'], {
      default: 'even',
      description:
        'how a level doubles: the value spread evenly over 2 × 2, put at one random place, put where the largest was, or a transposed convolution',
    }),
    code: Type.Union([Type.Integer(units), Type.Literal('map')], {
      default: 128,
      description: 'units of a dense code, or "map": the last feature maps are the code',
    }),
    codeActivation: withDefault(Activation, 'linear'),
    ...output,
    corruption: combinations.corruption,
    sparsity: combinations.sparsity,
    compression: combinations.compression,
    head: combinations.head,
    pretraining: Type.Optional(Pretraining),
  },
  closed,
);

export const VariationalModel = Type.Object(
  {
    type: Type.Literal('variational'),
    code: code(32),
    hidden: hidden([256, 256]),
    activation: withDefault(Activation, 'relu'),
    likelihood: Type.Enum(['bernoulli', 'gaussian'], { description: 'p(x ∣ z); gaussian has variance 1' }),
    binarize: Type.Boolean({
      default: false,
      description: 'true: each step draws pixels of 0 and 1 with the grey values as probabilities',
    }),
    samples: Type.Integer({
      minimum: 1,
      maximum: 500,
      default: 1,
      description: 'k: 1 is the evidence lower bound, more is the importance-weighted bound',
    }),
    beta: Type.Number({
      minimum: 0,
      maximum: 1000,
      default: 1,
      description: 'weight of KL(q(z ∣ x) ‖ p(z)); only with k = 1',
    }),
    head: combinations.head,
  },
  closed,
);

const visibleUnits = Type.Enum(['binary', 'gaussian'], { description: 'gaussian: real values with variance 1' });
const codeUnits = (value: string) => Type.Enum(['binary', 'gaussian', 'rectified'], { default: value });

export const RbmModel = Type.Object(
  {
    type: Type.Literal('rbm'),
    code: code(256),
    visibleUnits,
    codeUnits: codeUnits('binary'),
    contrastive: withDefault(Contrastive, {}),
    head: combinations.head,
  },
  closed,
);

export const DeepBeliefModel = Type.Object(
  {
    type: Type.Literal('deep-belief'),
    code: code(30),
    hidden: hidden([1000, 500, 250]),
    visibleUnits,
    hiddenUnits: Type.Enum(['binary', 'rectified'], { default: 'binary' }),
    codeUnits: codeUnits('gaussian'),
    ...output,
    pretraining: withDefault(RbmPretraining, {}),
    head: combinations.head,
  },
  closed,
);

export const ModelSpec = Type.Union([
  LinearModel,
  DenseModel,
  TiedModel,
  DeepModel,
  SparseModel,
  KSparseModel,
  DenoisingModel,
  StackedDenoisingModel,
  ContractiveModel,
  ConvolutionalModel,
  VariationalModel,
  RbmModel,
  DeepBeliefModel,
  PictureModel,
  RestorationModel,
  EaseModel,
  AutorecModel,
  MultVaeModel,
  TopicsModel,
  SemanticHashingModel,
  SequenceModel,
  SequenceToSequenceModel,
]);
export type ModelSpec = Static<typeof ModelSpec>;
export type ModelType = ModelSpec['type'];
export type ModelOf<T extends ModelType> = Extract<ModelSpec, { type: T }>;
