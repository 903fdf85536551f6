/**
 * What a job may ask of a model: schemas and defaults of every architecture. Pure data, no tfjs: the gateway validates and
 * documents with these, src/models builds from them.
 */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';

export const Activation = Type.Enum(['linear', 'sigmoid', 'tanh', 'relu'], { description: 'unit non-linearity φ' });
export type Activation = Static<typeof Activation>;

export const Loss = Type.Enum(['bce', 'mse', 'sse', 'half-sse'], {
  description:
    'reconstruction loss: bce is cross-entropy in nats per element (data in [0,1] only), mse the mean and sse the sum over elements, half-sse ½‖x̂−x‖²',
});
export type Loss = Static<typeof Loss>;

const closed = { additionalProperties: false } as const;

/** q(x̃ ∣ x): the noise of a denoising autoencoder, drawn anew at each step. */
export const Corruption = Type.Union([
  Type.Object(
    { type: Type.Literal('gaussian'), sigma: Type.Number({ exclusiveMinimum: 0, maximum: 10, default: 0.5 }) },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('masking'),
      probability: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.5 }),
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('salt-and-pepper'),
      probability: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.2 }),
    },
    closed,
  ),
]);
export type Corruption = Static<typeof Corruption>;

const code = Type.Integer({ minimum: 1, maximum: 65_536, default: 32, description: 'number of code units' });
const hidden = Type.Array(Type.Integer({ minimum: 1, maximum: 65_536 }), {
  maxItems: 16,
  default: [128],
  description: 'units of the encoder layers before the code; the decoder mirrors them',
});

/** Fully connected layers. `loss` and `outputActivation` follow from the data when absent: see derived.ts. */
const dense = {
  code,
  hidden,
  activation: withDefault(Activation, 'relu'),
  codeActivation: withDefault(Activation, 'linear'),
  outputActivation: Activation,
  loss: Loss,
};

export const DenseModel = Type.Object({ type: Type.Literal('dense'), ...dense }, closed);
export const DenoisingModel = Type.Object(
  { type: Type.Literal('denoising'), ...dense, corruption: withDefault(Corruption, { type: 'gaussian' }) },
  closed,
);

export const ModelSpec = Type.Union([DenseModel, DenoisingModel]);
export type ModelSpec = Static<typeof ModelSpec>;
export type ModelType = ModelSpec['type'];
