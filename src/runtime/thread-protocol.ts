/** What the pool and its threads say to each other. Arrays cross by transfer, so that no row is copied on the way. */

import type { ErrorCode, ErrorFacts } from '../base/errors.ts';
import type { SessionOptions } from './session.ts';

/** The ONNX files of a model by part, such as encoder and decoder. */
export type ModelParts = Readonly<Record<string, Uint8Array>>;

/** One row's shape on either side of a part. */
export interface PartShapes {
  readonly input: readonly number[];
  readonly output: readonly number[];
}
export type ModelShapes = Readonly<Record<string, PartShapes>>;

export interface RunRequest {
  readonly model: string;
  /** parts to run one after the other, each on the output of the one before */
  readonly chain: readonly string[];
  readonly rows: number;
  /** rows of the first part's input, one after the other */
  readonly data: Float32Array<ArrayBuffer>;
}

export interface RunResult {
  /** rows of the last part's output */
  readonly data: Float32Array<ArrayBuffer>;
  /** none of `data` is NaN or infinite */
  readonly finite: boolean;
  /** in the thread */
  readonly seconds: number;
}

export type ThreadRequest =
  | { readonly type: 'load'; readonly model: string; readonly parts: ModelParts; readonly options: SessionOptions }
  | ({ readonly type: 'run' } & RunRequest)
  | { readonly type: 'unload'; readonly model: string }
  | { readonly type: 'close' };

export type ThreadReply =
  | { readonly type: 'loaded'; readonly shapes: ModelShapes }
  | ({ readonly type: 'ran' } & RunResult)
  | { readonly type: 'unloaded' }
  | {
      readonly type: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly facts: ErrorFacts;
      /** for the log only */
      readonly detail?: string;
    };
