/** The package's entry `hourglass/sdk`: client, on-device encoder, outbox. Imports no Node module. */

export { type ErrorCode, HourglassError } from '../base/errors.ts';
export type { Alternative, DeviceReceipt, FrameReceipt } from '../codec/receipt.ts';
export type { RunEncoder } from './built-in-runtime.ts';
export type { BundleManifest, EncoderVariant, Weights } from './bundle.ts';
export * from './client.ts';
export * from './encoder.ts';
export type {
  AuditPage,
  DatasetInfo,
  DatasetRows,
  EpochSample,
  Info,
  JobCheck,
  JobList,
  JobRequest,
  JobSamples,
  JobView,
  KeyList,
  KeyRequest,
  KeyView,
  Manifest,
  ModelRequest,
  ModelView,
  NewKey,
  QueueList,
  Readiness,
  SweepCheck,
  SweepRequest,
  SweepView,
  TrainingRequest,
  UploadOptions,
  WorkerList,
  WorkerView,
} from './gen/contract.ts';
export type { EpochMetrics, JobEvent, JobProgress, SampleNote } from './job-events.ts';
export * from './onnx-runtime.ts';
export * from './outbox.ts';
export * from './picture.ts';
export * from './picture-encoder.ts';
export { type ProblemCode, type ProblemDetails, ProblemError } from './problem.ts';
export type { Fetch, HttpRequest, HttpResponse, TransportOptions } from './transport.ts';
