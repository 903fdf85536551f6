/** The parts that architectures share: units, losses, corruption, penalties, pretraining, a classifier on top. Pure data. */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';
import { OptimizerSpec } from './training.ts';

const closed = { additionalProperties: false } as const;

export const Activation = Type.Enum(['linear', 'sigmoid', 'tanh', 'relu'], { description: 'unit non-linearity φ' });
export type Activation = Static<typeof Activation>;

export const Loss = Type.Enum(['bce', 'mse', 'sse', 'half-sse'], {
  description:
    'reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖²',
});
export type Loss = Static<typeof Loss>;

const probability = (value: number) => Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, default: value });

/** q(x̃ ∣ x): the noise of a denoising autoencoder, drawn anew at each step. */
export const Corruption = Type.Union([
  Type.Object(
    { type: Type.Literal('gaussian'), sigma: Type.Number({ exclusiveMinimum: 0, maximum: 10, default: 0.5 }) },
    closed,
  ),
  Type.Object({ type: Type.Literal('masking'), probability: probability(0.5) }, closed),
  Type.Object({ type: Type.Literal('salt-and-pepper'), probability: probability(0.2) }, closed),
  Type.Object(
    {
      type: Type.Literal('hole'),
      size: Type.Integer({ minimum: 1, maximum: 4096, default: 10, description: 'side of a square at a random place' }),
    },
    closed,
  ),
]);
export type Corruption = Static<typeof Corruption>;

export const Sparsity = Type.Object(
  {
    target: Type.Number({
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
      default: 0.05,
      description: 'ρ, the mean activation to reach',
    }),
    weight: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      default: 0.005,
      description: 'λ on Σ KL(ρ ‖ ρ̂ⱼ), beside the loss',
    }),
    memory: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0,
      description: 'share of the running mean in ρ̂; 0 takes the mean over the batch alone',
    }),
  },
  closed,
);
export type Sparsity = Static<typeof Sparsity>;

export const Contraction = Type.Object(
  {
    weight: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      default: 0.0002,
      description: 'λ on ‖∂z/∂x‖²_F, beside the loss',
    }),
    method: Type.Enum(['closed-form', 'exact', 'estimate'], {
      default: 'closed-form',
      description:
        'closed-form: one layer; exact: any number of layers, the whole Jacobian; estimate: one random projection per step',
    }),
  },
  closed,
);
export type Contraction = Static<typeof Contraction>;

export const Compression = Type.Object(
  {
    lambda: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e6,
        description: 'λ: the squared error, summed over a row, that one bit of its code is worth; larger is coarser',
      }),
    ),
    bytes: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e6,
        description: 'in place of lambda: bytes of a row, without framing, that training comes to by moving λ',
      }),
    ),
  },
  { ...closed, description: 'quantises the code in training and makes its bits part of the loss; give one of both' },
);
export type Compression = Static<typeof Compression>;

export const Head = Type.Object(
  {
    hidden: Type.Array(Type.Integer({ minimum: 1, maximum: 65_536 }), { maxItems: 4, default: [] }),
    activation: withDefault(Activation, 'relu'),
    loss: Type.Enum(['cross-entropy', 'sse'], { default: 'cross-entropy' }),
    dropout: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0,
      description: 'share of the code that each training step leaves out (Srivastava et al. 2014)',
    }),
    corruption: Type.Optional(
      Type.Union(Corruption.anyOf, {
        description: 'noise on the rows that it is trained with, drawn anew at each step; rows to classify get none',
      }),
    ),
    freezeEncoder: Type.Boolean({ default: false, description: 'true: train the head alone, on fixed codes' }),
    epochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 5 }),
    optimizer: withDefault(OptimizerSpec, { type: 'adam' }),
  },
  {
    ...closed,
    description: 'a classifier on a copy of the trained encoder, fine-tuned with the labels of the data set',
  },
);
export type Head = Static<typeof Head>;

/** Greedy: one layer after another learns to reconstruct the codes of the layers below; its decoder is dropped. */
export const Pretraining = Type.Object(
  {
    epochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 2, description: 'of each level' }),
    optimizer: withDefault(OptimizerSpec, { type: 'adam' }),
  },
  closed,
);
export type Pretraining = Static<typeof Pretraining>;

/** Contrastive divergence as in Hinton & Salakhutdinov 2006. */
const contrastive = {
  steps: Type.Integer({ minimum: 1, maximum: 100, default: 1, description: 'k of CD-k: Gibbs steps' }),
  sampleVisible: Type.Boolean({
    default: false,
    description: 'false: reconstructions are means; hidden units are always sampled',
  }),
  weightCost: Type.Number({ minimum: 0, maximum: 1, default: 0.0002, description: 'L2 cost on the weights' }),
};
export const Contrastive = Type.Object(contrastive, closed);
export type Contrastive = Static<typeof Contrastive>;

export const RbmPretraining = Type.Object(
  {
    ...contrastive,
    epochs: Type.Integer({ minimum: 1, maximum: 100_000, default: 5, description: 'of each level' }),
    learningRate: Type.Number({ exclusiveMinimum: 0, maximum: 10, default: 0.1 }),
    gaussianLearningRate: Type.Number({
      exclusiveMinimum: 0,
      maximum: 10,
      default: 0.001,
      description: 'of levels with real-valued units, which have no bound',
    }),
  },
  closed,
);
export type RbmPretraining = Static<typeof RbmPretraining>;
