/**
 * A training job as it is asked for and as it is shown: schemas for both gateways, the queue and the registry's lineage.
 */

import { type Static, Type } from 'typebox';
import { withDefault } from './default.ts';
import { ModelSpec } from './model.ts';
import { supported } from './schema-check.ts';
import { TrainingSpec } from './training.ts';

export const namePattern = '^[a-z0-9][a-z0-9._-]{0,62}$';
export const Name = Type.String({
  pattern: namePattern,
  description: 'lower-case letters, digits, dot, dash and underscore; at most 63 characters',
});

/** of jobs and sweeps */
export const idPattern = '^[0-9a-hjkmnp-tv-z]{26}$';
/** Of a list of jobs, to go on from. */
export const Cursor = Type.String({ pattern: idPattern, description: 'nextCursor of the page before' });

export const JobSpec = supported(
  Type.Object(
    { name: Name, dataset: Name, model: ModelSpec, training: withDefault(TrainingSpec, {}) },
    { additionalProperties: false },
  ),
);
export type JobSpec = Static<typeof JobSpec>;

export const JobState = Type.Enum(['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled']);
export type JobState = Static<typeof JobState>;

export const JobProgress = Type.Object({
  /** the part of the schedule that runs: `train`, `pretrain 1/3`, `evaluate`, `publish` … */
  phase: Type.String(),
  epoch: Type.Integer({ minimum: 0 }),
  epochs: Type.Integer({ minimum: 0 }),
  step: Type.Integer({ minimum: 0 }),
  steps: Type.Integer({ minimum: 0 }),
  percent: Type.Number({ minimum: 0, maximum: 100 }),
  loss: Type.Optional(Type.Number()),
  samplesPerSecond: Type.Optional(Type.Number()),
  /** estimated seconds to the end */
  etaSeconds: Type.Optional(Type.Number()),
});
export type JobProgress = Static<typeof JobProgress>;

export const JobFailure = Type.Object({
  /** such as `crashed`, `out-of-memory`, `stalled`, `invalid-spec`, `dataset-not-found`, `diverged` */
  reason: Type.String(),
  message: Type.String(),
  /** last lines that the training process printed */
  log: Type.Optional(Type.Array(Type.String())),
  signal: Type.Optional(Type.String()),
});
export type JobFailure = Static<typeof JobFailure>;

/** Reasons to hold a job back for which it is not to blame. */
export const WaitingFor = Type.Enum(['storage-full', 'storage-unavailable']);
export type WaitingFor = Static<typeof WaitingFor>;

export const JobView = Type.Object({
  id: Type.String(),
  state: JobState,
  spec: JobSpec,
  createdAt: Type.String({ format: 'date-time' }),
  startedAt: Type.Optional(Type.String({ format: 'date-time' })),
  finishedAt: Type.Optional(Type.String({ format: 'date-time' })),
  attempts: Type.Integer({ minimum: 0 }),
  /** why a queued job is held back; it goes on by itself */
  waitingFor: Type.Optional(WaitingFor),
  progress: Type.Optional(JobProgress),
  warnings: Type.Array(Type.String()),
  /** set when succeeded */
  model: Type.Optional(Type.String()),
  version: Type.Optional(Type.Integer()),
  metrics: Type.Optional(Type.Record(Type.String(), Type.Number())),
  failure: Type.Optional(JobFailure),
  /** what the client sent, before defaults were filled in; absent for trials of sweeps and jobs of older releases */
  asked: Type.Optional(Type.Unknown({ description: 'the request as it was sent, before defaults were filled in' })),
  losses: Type.Optional(
    Type.Array(Type.Number(), {
      description: 'training loss of the newest epochs, oldest first; in lists with ?losses=true',
    }),
  ),
});
export type JobView = Static<typeof JobView>;

/** What a watcher is told. `id` orders and replays them (the SSE event id, a Redis stream id). */
export type JobEvent =
  | { readonly id: string; readonly type: 'state'; readonly data: { readonly state: JobState } }
  | { readonly id: string; readonly type: 'progress'; readonly data: JobProgress }
  | { readonly id: string; readonly type: 'epoch'; readonly data: EpochMetrics }
  /** `at` is what `?after=` takes to get this sample and those after it */
  | { readonly id: string; readonly type: 'sample'; readonly data: SampleNote }
  | { readonly id: string; readonly type: 'end'; readonly data: JobView };

/** What a dry run answers: the job as it would be queued. */
export const JobCheck = Type.Object({
  spec: JobSpec,
  warnings: Type.Array(Type.String()),
  memoryBytes: Type.Integer({ minimum: 0, description: 'estimated memory of the training process' }),
});
export type JobCheck = Static<typeof JobCheck>;

const bytes = (description: string) => Type.String({ description, contentEncoding: 'base64' });

/** The rows that a job shows its progress on: the same held-out rows in every sample. */
export const SampleRows = Type.Object({
  rows: Type.Integer({ minimum: 1 }),
  shape: Type.Array(Type.Integer({ minimum: 1 }), {
    description: 'of one row as shown; large pictures are thinned out',
  }),
  inputs: bytes('the rows, one byte a value, 0 the smallest value of the data set and 255 the largest'),
  labels: Type.Optional(Type.Array(Type.Integer(), { description: 'class numbers of the rows that have codes' })),
});
export type SampleRows = Static<typeof SampleRows>;

/** What the model makes of them after an epoch. */
export const EpochSample = Type.Object({
  phase: Type.String(),
  epoch: Type.Integer({ minimum: 0 }),
  outputs: bytes('reconstructions of the rows, as `inputs`'),
  generated: Type.Optional(bytes('rows decoded from random codes, the same codes in every sample')),
  codes: Type.Optional(
    Type.Array(Type.Array(Type.Number()), { description: 'of some hundred held-out rows, where a code has 2 values' }),
  ),
});
export type EpochSample = Static<typeof EpochSample>;

export const JobSamples = Type.Object({
  rows: Type.Optional(SampleRows),
  samples: Type.Array(EpochSample, { description: 'oldest first' }),
  next: Type.Integer({ minimum: 0, description: 'for ?after= of the next call' }),
});
export type JobSamples = Static<typeof JobSamples>;

/** A worker that takes jobs. */
export const WorkerView = Type.Object({
  id: Type.String(),
  host: Type.String(),
  pid: Type.Integer(),
  engine: Type.String({ description: 'engine and device, such as onnx/cpu' }),
  release: Type.String(),
  queues: Type.Array(Type.String(), { description: 'what it takes jobs from' }),
  concurrency: Type.Integer({ minimum: 1, description: 'jobs at a time' }),
  startedAt: Type.String({ format: 'date-time' }),
  jobs: Type.Array(Type.String(), { description: 'ids of the jobs that it trains' }),
});
export type WorkerView = Static<typeof WorkerView>;

export const GatewayView = Type.Object({
  id: Type.String(),
  host: Type.String(),
  pid: Type.Integer(),
  release: Type.String(),
  startedAt: Type.String({ format: 'date-time' }),
});
export type GatewayView = Static<typeof GatewayView>;

/** Says that a sample is there. */
export interface SampleNote {
  readonly phase: string;
  readonly epoch: number;
  readonly at: number;
}

export interface EpochMetrics {
  readonly phase: string;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}
