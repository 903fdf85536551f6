/** What the worker and the process that trains tell each other over IPC. Plain data. */

import type {
  EpochMetrics,
  EpochSample,
  JobFailure,
  JobProgress,
  JobSpec,
  SampleRows,
  WaitingFor,
} from '../jobspec/job.ts';
import type { Operation } from '../registry/manifest.ts';
import type { StoreSettings } from '../store/open.ts';
import type { RequestSum } from '../store/request-metrics.ts';

export interface EngineChoice {
  readonly engine: 'onnx' | 'eager' | 'tensorflow';
  readonly device: 'cpu' | 'webgpu' | 'cuda';
  readonly threads: number;
}

/** Everything that an attempt needs to know. */
export interface Assignment {
  readonly id: string;
  /** the fencing token */
  readonly attempt: number;
  readonly spec: JobSpec;
  readonly stores: StoreSettings;
  readonly run: number;
  /** whose checkpoints to go on from: this job and run, or the best trial of the sweep that it publishes */
  readonly checkpoints: { readonly job: string; readonly run: number };
  /** a trial of a sweep ends with its last checkpoint, from which the best one is published */
  readonly isTrial: boolean;
  /** bytes that the tenant's models may take; null: as many as it likes */
  readonly mostModelBytes: number | null;
  readonly checkpointSeconds: number;
  readonly engine: EngineChoice;
  readonly release: string;
}

export type ToChild = { readonly type: 'start'; readonly assignment: Assignment } | { readonly type: 'stop' };

export interface PublishedVersion {
  readonly model: string;
  readonly version: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly operations: readonly Operation[];
}

export type FromChild =
  | { readonly type: 'progress'; readonly progress: JobProgress }
  | { readonly type: 'epoch'; readonly epoch: EpochMetrics }
  /** what the model made of a few rows */
  | { readonly type: 'sample'; readonly rows: SampleRows; readonly sample: EpochSample }
  /** written and synced; `mark` differs from checkpoint to checkpoint */
  | { readonly type: 'checkpoint'; readonly mark: string }
  /** to the bucket, since the last message of this kind */
  | { readonly type: 'requests'; readonly requests: readonly RequestSum[] }
  | { readonly type: 'done'; readonly published: PublishedVersion }
  /** a trial: trained, nothing published */
  | { readonly type: 'trained'; readonly metrics: Readonly<Record<string, number>> }
  | { readonly type: 'failed'; readonly failure: JobFailure }
  /** stopped as asked, after a last checkpoint */
  | { readonly type: 'stopped' }
  /** the storage has no room or does not answer; the last checkpoint is whole */
  | { readonly type: 'held-back'; readonly waitingFor: WaitingFor }
  /** another attempt has begun */
  | { readonly type: 'fenced' };
