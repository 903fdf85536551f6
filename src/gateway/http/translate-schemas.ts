/** What models of pairs are asked and answer, in the contract. */

import { type Static, Type } from 'typebox';
import { translateLimits } from '../../serve/translate.ts';

export const TranslateRequest = Type.Object(
  {
    sources: Type.Array(Type.String({ minLength: 1, maxLength: 10_000 }), {
      minItems: 1,
      maxItems: translateLimits.sources,
    }),
    best: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: translateLimits.best,
        default: 1,
        description: 'targets of each source, at most as many as the model follows ("beams")',
      }),
    ),
  },
  { additionalProperties: false },
);
export type TranslateRequest = Static<typeof TranslateRequest>;

export const Translations = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  translations: Type.Array(
    Type.Object({
      targets: Type.Array(
        Type.Object({
          target: Type.String(),
          probability: Type.Number({ description: 'of the whole target, given its source', minimum: 0, maximum: 1 }),
        }),
        { description: 'the most probable first' },
      ),
      unknown: Type.Array(Type.String(), { description: 'symbols that the model does not know; they are passed over' }),
    }),
    { description: 'in the order of the request' },
  ),
});
