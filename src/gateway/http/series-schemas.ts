/** What models of series are asked and answer, in the contract. */

import { type Static, Type } from 'typebox';
import { seriesLimits } from '../../serve/series.ts';

const value = Type.Union([Type.Number(), Type.Null()]);

export const SeriesRequest = Type.Object(
  {
    series: Type.Array(
      Type.Array(Type.Union([Type.Number(), Type.Null(), Type.Array(value)]), {
        minItems: 1,
        description: 'a time step each: a number, or one for each channel; null where a value is missing',
      }),
      { minItems: 1, maxItems: seriesLimits.series, description: 'each of any length up to that of the model' },
    ),
    forecast: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: seriesLimits.forecast,
        default: 0,
        description: 'time steps after the end that are wanted, as far as the longest series of the training goes',
      }),
    ),
  },
  { additionalProperties: false },
);
export type SeriesRequest = Static<typeof SeriesRequest>;

const steps = (description: string) =>
  Type.Array(Type.Union([Type.Number(), Type.Array(Type.Number())]), { description });

export const SeriesAnswer = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  threshold: Type.Number({ description: 'above it a series is called anomalous' }),
  series: Type.Array(
    Type.Object({
      reconstruction: steps('what the model makes of it, missing values filled; in the form of the request'),
      score: Type.Number({
        description: 'mean squared error of the reconstruction where values are, in standard deviations of the channel',
      }),
      pValue: Type.Number({ description: 'share of ordinary series that come back as badly', minimum: 0, maximum: 1 }),
      anomalous: Type.Boolean({ description: 'whether the score is above the threshold' }),
      forecast: steps('time steps after the end, as many as were asked for'),
    }),
    { description: 'in the order of the request' },
  ),
});
