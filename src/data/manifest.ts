/**
 * A normalised data set as it is stored.
 *
 *   manifest.json   this schema
 *   train.rows      rows one after the other, uint8 or little-endian float32; value = stored / divisor
 *   test.rows
 *   train.labels    class numbers, little-endian int32; only when rows are labelled
 *   test.labels
 *   train.sizes     height and width of each picture, little-endian int32; only where pictures keep their own sizes
 *   test.sizes
 */

import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { HourglassError } from '../base/errors.ts';
import { sizeOf } from '../base/ndarray.ts';
import { PairFacts } from '../jobspec/pair-facts.ts';
import { SeriesFacts } from '../jobspec/series-facts.ts';
import { currentPreprocessing, firstPreprocessing, pictureShapeOf } from '../picture/preprocessing.ts';
import { Preprocessing } from '../picture/schema.ts';
import type { DatasetInfo } from './dataset.ts';
import { DocumentFacts } from './document-facts.ts';
import { RatingFacts } from './rating-facts.ts';
import { SourceFacts } from './source-facts.ts';

export const datasetSchemaVersion = 1;

const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

export const SplitEntry = Type.Object({
  rows: Type.Integer({ minimum: 0 }),
  sha256,
  labelsSha256: Type.Optional(sha256),
  /** of the file of sizes, where pictures keep their own */
  sizesSha256: Type.Optional(sha256),
});
export type SplitEntry = Static<typeof SplitEntry>;

export const DatasetManifest = Type.Object({
  schema: Type.Literal(datasetSchemaVersion),
  createdAt: Type.Optional(Type.String()),
  hash: sha256,
  shape: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 }),
  dtype: Type.Enum(['uint8', 'float32']),
  divisor: Type.Union([Type.Literal(1), Type.Literal(255)]),
  range: Type.Tuple([Type.Number(), Type.Number()]),
  /** pictures keep their own sizes, of which `shape` has the largest height and width; sizes are in train.sizes and test.sizes */
  sizes: Type.Optional(Type.Literal('mixed')),
  classNames: Type.Optional(Type.Array(Type.String())),
  /** absent where rows are not pictures, and in sets of older releases */
  preprocessing: Type.Optional(Preprocessing),
  /** absent in data sets of earlier releases */
  source: Type.Optional(SourceFacts),
  warnings: Type.Optional(Type.Array(Type.String())),
  /** rows are sparse: see import-ratings.ts for the files */
  ratings: Type.Optional(Type.Intersect([RatingFacts, Type.Object({ itemsSha256: sha256 })])),
  /** rows are sparse: see import-documents.ts for the files */
  documents: Type.Optional(
    Type.Intersect([DocumentFacts, Type.Object({ vocabularySha256: sha256, namesSha256: sha256 })]),
  ),
  /** rows are series: values that were not observed are NaN */
  series: Type.Optional(SeriesFacts),
  /** rows are numbers of symbols: see import-pairs.ts */
  pairs: Type.Optional(Type.Intersect([PairFacts, Type.Object({ symbolsSha256: sha256 })])),
  splits: Type.Object({ train: SplitEntry, test: SplitEntry }),
});
export type DatasetManifest = Static<typeof DatasetManifest>;
export type StoredContent = Omit<DatasetManifest, 'schema' | 'createdAt' | 'hash'>;

export const rowBytes = (content: Pick<StoredContent, 'shape' | 'dtype'>): number =>
  sizeOf(content.shape) * (content.dtype === 'uint8' ? 1 : 4);

/** sha256 over what the rows are, without the data set's name, age and where it came from. */
export function contentHash({
  shape,
  dtype,
  divisor,
  range,
  classNames,
  splits,
  ratings,
  documents,
  series,
  pairs,
}: StoredContent): string {
  const entry = ({ rows, sha256, labelsSha256, sizesSha256 }: SplitEntry) => [
    ...[rows, sha256, labelsSha256 ?? null],
    ...(sizesSha256 === undefined ? [] : [sizesSha256]),
  ];
  const facts: unknown[] = [shape, dtype, divisor, range, classNames ?? null, entry(splits.train), entry(splits.test)];
  if (ratings) facts.push([ratings.range, ratings.train, ratings.test, ratings.itemsSha256]);
  if (documents) facts.push([documents.vocabularySha256, documents.namesSha256]);
  if (pairs) facts.push([pairs.sources, pairs.symbolsSha256]);
  if (series) facts.push([series.train, series.test]);
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

export function completeManifest(content: StoredContent, createdAt?: string): DatasetManifest {
  return {
    schema: datasetSchemaVersion,
    ...(createdAt && { createdAt }),
    hash: contentHash(content),
    ...(!content.series && pictureShapeOf(content.shape) && { preprocessing: currentPreprocessing }),
    ...content,
  };
}

export function infoOf(name: string, manifest: Omit<DatasetManifest, 'schema'>, builtIn: boolean): DatasetInfo {
  const {
    hash,
    shape,
    range,
    divisor,
    sizes,
    splits,
    classNames,
    preprocessing,
    source,
    warnings = [],
    createdAt,
    ratings,
    documents,
    series,
    pairs,
  } = manifest;
  return {
    name,
    hash,
    shape,
    range,
    scaling: { divisor },
    ...(sizes && { sizes }),
    rows: { train: splits.train.rows, test: splits.test.rows },
    ...(classNames && { classes: classNames.length, classNames }),
    ...(!series && pictureShapeOf(shape) && { preprocessing: preprocessing ?? firstPreprocessing }),
    ...source,
    ...(ratings && { ratings: { range: ratings.range, train: ratings.train, test: ratings.test } }),
    ...(documents && { documents: { train: documents.train, test: documents.test } }),
    ...(series && { series }),
    ...(pairs && { pairs: pairFactsOf(pairs) }),
    warnings,
    builtIn,
    ...(createdAt && { createdAt }),
  };
}

const pairFactsOf = ({ symbolsSha256: _, ...facts }: NonNullable<DatasetManifest['pairs']>): PairFacts => facts;

export const corrupt = (name: string, what: string, cause?: unknown): HourglassError =>
  new HourglassError(
    'dataset-corrupt',
    `The stored data set "${name}" is damaged: ${what}. Delete it and upload it again.`,
    { field: 'dataset' },
    { cause },
  );

export const manifestBytes = (manifest: DatasetManifest): Uint8Array => Buffer.from(JSON.stringify(manifest, null, 2));

/** Throws `dataset-corrupt` or, for a later schema, `unsupported-schema`. */
export function parseManifest(name: string, bytes: Uint8Array): DatasetManifest {
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw corrupt(name, 'its manifest is not JSON', cause);
  }
  const schema = typeof found === 'object' && found !== null && 'schema' in found ? found.schema : undefined;
  if (typeof schema === 'number' && schema > datasetSchemaVersion) {
    throw new HourglassError(
      'unsupported-schema',
      `The data set "${name}" was written by a newer release (format ${schema}); this one reads ${datasetSchemaVersion}.`,
      { expected: datasetSchemaVersion, found: schema },
    );
  }
  if (!Value.Check(DatasetManifest, found)) throw corrupt(name, 'its manifest does not follow the format');
  if (contentHash(found) !== found.hash) throw corrupt(name, 'its manifest does not match its hash');
  return found;
}
