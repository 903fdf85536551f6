/** What is known of a data set of ratings. Pure data. */

import { type Static, Type } from 'typebox';

export const RatingFacts = Type.Object(
  {
    range: Type.Tuple([Type.Number(), Type.Number()], { description: 'smallest and largest rating' }),
    train: Type.Integer({ minimum: 0, description: 'ratings to train on' }),
    test: Type.Integer({ minimum: 0, description: 'ratings held out for testing' }),
  },
  { description: 'of a data set of ratings: its rows are people, the values of a row are items, 0 is "not rated"' },
);
export type RatingFacts = Static<typeof RatingFacts>;

/** A column of a data set of ratings. */
export interface RatedItem {
  readonly id: string;
  readonly name?: string;
}
