/** The serving contract: one predictor answers every transport. model-predictor.ts implements it. */

import type { Caller } from '../base/caller.ts';
import type { HourglassError } from '../base/errors.ts';
import type { NdArray } from '../base/ndarray.ts';
import type { Preprocessing } from '../picture/preprocessing.ts';
import type { Manifest, Operation } from '../registry/manifest.ts';

/** Whether somebody still waits for an answer. An AbortSignal costs much more than most answers, so it is made on first use. */
export interface Demand {
  /** aborted, with a HourglassError as reason, when nobody waits any more; read only where something has to wait */
  readonly signal: AbortSignal;
  /** the reason when nobody waits any more; asked just before a run */
  isOver(): HourglassError | undefined;
  /** Takes room for the bytes of a large answer, before it is computed. Throws `overloaded`. */
  reserve?(bytes: number): void;
}

export interface PredictRequest {
  readonly operation: Operation;
  /** `digits`, `digits@2`, `digits:stable`; absent: the configured default model, else the only one */
  readonly model?: string | undefined;
  /** [batch, …row]: rows flat or in the model's own shape */
  readonly inputs: NdArray<'float32'>;
  /** absent: it is wanted as long as the predictor's own deadline allows */
  readonly demand?: Demand;
}

/** What can be answered in this turn of the event loop; rows may be made once the version is known and has room for them. */
export interface TurnRequest extends Omit<PredictRequest, 'inputs'> {
  readonly inputs: NdArray<'float32'> | ((target: PredictTarget) => NdArray<'float32'>);
  /** a request with a longer answer is not taken; absent: as long as they come */
  readonly mostValues?: number;
}

/** Who is told the answer, once. */
export interface PredictionReceiver {
  /** `outputs` are overwritten after the call: what is needed later must be copied. */
  answered(prediction: Prediction): void;
  failed(error: unknown): void;
}

export interface Prediction {
  readonly model: string;
  readonly version: number;
  /**
   * [batch, …code] for encode, flat rows for decode and generate, [batch, classes] for classify, [batch] for outliers, the form
   * of the inputs for the others
   */
  readonly outputs: NdArray<'float32'>;
  /** the model's own row shape, for answers that are pictures */
  readonly rowShape: readonly number[];
  /** names of the classes, for classify */
  readonly classes?: readonly string[];
  /** there when the rows are outside of the range that the model was trained on: what was found, and what to do; in ASCII */
  readonly warnings?: readonly string[];
}

/** The version that would answer a request, and what a row of it looks like. */
export interface PredictTarget {
  readonly model: string;
  readonly version: number;
  /** of the inputs: the code's shape for decode and generate, else the model's own row shape, such as [28, 28, 1] */
  readonly inputShape: readonly number[];
  /** smallest and largest value of a row as trained, what black and white of a picture are mapped to */
  readonly inputRange: readonly [number, number];
  /** how pictures become its rows */
  readonly preprocessing: Preprocessing;
}

export interface Predictor {
  /**
   * For bodies that carry no shape (raw float32 rows, pictures): ask, then predict with `model@version`. Throws
   * `model-required`, `model-not-found`, `version-not-found`, `invalid-reference`, `operation-not-supported`.
   */
  resolve(caller: Caller, operation: Operation, model?: string): Promise<PredictTarget>;
  /** The same version, whatever it answers: for codecs of pictures, which answer no rows. Throws what `resolve` throws but for the last. */
  versionOf(caller: Caller, model?: string): Promise<Manifest>;
  /** Passes over a damaged version for a while: the bare name means the one before. */
  setAside(caller: Caller, damaged: Manifest, error: HourglassError): void;
  /**
   * Answers all rows with one version, the one that the reference means when the request arrives; later publications do not
   * touch it. Throws `model-required`, `model-not-found`, `version-not-found`, `invalid-reference`, `shape-mismatch`,
   * `non-finite` (also for inputs so far outside of the trained range that the answer would not be finite),
   * `empty-batch`, `batch-too-large`, `operation-not-supported`, `unsupported-schema`, `model-corrupt`, `model-crashed`,
   * `overloaded`, `deadline-exceeded`, `cancelled`, `shutting-down`.
   */
  predict(caller: Caller, request: PredictRequest): Promise<Prediction>;
  /**
   * As `predict`, for small models: tells `receiver` at the end of this turn of the event loop. False, and nothing done, when the
   * version must be looked up or loaded first or is not small. Throws what is known at once to be wrong.
   */
  predictInTurn(caller: Caller, request: TurnRequest, receiver: PredictionReceiver): boolean;
  /** Brings the version that a reference means into memory. Throws what `predict` throws for a reference. */
  load(caller: Caller, model: string): Promise<void>;
  /** Drops that version from memory, after the runs that wait for it; whoever asks for it next loads it again. */
  unload(caller: Caller, model: string): Promise<void>;
  /** how many threads run models, and how many of them have been at one run for so long that they may be hung */
  threads(): { readonly count: number; readonly stuck: number };
  /** rows per request allowed */
  readonly maxBatch: number;
  close(): Promise<void>;
}
