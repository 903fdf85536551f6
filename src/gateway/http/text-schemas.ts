/** What models of documents are asked and answer, in the contract. */

import { type Static, Type } from 'typebox';
import { analyseLimits } from '../../serve/analyse.ts';

export const AnalyseRequest = Type.Object(
  {
    texts: Type.Array(Type.String(), { minItems: 1, maxItems: analyseLimits.texts }),
    nearest: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: analyseLimits.nearest,
        default: 10,
        description: 'documents that the model was trained on to find for each text',
      }),
    ),
    words: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: analyseLimits.words,
        default: 10,
        description: 'words of each topic (of which 20 are kept), and words expected in each text',
      }),
    ),
  },
  { additionalProperties: false },
);
export type AnalyseRequest = Static<typeof AnalyseRequest>;

const share = { minimum: 0, maximum: 1 } as const;

export const Analysis = Type.Object({
  model: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  codes: Type.Enum(['topics', 'bits'], { description: 'what a code of the model is' }),
  texts: Type.Array(
    Type.Object({
      known: Type.Integer({ minimum: 0, description: 'words that are in the vocabulary, with repetitions' }),
      unknown: Type.Integer({ minimum: 0, description: 'words that are not, stop words among them' }),
      topics: Type.Optional(
        Type.Array(
          Type.Object({
            topic: Type.Integer({ minimum: 0 }),
            share: Type.Number(share),
            words: Type.Array(Type.String(), { description: 'the most probable first' }),
          }),
          { description: 'of a model of topics: those with the largest shares, which come first' },
        ),
      ),
      code: Type.Optional(
        Type.String({
          pattern: '^([0-9a-f]{2})+$',
          description: 'of a model of bits: its bytes, the first bit lowest in the first byte',
        }),
      ),
      expected: Type.Array(Type.Object({ word: Type.String(), probability: Type.Number(share) }), {
        description: 'the most probable words by the code',
      }),
      nearest: Type.Array(
        Type.Object({
          document: Type.String({ description: 'its path in the archive, its title in the table, or its number' }),
          begins: Type.Optional(Type.String({ description: 'how its text begins, where the data set keeps that' })),
          class: Type.Optional(Type.String()),
          similarity: Type.Number({ description: '1 is the same code' }),
        }),
        { description: 'of the documents that the model was trained on, the nearest first' },
      ),
    }),
    { description: 'in the order of the request' },
  ),
});
