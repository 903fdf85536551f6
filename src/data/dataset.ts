/**
 * A normalised data set: rows of one shape, float32 values in a known range, seeded splits. Rows are read by range or by
 * index into a buffer of the caller, so that a set larger than memory trains in bounded memory.
 */

import type { Shape } from '../base/ndarray.ts';
import type { SparseMatrix } from '../base/sparse.ts';
import type { SymbolTables } from '../base/symbols.ts';
import type { Vocabulary } from '../base/words.ts';
import type { Raster } from '../codec/picture/transform.ts';
import type { PairFacts } from '../jobspec/pair-facts.ts';
import type { SeriesFacts } from '../jobspec/series-facts.ts';
import type { Preprocessing } from '../picture/preprocessing.ts';
import type { DocumentFacts, DocumentName } from './document-facts.ts';
import type { RatedItem, RatingFacts } from './rating-facts.ts';
import type { SourceFacts } from './source-facts.ts';
import type { UploadOptions } from './upload.ts';

export type SplitName = 'train' | 'test';

export interface DatasetInfo extends Partial<SourceFacts> {
  readonly name: string;
  /** sha256 over the normalised content; part of a model's lineage */
  readonly hash: string;
  /** one row's shape, `[28, 28, 1]` or `[30]`; images are height, width, channels */
  readonly shape: Shape;
  /** smallest and largest value over all rows */
  readonly range: readonly [number, number];
  /** what was done to the values: value of a row = uploaded value / divisor */
  readonly scaling: { readonly divisor: 1 | 255 };
  readonly rows: Readonly<Record<SplitName, number>>;
  /** pictures keep their own sizes; `shape` has the largest height and width then */
  readonly sizes?: 'mixed';
  /** number of classes, when rows are labelled */
  readonly classes?: number;
  /** what class number i is called, when rows are labelled */
  readonly classNames?: readonly string[];
  /** how its pictures became rows, and how pictures become rows for its models; absent where rows are not pictures */
  readonly preprocessing?: Preprocessing;
  /** of ratings: rows are people, values are items, 0 is "not rated" */
  readonly ratings?: RatingFacts;
  /** of documents: rows are documents, values are how often they have each word */
  readonly documents?: DocumentFacts;
  /** of series: rows are [time steps, channels], NaN where nothing was observed */
  readonly series?: SeriesFacts;
  /** of pairs: rows are numbers of symbols, [source | target] */
  readonly pairs?: PairFacts;
  /** what the client may not have meant, one sentence or two each */
  readonly warnings: readonly string[];
  readonly builtIn: boolean;
  readonly createdAt?: string;
}

/**
 * Stored bytes of a split up to which it is small: it is read into memory at its first use, and an epoch has one permutation
 * of all its rows. A larger one stays in its file and is shuffled in windows. One comparison for both, since single rows read
 * from a file in random order would be slow.
 */
export const smallSplitBytes = 512 * 2 ** 20;

export interface Split {
  readonly length: number;
  /** true when reading a row costs no file access */
  readonly inMemory: boolean;
  /** bytes that all rows take as stored */
  readonly storedBytes: number;
  /** number of values of one row */
  readonly rowSize: number;
  /** Copies rows [start, end) into `out`, row-major from its beginning. */
  readRange(start: number, end: number, out: Float32Array): Promise<void>;
  /** Copies the given rows, in the order given. */
  readRows(rows: Uint32Array | readonly number[], out: Float32Array): Promise<void>;
  /** class numbers of all rows; undefined when the set has none */
  labels(): Promise<Uint8Array | Int32Array | undefined>;
}

export interface PictureArea {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** 8-bit pictures of one split. */
export interface Pictures {
  readonly length: number;
  readonly channels: 1 | 3 | 4;
  size(index: number): { readonly height: number; readonly width: number };
  /** An area inside of a picture; only its lines are read. Default: all of it. */
  read(index: number, area?: PictureArea): Promise<Raster>;
}

/** A split whose rows are mostly zeros. */
export interface SparseSplit extends Split {
  matrix(): Promise<SparseMatrix>;
}

/** What only a data set of ratings has. */
export interface Ratings {
  readonly train: SparseSplit;
  /** held-out ratings of the same people, in the same order */
  readonly test: SparseSplit;
  /** in the order of the columns */
  items(): Promise<readonly RatedItem[]>;
}

/** What only a data set of documents has. */
export interface Documents {
  readonly train: SparseSplit;
  readonly test: SparseSplit;
  vocabulary(): Promise<Vocabulary>;
  /** in the order of the rows */
  names(split: SplitName): Promise<readonly DocumentName[]>;
}

/** What only a data set of pairs has. */
export interface Pairs {
  symbols(): Promise<SymbolTables>;
}

export interface Dataset {
  readonly info: DatasetInfo;
  readonly ratings?: Ratings;
  readonly documents?: Documents;
  readonly pairs?: Pairs;
  split(name: SplitName): Split;
  /** there when the set's pictures keep their own sizes; such a set has no rows */
  pictures?(name: SplitName): Pictures;
  close(): Promise<void>;
}

/** One file of an upload. Parts may come in any order; `rows` is the only one that must be there. */
export interface UploadPart {
  readonly role: 'rows' | 'labels' | 'test-rows' | 'test-labels' | 'items';
  /** as the client called it; only used in messages */
  readonly fileName?: string;
  /** read once, to its end, before the next part is asked for */
  readonly content: AsyncIterable<Uint8Array>;
}

export interface Upload {
  readonly parts: AsyncIterable<UploadPart> | Iterable<UploadPart>;
  readonly options?: UploadOptions;
  /** whose turn it takes where uploads wait; clients take turns */
  readonly client?: string;
  /** asked with its stored bytes before it is added; what it throws gives the set up */
  readonly makeRoom?: (bytes: number) => Promise<void>;
  /** aborting leaves nothing behind */
  readonly signal?: AbortSignal;
}

/** Data sets, built in and uploaded. Any number of processes may use the same store. */
export interface DatasetStore {
  /** built-in sets whose package is there, then uploaded ones, each by name */
  list(): Promise<DatasetInfo[]>;
  /** that uploaded sets take */
  storedBytes(): Promise<number>;
  /** throws `dataset-not-found` */
  info(name: string): Promise<DatasetInfo>;
  /** Opens for reading; a built-in set is unpacked at its first use. Throws `dataset-not-found`, `dataset-corrupt`. */
  open(name: string): Promise<Dataset>;
  /**
   * Streams an upload into a workspace, checks all of it, and adds it under the name or leaves nothing behind. Throws
   * `dataset-exists`, `invalid-dataset`, `unsupported-dataset`, `unsafe-archive`, `non-finite`, `shape-mismatch`,
   * `image-too-large`, `image-unreadable`, `payload-too-large`, `decompressed-too-large`, `storage-full`, `cancelled`.
   */
  create(name: string, upload: Upload): Promise<DatasetInfo>;
  /** throws `dataset-not-found`, `dataset-read-only`; readers that have it open are not disturbed */
  delete(name: string): Promise<void>;
}
