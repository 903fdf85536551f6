/** What is known of a data set of pairs. Pure data. */

import { type Static, Type } from 'typebox';

const count = (description: string) => Type.Integer({ minimum: 0, description });

export const PairFacts = Type.Object(
  {
    sourceLength: Type.Integer({ minimum: 1, description: 'symbols of the longest source' }),
    targetLength: Type.Integer({ minimum: 1, description: 'symbols of the longest target, and its end' }),
    sourceSymbols: count('different symbols of sources'),
    targetSymbols: count('different symbols of targets'),
    sources: Type.Object({
      train: count('different sources to train on; a source with several targets makes several rows'),
      test: count('different sources held out for testing'),
    }),
  },
  {
    description: 'of a data set of pairs: its rows are numbers of symbols, [source | target], 0 behind the end of each',
  },
);
export type PairFacts = Static<typeof PairFacts>;
