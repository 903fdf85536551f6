/** What the client's calls take and give beyond what the contract has: numbers as Float32Array, pictures as bytes, options of calls. */

import type { FrameKind } from '../codec/frame-header.ts';
import type { Weights } from './bundle.ts';
import type { JobView, UploadOptions } from './gen/contract.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ListJobsOptions extends CallOptions {
  readonly state?: JobView['state'];
  /** text that the id, the name, the data set or the type of the model contains */
  readonly search?: string;
  /** with the losses of the newest epochs */
  readonly losses?: boolean;
  readonly limit?: number;
  /** `nextCursor` of the page before */
  readonly cursor?: string;
}

export interface AuditOptions extends CallOptions {
  readonly limit?: number;
  /** `nextCursor` of the page before */
  readonly cursor?: string;
  /** another one than the caller's: only for admins of the tenant `default` */
  readonly tenant?: string;
}

export interface ReadRowsOptions extends CallOptions {
  /** default: train */
  readonly split?: 'train' | 'test';
  readonly offset?: number;
  /** default: 20 */
  readonly limit?: number;
}

export interface ListSweepsOptions extends CallOptions {
  readonly limit?: number;
}

export interface SubmitOptions extends CallOptions {
  /** default: a random key, so that a repeated submission gives the first job */
  readonly idempotencyKey?: string;
}

export interface UploadCallOptions extends CallOptions {
  readonly name: string;
  /** its ending tells the format: `digits.npy`, `table.csv`, `pictures.zip` … */
  readonly filename?: string;
  readonly options?: UploadOptions;
}

export interface BundleOptions extends CallOptions {
  /** leave out the encoder of other weights; default both */
  readonly weights?: Weights;
}

export interface DeleteOptions extends CallOptions {
  /** although devices may still send frames of it */
  readonly force?: boolean;
}

/** Rows as float32, row-major. */
export interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
}

/** One picture as a file. */
export interface PictureFile {
  readonly picture: Uint8Array;
  readonly type: 'image/png' | 'image/jpeg' | 'image/webp';
  /** fit a picture of another size to the model instead of refusing it */
  readonly resize?: boolean;
}

export interface Answer extends Rows {
  readonly model: string;
  readonly version: number;
}

/** Answers that can be a picture, for models whose rows are pictures. */
export type PictureOperation = 'decode' | 'denoise' | 'reconstruct';

export interface GenerateOptions extends CallOptions {
  /** the same seed, the same rows; default: a new one */
  readonly seed?: number;
}

/** What a person thinks of an item. */
export interface GivenRating {
  /** as the data set calls it */
  readonly item: string;
  /** on the scale of the data set; absent: its highest, for what is liked */
  readonly rating?: number;
}

export interface RecommendOptions extends CallOptions {
  /** items to recommend; default 10 */
  readonly count?: number;
  /** also recommend items that the person has rated */
  readonly includeSeen?: boolean;
  /** items whose scores are wanted, recommended or not */
  readonly items?: readonly string[];
}

export interface AnalyseOptions extends CallOptions {
  /** documents to find for each text; default 10 */
  readonly nearest?: number;
  /** words of each topic, and words expected in each text; default 10 */
  readonly words?: number;
}

/** Time steps: a number each, or one for each channel; null where a value is missing. */
export type GivenSeries = readonly (number | null)[] | readonly (readonly (number | null)[])[];

export interface SeriesOptions extends CallOptions {
  /** time steps after the end that are wanted; default none */
  readonly forecast?: number;
}

export interface TranslateOptions extends CallOptions {
  /** targets of each source; default 1 */
  readonly best?: number;
}

/** What a frame of the server's own encoder shall be; at most one of `quality`, `maxBytes` and `psnr`. */
export interface EncodeFrameOptions extends CallOptions {
  readonly kind?: FrameKind;
  /** index, coarse to fine */
  readonly quality?: number;
  readonly maxBytes?: number;
  /** dB */
  readonly psnr?: number;
  readonly search?: boolean;
  /** bits a pixel at most; of codecs for pictures */
  readonly bpp?: number;
}

export interface DecodePictureOptions extends CallOptions {
  /** default: image/png */
  readonly type?: 'image/png' | 'image/webp' | 'image/jpeg';
  /** the part that is wanted, in pixels; default: all */
  readonly region?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** A decoded picture as a file. */
export interface DecodedPicture {
  readonly model: string;
  readonly version: number;
  readonly picture: Uint8Array;
  /** `x,y,width,height` of parts that were damaged on the way */
  readonly lost: readonly string[];
}
