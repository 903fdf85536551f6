/** What is known of a data set of series. Pure data. */

import { type Static, Type } from 'typebox';

const observed = Type.Integer({ minimum: 0, description: 'values that were observed' });

export const SeriesFacts = Type.Object(
  {
    shortest: Type.Integer({ minimum: 1, description: 'time steps' }),
    longest: Type.Integer({
      minimum: 1,
      description: 'time steps; a row is as long, with nothing after the end of a shorter one',
    }),
    train: observed,
    test: observed,
    missing: Type.Integer({ minimum: 0, description: 'values before the end of their series that were not observed' }),
    means: Type.Array(Type.Number(), { description: 'of each channel, over the series to train on' }),
    deviations: Type.Array(Type.Number({ minimum: 0 }), { description: 'standard deviation of each channel' }),
    channels: Type.Optional(Type.Array(Type.String(), { description: 'what the channels are called' })),
  },
  { description: 'of a data set of series: its rows are [time steps, channels], in which a value may be missing' },
);
export type SeriesFacts = Static<typeof SeriesFacts>;
