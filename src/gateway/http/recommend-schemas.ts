/** What models of ratings are asked and answer, in the contract. */

import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;
const itemId = { minLength: 1, maxLength: 1000 } as const;
export const RecommendRequest = Type.Object(
  {
    ratings: Type.Array(
      Type.Object(
        {
          item: Type.String({ ...itemId, description: 'as the data set calls it' }),
          rating: Type.Optional(
            Type.Number({ description: 'on the scale of the data set; default: its highest, for what is liked' }),
          ),
        },
        closed,
      ),
      { maxItems: 20_000, description: 'of one person; none: what suits everybody' },
    ),
    count: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, default: 10, description: 'items to recommend' })),
    includeSeen: Type.Optional(
      Type.Boolean({ default: false, description: 'also recommend items that the person has rated' }),
    ),
    items: Type.Optional(
      Type.Array(Type.String(itemId), {
        maxItems: 1000,
        description: 'items whose scores are wanted, recommended or not',
      }),
    ),
  },
  closed,
);
export type RecommendRequest = Static<typeof RecommendRequest>;
const ScoredItems = (description: string) =>
  Type.Array(
    Type.Object({
      item: Type.String(),
      name: Type.Optional(Type.String({ description: 'from the data set' })),
      score: Type.Number(),
    }),
    { description },
  );
export const Recommendations = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  scores: Type.Enum(['ratings', 'preferences'], {
    description: 'ratings: a score is the rating that the person is expected to give; preferences: it is only an order',
  }),
  recommended: ScoredItems('the best first'),
  asked: ScoredItems('of "items", in their order'),
  unknown: Type.Array(Type.String(), { description: 'items of the request that the model does not know' }),
});
