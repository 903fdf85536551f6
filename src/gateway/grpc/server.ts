/**
 * The gRPC gateway: the services of hourglass.v1, standard health checking and reflection on one port.
 *
 *   port ─► grpc-js ─► observe (request id, log, metrics) ─► service (read, conduct, write) ─► services/*
 */

import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { DatasetStore } from '../../data/dataset.ts';
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1alpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { DatasetService } from '../../gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../gen/hourglass/v1/training_pb.ts';
import type { Config } from '../../platform/config.ts';
import type { Logger } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { JobQueue } from '../../queue/job-queue.ts';
import type { Registry } from '../../registry/registry.ts';
import type { PredictionService } from '../../serve/prediction-service.ts';
import { Budget } from '../budget.ts';
import type { Readiness } from '../readiness.ts';
import { type CallRuntime, Drain } from './call.ts';
import { observe } from './observe.ts';
import { Port } from './port.ts';
import { type BoundService, bindService } from './service.ts';
import { datasetService } from './services/dataset.ts';
import { healthService } from './services/health.ts';
import { inferenceService } from './services/inference.ts';
import { createReflection } from './services/reflection.ts';
import { registryService } from './services/registry.ts';
import { sweepService } from './services/sweep.ts';
import { trainingService } from './services/training.ts';

export type GrpcConfig = Pick<
  Config,
  | 'maxBodyBytes'
  | 'maxConnections'
  | 'maxWaiting'
  | 'maxWatchers'
  | 'maxImagePixels'
  | 'deadlineMs'
  | 'bodyTimeoutMs'
  | 'uploadTimeoutMs'
  | 'keepAliveMs'
>;

export interface GrpcParts {
  readonly queue: JobQueue;
  readonly predictions: PredictionService;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly config: GrpcConfig;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** what health checking answers */
  readonly readiness: Pick<Readiness, 'isReady'>;
}

export interface GrpcServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  /** Takes no more calls, ends event streams, waits for the other calls at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

const pingIntervalMs = 30_000;
const pingTimeoutMs = 10_000;

export function createGrpcServer(parts: GrpcParts): GrpcServer {
  const { config, metrics } = parts;
  const log = parts.log.child({ transport: 'grpc' });
  const drain = new Drain();
  const runtime: CallRuntime = {
    drain,
    failed: (error, method, requestId) => log.error({ err: error, method, requestId }, 'call failed'),
  };
  const server = new Server({
    'grpc.max_receive_message_length': config.maxBodyBytes,
    // What fits into an answer was already limited by the request's rows.
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': config.maxWaiting,
    'grpc.keepalive_time_ms': pingIntervalMs,
    'grpc.keepalive_timeout_ms': pingTimeoutMs,
    'grpc.max_connection_idle_ms': Math.max(1000, config.keepAliveMs),
    'grpc.enable_channelz': 0,
    interceptors: [
      observe({
        log,
        metrics,
        maxMessageBytes: config.maxBodyBytes,
        requestTimeoutMs: config.bodyTimeoutMs,
        uploadTimeoutMs: config.uploadTimeoutMs,
      }),
    ],
  });
  for (const { definition, handlers } of bindAll(parts, runtime)) server.addService(definition, handlers);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const port = new Port({
    maxConnections: config.maxConnections,
    connect: (socket) => injector.injectConnection(socket),
    counted: (open) => metrics.set('connections', open, { transport: 'grpc' }),
  });

  return {
    listen: (host, wanted) => port.listen(host, wanted),

    async close(graceMs) {
      const closed = port.close();
      drain.start();
      const cutOff = setTimeout(() => port.destroy(), graceMs);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await closed;
      clearTimeout(cutOff);
    },
  };
}

function bindAll(parts: GrpcParts, runtime: CallRuntime): BoundService[] {
  const { config, predictions } = parts;
  const own = [TrainingService, SweepService, InferenceService, RegistryService, DatasetService];
  const listed = [...own, Health, ServerReflection, ServerReflectionV1alpha];
  const reflection = createReflection(listed, [file_google_rpc_error_details]);
  const watchers = new Budget(config.maxWatchers, 'open event streams', (open) =>
    parts.metrics.set('eventStreams', open, { transport: 'grpc' }),
  );
  const names = own.map(({ typeName }) => typeName);
  return [
    bindService(TrainingService, trainingService({ ...parts, watchers }), runtime),
    bindService(SweepService, sweepService(parts), runtime),
    bindService(InferenceService, inferenceService({ ...config, predictions }), runtime),
    bindService(RegistryService, registryService(parts.registry), runtime),
    bindService(DatasetService, datasetService(parts), runtime),
    bindService(Health, healthService(parts.readiness, names), runtime),
    bindService(ServerReflection, reflection.v1, runtime),
    bindService(ServerReflectionV1alpha, reflection.v1alpha, runtime),
  ];
}
