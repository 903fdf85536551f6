/** What is known of a data set of documents. Pure data. */

import { type Static, Type } from 'typebox';

const split = (description: string) =>
  Type.Object(
    {
      words: Type.Integer({ minimum: 0, description: 'words in the vocabulary, with repetitions' }),
      entries: Type.Integer({ minimum: 0, description: 'different words, added up over the documents' }),
    },
    { description },
  );

export const DocumentFacts = Type.Object(
  { train: split('documents to train on'), test: split('documents held out for testing') },
  { description: 'of a data set of documents: its rows are documents, value i of a row is how often word i is in it' },
);
export type DocumentFacts = Static<typeof DocumentFacts>;

/** What a document is called. */
export interface DocumentName {
  /** its path in the archive, its title in the table, or its number */
  readonly document: string;
  /** how its text begins */
  readonly begins?: string;
}
