/** Models of documents: what a job may ask of each. They need a data set of kind "documents". */

import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const hidden = (value: readonly number[], what: string) =>
  Type.Array(Type.Integer({ minimum: 1, maximum: 65_536 }), { maxItems: 4, default: value, description: what });

/** Srivastava & Sutton 2017, "Autoencoding variational inference for topic models": ProdLDA. */
export const TopicsModel = Type.Object(
  {
    type: Type.Literal('topics'),
    code: Type.Integer({ minimum: 2, maximum: 1000, default: 50, description: 'number of topics' }),
    hidden: hidden([100, 100], 'softplus units of the encoder; the decoder is one layer from topics to words'),
    concentration: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1000,
      default: 1,
      description:
        'α of the Dirichlet prior that the mixtures of documents come from; less of it gives fewer topics each',
    }),
    dropout: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.2,
      description: 'share of the hidden units, and of the topics of a mixture, left out in each step',
    }),
  },
  closed,
);

/** Salakhutdinov & Hinton 2009, "Semantic hashing". */
export const SemanticHashingModel = Type.Object(
  {
    type: Type.Literal('semantic-hashing'),
    code: Type.Integer({ minimum: 32, maximum: 128, default: 64, description: 'bits of a code, a multiple of 8' }),
    hidden: hidden([500], 'units of the encoder layers before the code; the decoder mirrors them'),
    noise: Type.Number({
      minimum: 0,
      maximum: 100,
      default: 1,
      description:
        'deviation of the noise on the input of a code unit, against which only values near 0 and 1 stand; 4 in the paper',
    }),
    dropout: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.2,
      description: 'share of the words of a document left out in each step',
    }),
  },
  closed,
);

export const TextModel = Type.Union([TopicsModel, SemanticHashingModel]);
export type TextModel = Static<typeof TextModel>;

const types: ReadonlySet<string> = new Set<TextModel['type']>(['topics', 'semantic-hashing']);
export const isTextModel = <T extends { readonly type: string }>(
  model: T,
): model is Extract<T, { type: TextModel['type'] }> => types.has(model.type);
