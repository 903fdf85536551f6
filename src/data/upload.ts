/** What a client may say about a data set that it uploads, and the limits that hold for every upload. Pure data. */

import { type Static, Type } from 'typebox';
import { Fit, Transparency } from '../picture/schema.ts';

const side = Type.Integer({ minimum: 1, maximum: 65_535 });

export const UploadOptions = Type.Object(
  {
    kind: Type.Optional(
      Type.Enum(['rows', 'ratings', 'documents', 'series', 'pairs'], {
        default: 'rows',
        description:
          'ratings: CSV or TSV lines of person, item and rating (1 where there is none); testFraction then holds out ratings of each person; the part "items" says what items are called. documents: a zip or tar of text files, a table with a column of text, or a text with one document a line; rows are counts of the words of a vocabulary. series: .npy, CSV or JSON Lines of numbers over time, of any length, with gaps. pairs: CSV or TSV lines of source and target, such as a word and its phonemes',
      }),
    ),
    scale: Type.Optional(
      Type.Enum(['auto', '8-bit', 'none'], {
        default: 'auto',
        description:
          'auto divides pictures of 8 bits by 255 (archives; uint8 arrays of rows [height, width] or [height, width, 1, 3 or 4]) and keeps everything else; 8-bit always divides by 255; none never does',
      }),
    ),
    testFraction: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 0.9,
        default: 0.1,
        description: 'share of the rows held out for testing, drawn by the seed; unused when test rows are uploaded',
      }),
    ),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff, default: 0, description: 'of the split' })),
    textColumn: Type.Optional(
      Type.Union([Type.String(), Type.Integer({ minimum: 0 })], {
        description:
          'documents: name or number (from 0) of the column that holds the texts; a column called text, body, message … when absent',
      }),
    ),
    vocabulary: Type.Optional(
      Type.Object(
        {
          stopWords: Type.Optional(
            Type.Union([Type.Enum(['english', 'none']), Type.Array(Type.String(), { maxItems: 10_000 })], {
              default: 'english',
              description: 'words that are left out: those of a list, or your own in lower case',
            }),
          ),
          minDocuments: Type.Optional(
            Type.Integer({ minimum: 1, default: 3, description: 'documents to train on that must have a word' }),
          ),
          maxShare: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: 1,
              default: 0.5,
              description: 'share of the documents that may have a word at most',
            }),
          ),
          most: Type.Optional(
            Type.Integer({
              minimum: 2,
              maximum: 50_000,
              default: 2000,
              description: 'words, those that most documents have',
            }),
          ),
        },
        { additionalProperties: false, description: 'documents: which words are counted' },
      ),
    ),
    seriesColumn: Type.Optional(
      Type.Union([Type.String(), Type.Integer({ minimum: 0 })], {
        description:
          'series in CSV: name or number (from 0) of the column that says which series a line belongs to; each line is a time step then, each further column a channel. When absent a line is a whole series',
      }),
    ),
    timeColumn: Type.Optional(
      Type.Union([Type.String(), Type.Integer({ minimum: 0 })], {
        description: 'series in CSV, a time step a line: the column that orders them; as they come when absent',
      }),
    ),
    window: Type.Optional(
      Type.Object(
        {
          steps: Type.Integer({ minimum: 2, maximum: 65_536, description: 'time steps of a window' }),
          stride: Type.Optional(
            Type.Integer({
              minimum: 1,
              description: 'time steps from one window to the next; default: a quarter of it',
            }),
          ),
        },
        {
          additionalProperties: false,
          description:
            'series: cuts long ones into windows that overlap; what is held out for testing is then the end of each series',
        },
      ),
    ),
    symbols: Type.Optional(
      Type.Object(
        {
          source: Type.Optional(Type.Enum(['characters', 'words'], { default: 'characters' })),
          target: Type.Optional(
            Type.Enum(['characters', 'words'], { description: 'words where blanks stand in targets, when absent' }),
          ),
        },
        { additionalProperties: false, description: 'pairs: what sources and targets are divided into' },
      ),
    ),
    titles: Type.Optional(
      Type.Boolean({
        default: true,
        description:
          'documents: keep how each text begins, which answers show of the nearest documents; false keeps its name alone',
      }),
    ),
    shape: Type.Optional(
      Type.Array(side, { minItems: 1, maxItems: 4, description: 'shape of one row, such as [28, 28, 1]' }),
    ),
    header: Type.Optional(
      Type.Boolean({
        description: 'CSV: whether the first line of each file names its columns; found out when absent',
      }),
    ),
    delimiter: Type.Optional(
      Type.String({ pattern: '^[,;|\\t]$', description: 'CSV: comma, semicolon, tab or |; found out when absent' }),
    ),
    decimal: Type.Optional(Type.Enum(['.', ','], { default: '.', description: 'CSV: what decimals are written with' })),
    encoding: Type.Optional(
      Type.String({
        description:
          'of text without a byte order mark, and of names in archives, such as windows-1252 or utf-16le; UTF-8 when absent',
      }),
    ),
    labelColumn: Type.Optional(
      Type.Union([Type.String(), Type.Integer({ minimum: 0 })], {
        description: 'CSV: name or number (from 0) of the column that holds the class',
      }),
    ),
    classFolders: Type.Optional(
      Type.Boolean({ default: true, description: 'pictures: folder names are classes when there are at least two' }),
    ),
    grayscale: Type.Optional(
      Type.Boolean({ description: 'pictures: one channel (true) or three (false); as the first picture when absent' }),
    ),
    background: Type.Optional(Transparency),
    resize: Type.Optional(
      Type.Object(
        { height: side, width: side },
        { additionalProperties: false, description: 'pictures: without it all must have the same size' },
      ),
    ),
    fit: Type.Optional(Fit),
    keepSizes: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'pictures: each keeps its own size; for models of type "picture", which are trained on crops',
      }),
    ),
  },
  { additionalProperties: false },
);
export type UploadOptions = Static<typeof UploadOptions>;

export interface UploadLimits {
  /** bytes of all parts of one upload together, as sent */
  readonly uploadBytes: number;
  /** bytes after decompression, and of the normalised rows */
  readonly expandedBytes: number;
  readonly rows: number;
  /** values of one row */
  readonly rowSize: number;
  readonly classes: number;
  /** files of one archive */
  readonly archiveEntries: number;
  /** bytes of one picture as a file */
  readonly imageBytes: number;
  /** width times height of one picture */
  readonly imagePixels: number;
}

export const defaultUploadLimits: UploadLimits = {
  uploadBytes: 4 * 2 ** 30,
  expandedBytes: 16 * 2 ** 30,
  rows: 2 ** 27,
  rowSize: 2 ** 22,
  classes: 65_536,
  archiveEntries: 99_999,
  imageBytes: 32 * 2 ** 20,
  imagePixels: 2 ** 24,
};
