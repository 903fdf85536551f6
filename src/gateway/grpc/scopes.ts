/** What a caller needs for each method, service by service; a method without a scope does not compile. */

import type { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import type { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import type { AccessService } from '../../gen/hourglass/v1/access_pb.ts';
import type { DatasetService } from '../../gen/hourglass/v1/dataset_pb.ts';
import type { InferenceService } from '../../gen/hourglass/v1/inference_pb.ts';
import type { RegistryService } from '../../gen/hourglass/v1/registry_pb.ts';
import type { SweepService } from '../../gen/hourglass/v1/sweep_pb.ts';
import type { TrainingService } from '../../gen/hourglass/v1/training_pb.ts';
import type { GRPCInferenceService } from '../../gen/inference/grpc_predict_v2_pb.ts';
import type { Scopes } from './service.ts';

export const trainingScopes: Scopes<typeof TrainingService> = {
  submitJob: 'train',
  checkJob: 'train',
  getJob: 'read',
  listJobs: 'read',
  watchJob: 'read',
  listJobSamples: 'read',
  cancelJob: 'train',
  resumeJob: 'train',
  retryJob: 'train',
  listQueues: 'read',
  listWorkers: 'read',
  deleteJob: 'train',
};

export const sweepScopes: Scopes<typeof SweepService> = {
  submitSweep: 'train',
  checkSweep: 'train',
  getSweep: 'read',
  listSweeps: 'read',
  cancelSweep: 'train',
};

export const inferenceScopes: Scopes<typeof InferenceService> = {
  encode: 'infer',
  decode: 'infer',
  denoise: 'infer',
  reconstruct: 'infer',
  classify: 'infer',
  generate: 'infer',
  recommend: 'infer',
  analyse: 'infer',
  series: 'infer',
  translate: 'infer',
  encodeFrame: 'infer',
  decodeFrame: 'infer',
};

export const openInferenceScopes: Scopes<typeof GRPCInferenceService> = {
  serverLive: 'open',
  serverReady: 'open',
  modelReady: 'infer',
  serverMetadata: 'infer',
  modelMetadata: 'infer',
  modelInfer: 'infer',
  modelStreamInfer: 'infer',
  modelConfig: 'infer',
  modelStatistics: 'infer',
  repositoryIndex: 'infer',
  repositoryModelLoad: 'publish',
  repositoryModelUnload: 'publish',
};

export const registryScopes: Scopes<typeof RegistryService> = {
  listModels: 'read',
  getModel: 'read',
  getVersion: 'read',
  setAlias: 'publish',
  deleteAlias: 'publish',
  shareModel: 'publish',
  deleteVersion: 'publish',
  deleteModel: 'publish',
  getFile: 'read',
};

export const datasetScopes: Scopes<typeof DatasetService> = {
  listDatasets: 'read',
  getDataset: 'read',
  readRows: 'read',
  createDataset: 'train',
  deleteDataset: 'train',
};

export const accessScopes: Scopes<typeof AccessService> = {
  createKey: 'admin',
  listKeys: 'admin',
  getKey: 'admin',
  rotateKey: 'admin',
  revokeKey: 'admin',
  listAuditEntries: 'admin',
};

export const healthScopes: Scopes<typeof Health> = { check: 'open', watch: 'open' };

/** Where reflection is shown at all, it is shown to everybody. */
export const reflectionScopes: Scopes<typeof ServerReflection> = { serverReflectionInfo: 'open' };
