/**
 * The manifest of one published model version: what it is, where it came from, and the checksum of every file. Written
 * once, never changed.
 */

import { type Static, Type } from 'typebox';
import { Preprocessing } from '../picture/schema.ts';
import { AliasChange } from './alias-history.ts';

export const manifestSchemaVersion = 1;

export const FileEntry = Type.Object({
  path: Type.String({ description: 'file name inside the version, such as encoder.onnx' }),
  bytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type FileEntry = Static<typeof FileEntry>;

/** `outliers`: encode can say how unusual each row is */
export const Operation = Type.Enum([
  'encode',
  'decode',
  'denoise',
  'reconstruct',
  'classify',
  'generate',
  'outliers',
  'recommend',
  'analyse',
  'series',
  'translate',
]);
export type Operation = Static<typeof Operation>;
/** operations that a client asks with rows or codes */
export type RowOperation = Exclude<
  Operation,
  'generate' | 'outliers' | 'recommend' | 'analyse' | 'series' | 'translate'
>;

export const Codec = Type.Object(
  {
    hash: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 over decoder.onnx, then codec.bin; frames carry its beginning',
    }),
    qualities: Type.Array(
      Type.Object({
        bytesPerRow: Type.Number({ description: 'payload of a row in a batch, on held-out rows' }),
        psnr: Type.Number({ description: 'dB, on held-out rows' }),
        lambda: Type.Number({ description: 'squared error, summed over a row, that one bit is worth' }),
      }),
      { description: 'from coarse to fine' },
    ),
  },
  { description: 'how codes of this version become frames; absent when they cannot' },
);
export type Codec = Static<typeof Codec>;

export const TextModelFacts = Type.Object(
  {
    vocabulary: Type.String({ description: 'file of the version and of its bundle: which word each value counts' }),
    words: Type.Integer({ minimum: 1, description: 'of the vocabulary' }),
    rules: Type.Integer({ minimum: 1, description: 'version of the rules that divide a text into words' }),
    codes: Type.Enum(['topics', 'bits'], { description: 'what a code is: shares of topics, or bits' }),
  },
  { description: 'there when the rows of the model are counts of words in documents' },
);
export type TextModelFacts = Static<typeof TextModelFacts>;

export const PictureCodecFacts = Type.Object(
  {
    hash: Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'SHA-256 over decoder.onnx, then codec.bin; frames carry its beginning',
    }),
    channels: Type.Integer({ description: 'of its pictures: 1, 3 or 4' }),
    margin: Type.Integer({
      minimum: 0,
      description: 'blocks of 8 × 8 pixels around each block that its decoder looks at',
    }),
    qualities: Type.Array(
      Type.Object({
        step: Type.Integer({ minimum: 0, maximum: 63, description: 'number of the step that frames carry' }),
        bpp: Type.Number({ description: 'bits a pixel, on held-out pictures' }),
        psnr: Type.Number({ description: 'dB, on held-out pictures' }),
      }),
      { description: 'from coarse to fine' },
    ),
  },
  {
    description:
      'there when the version is a codec for pictures of any size, which answers frames in place of operations',
  },
);
export type PictureCodecFacts = Static<typeof PictureCodecFacts>;

export const RestorerFacts = Type.Object(
  {
    channels: Type.Integer({ description: 'of its pictures: 1, 3 or 4' }),
    stride: Type.Integer({ minimum: 1, description: 'side in pixels of the squares that restorer.onnx takes' }),
    margin: Type.Integer({ minimum: 0, description: 'squares around each square that it looks at' }),
    hasMask: Type.Boolean({ description: 'it fills holes: transparent pixels of a picture that is sent' }),
  },
  {
    description:
      'there when the version restores pictures of any size, which denoise takes and answers in place of rows',
  },
);
export type RestorerFacts = Static<typeof RestorerFacts>;

export const Manifest = Type.Object({
  schema: Type.Literal(manifestSchemaVersion),
  name: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  createdAt: Type.String({ format: 'date-time' }),
  /** the operations that this version answers */
  operations: Type.Array(Operation),
  /** one row's shape as trained, e.g. [28, 28, 1]; the ONNX files take it flattened or not as `encoder.onnx` declares */
  inputShape: Type.Array(Type.Integer({ minimum: 1 })),
  codeShape: Type.Array(Type.Integer({ minimum: 1 })),
  inputRange: Type.Tuple([Type.Number(), Type.Number()]),
  inputScaling: Type.Optional(
    Type.Object(
      { divisor: Type.Integer({ description: '1 or 255' }) },
      {
        description:
          'what was done to the values of the data set: value of a row = uploaded value / divisor; rows of numbers are sent scaled alike. Absent in versions of older releases',
      },
    ),
  ),
  /** absent where rows are not pictures, and in versions of older releases, which are of preprocessing version 1 */
  preprocessing: Type.Optional(Preprocessing),
  classes: Type.Optional(
    Type.Array(Type.String(), {
      description: 'what the classes that classify tells apart are called, by their number',
    }),
  ),
  /** lineage: enough to train the same weights again */
  lineage: Type.Object({
    jobId: Type.String(),
    spec: Type.Unknown({ description: 'the full resolved job specification' }),
    seed: Type.Integer(),
    dataset: Type.Object({ name: Type.String(), hash: Type.String() }),
    hourglass: Type.String({ description: 'release that trained it' }),
    engine: Type.String({ description: 'engine and device, such as onnx/cpu' }),
    engineRevision: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          "revision of the engine's arithmetic: another one gives other bits from the same seed; absent for versions trained before revisions were counted",
      }),
    ),
  }),
  /** held-out metrics by name, e.g. {"test.mse": .01, "test.pca.mse": .02} */
  metrics: Type.Record(Type.String(), Type.Number()),
  text: Type.Optional(TextModelFacts),
  /** there when the version translates: targets that it follows at once, and symbols of a target with its end */
  translates: Type.Optional(
    Type.Object({ beams: Type.Integer({ minimum: 1 }), symbols: Type.Integer({ minimum: 1 }) }),
  ),
  codec: Type.Optional(Codec),
  picture: Type.Optional(PictureCodecFacts),
  restorer: Type.Optional(RestorerFacts),
  files: Type.Array(FileEntry),
});
export type Manifest = Static<typeof Manifest>;

/** What the trainer knows of a version; the registry adds the rest. */
export type ManifestMeta = Omit<Manifest, 'schema' | 'name' | 'version' | 'createdAt' | 'files'>;

export const ModelView = Type.Object({
  name: Type.String(),
  aliases: Type.Record(Type.String(), Type.Integer({ minimum: 1 })),
  /** the newest changes of aliases, oldest first */
  aliasChanges: Type.Array(AliasChange),
  /** oldest first */
  versions: Type.Array(Manifest),
  isShared: Type.Optional(
    Type.Boolean({
      description:
        'true when the tenant `default` shares it with all others, who can read it and ask it but not change it',
    }),
  ),
});
export type ModelView = Static<typeof ModelView>;
