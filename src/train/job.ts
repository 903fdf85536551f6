/**
 * One training job from its specification to what gets published: the door that the worker's child process calls.
 *
 *   spec ─► model ─► phases ─► loop (engine, batches, checkpoints) ─► weights ─► encoder.onnx, decoder.onnx
 */

import type { NdArrays, Shape } from '../base/ndarray.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import type { EpochMetrics, JobProgress, JobSpec } from '../spec/job.ts';

export interface TrainOptions {
  /** resolved */
  readonly spec: JobSpec;
  readonly dataset: Dataset;
  readonly engine: Engine;
  /** a folder of this job alone; training resumes from its newest valid checkpoint. Absent: none are written */
  readonly checkpointFolder?: string;
  /** default 15; one is written at each epoch's end as well */
  readonly checkpointSeconds?: number;
  /** called before a checkpoint is written; a throw stops the job (a lost lock, a fence) */
  readonly beforeCheckpoint?: () => void | Promise<void>;
  /** aborting stops the job within one chunk, after a last checkpoint, with `cancelled` */
  readonly signal?: AbortSignal;
  /** after each chunk, at most every 100 ms */
  readonly onProgress?: (progress: JobProgress) => void;
  readonly onEpoch?: (epoch: EpochMetrics) => void;
  readonly log?: (message: string) => void;
}

export interface TrainedModel {
  /** by parameter name, as in weights.safetensors */
  readonly weights: NdArrays;
  /** by file name: `encoder.onnx`, `decoder.onnx` */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly operations: readonly ('encode' | 'decode' | 'denoise' | 'reconstruct')[];
  /** one row's shape as the ONNX files take it */
  readonly inputShape: Shape;
  readonly codeShape: Shape;
  /** `train.loss`, `validation.loss`, `train.seconds`, `train.samplesPerSecond`, `epochs` */
  readonly metrics: Readonly<Record<string, number>>;
  /** every epoch of every phase, those before a resume too */
  readonly epochs: readonly EpochMetrics[];
}

/**
 * Trains, or goes on from a checkpoint. The same spec, data and engine give the same weights bit for bit on the CPU, however
 * often it was stopped. Throws `cancelled`, `diverged` (the loss is not finite), `invalid-spec`, `storage-full`.
 */
export function trainJob(_options: TrainOptions): Promise<TrainedModel> {
  return Promise.reject(new Error('not there yet'));
}
