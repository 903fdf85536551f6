/** Models of series, which may differ in length and have gaps. They need a data set of kind "series". Pure data. */

import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;

/** Srivastava, Mansimov & Salakhutdinov 2015, "Unsupervised learning of video representations using LSTMs", with gated recurrent units. */
export const SequenceModel = Type.Object(
  {
    type: Type.Literal('sequence'),
    code: Type.Integer({ minimum: 1, maximum: 4096, default: 16, description: 'numbers of a code' }),
    units: Type.Integer({
      minimum: 1,
      maximum: 2048,
      default: 64,
      description: 'gated recurrent units of the encoder, and of the decoder',
    }),
    patch: Type.Integer({
      minimum: 1,
      maximum: 4096,
      description: 'time steps that the units take at once; default: so many that the longest series has 32 patches',
    }),
    hiddenEnds: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.5,
      description:
        'share of the series of a step whose end the encoder does not see, so that the decoder learns to go on; 0: the model reconstructs only',
    }),
    normal: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        maxItems: 1000,
        description: 'classes to train on; the others are anomalies, which the model is tested on',
      }),
    ),
    falseAlarms: Type.Number({
      exclusiveMinimum: 0,
      maximum: 0.5,
      default: 0.05,
      description: 'share of ordinary series that may be called anomalous: where the threshold is set',
    }),
  },
  closed,
);
export type SequenceModel = Static<typeof SequenceModel>;

/** Patches at most: each is a step of the recurrence, which is unrolled. */
export const mostPatches = 128;
const usualPatches = 32;

export const usualPatch = (steps: number): number => Math.ceil(steps / usualPatches);

export const isSequenceModel = <T extends { readonly type: string }>(
  model: T,
): model is Extract<T, { type: SequenceModel['type'] }> => model.type === 'sequence';
