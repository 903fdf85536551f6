/** Models of pairs of symbol sequences, such as words and how they are spoken. They need a data set of kind "pairs". Pure data. */

import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;

/** Bahdanau, Cho & Bengio 2015 and Luong, Pham & Manning 2015: an encoder–decoder of gated recurrent units with attention. */
export const SequenceToSequenceModel = Type.Object(
  {
    type: Type.Literal('sequence-to-sequence'),
    units: Type.Integer({
      minimum: 4,
      maximum: 2048,
      default: 256,
      description: 'gated recurrent units of the decoder, and of the encoder in each direction',
    }),
    dropout: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.2,
      description: 'share of what attention and decoder give to the output that is left out in each step',
    }),
    smoothing: Type.Number({
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.05,
      description: 'share of the probability that the loss wants spread over all symbols (label smoothing)',
    }),
    beams: Type.Integer({
      minimum: 1,
      maximum: 16,
      default: 5,
      description: 'targets that are followed at once when a source is translated, and answered at most',
    }),
  },
  closed,
);
export type SequenceToSequenceModel = Static<typeof SequenceToSequenceModel>;

/** Symbols of a source or a target at most: each is a step of a recurrence, which is unrolled. */
export const mostSymbols = 64;

export const isPairModel = <T extends { readonly type: string }>(
  model: T,
): model is Extract<T, { type: SequenceToSequenceModel['type'] }> => model.type === 'sequence-to-sequence';
