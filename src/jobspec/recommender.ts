/** Models of ratings: what a job may ask of each. They need a data set of kind "ratings". */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';
import { Activation } from './model-members.ts';

const closed = { additionalProperties: false } as const;
const code = (value: number) =>
  Type.Integer({ minimum: 1, maximum: 8192, default: value, description: 'number of code units' });
const dropout = (value: number, what: string) =>
  Type.Number({
    minimum: 0,
    exclusiveMaximum: 1,
    default: value,
    description: `share of the ${what} left out in each step`,
  });
const positive = Type.Number({
  minimum: 0,
  default: 0,
  description: 'ratings from here on count as liked, others as not seen; 0 counts all',
});

/** Sedhain et al. 2015, "AutoRec: autoencoders meet collaborative filtering". */
export const AutorecModel = Type.Object(
  {
    type: Type.Literal('autorec'),
    by: Type.Enum(['item', 'user'], {
      default: 'item',
      description:
        'item: a row is what all people gave one item, the more exact of the two; user: a row is what one person gave all items',
    }),
    code: code(500),
    activation: withDefault(Activation, 'sigmoid'),
    inputDropout: dropout(0.3, 'ratings of a row'),
    dropout: dropout(0.5, 'code units'),
    penalty: Type.Number({
      minimum: 0,
      maximum: 1e6,
      default: 0.01,
      description: 'weight of the squared weights in the loss, for one row',
    }),
    noise: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      default: 0.5,
      description:
        'by item: variance of ratings around what a person thinks; more of it draws people with few ratings closer to all others',
    }),
  },
  closed,
);

/** Liang et al. 2018, "Variational autoencoders for collaborative filtering". */
export const MultVaeModel = Type.Object(
  {
    type: Type.Literal('mult-vae'),
    code: code(200),
    hidden: Type.Array(Type.Integer({ minimum: 1, maximum: 65_536 }), { maxItems: 4, default: [600] }),
    dropout: dropout(0.5, 'items of a person'),
    beta: Type.Number({ minimum: 0, maximum: 1000, default: 0.2, description: 'weight of KL(q(z ∣ x) ‖ p(z))' }),
    positive,
  },
  closed,
);

/** Steck 2019, "Embarrassingly shallow autoencoders for sparse data". */
export const EaseModel = Type.Object(
  {
    type: Type.Literal('ease'),
    regularisation: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1e9,
      default: 200,
      description: 'λ on the diagonal of XᵀX; more of it recommends what is popular',
    }),
    positive,
  },
  closed,
);

export const RecommenderModel = Type.Union([EaseModel, AutorecModel, MultVaeModel]);
export type RecommenderModel = Static<typeof RecommenderModel>;

const types: ReadonlySet<string> = new Set<RecommenderModel['type']>(['ease', 'autorec', 'mult-vae']);
export const isRecommender = <T extends { readonly type: string }>(
  model: T,
): model is Extract<T, { type: RecommenderModel['type'] }> => types.has(model.type);
