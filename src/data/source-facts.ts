/** What was found out about an upload: part of a data set's manifest and of every answer about it. Pure data. */

import { type Static, Type } from 'typebox';

export const SourceFacts = Type.Object({
  format: Type.Enum(['npy', 'idx', 'csv', 'zip', 'tar', 'jsonl'], { description: 'of the rows' }),
  encoding: Type.Optional(Type.String({ description: 'CSV: of the text, such as utf-8 or windows-1252' })),
  delimiter: Type.Optional(Type.String({ description: 'CSV' })),
  header: Type.Optional(
    Type.Boolean({ description: 'CSV: whether the first line was taken for the names of columns' }),
  ),
  columns: Type.Optional(
    Type.Array(Type.String(), { description: 'CSV with a header: names of the values of a row, up to 4096 of them' }),
  ),
  labelColumn: Type.Optional(
    Type.Union([Type.String(), Type.Integer({ minimum: 0 })], { description: 'CSV: where the classes were' }),
  ),
  labelsHeader: Type.Optional(
    Type.Boolean({ description: 'labels as text: whether the first line was taken for the name of the column' }),
  ),
});
export type SourceFacts = Static<typeof SourceFacts>;
