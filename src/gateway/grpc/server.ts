/**
 * The gRPC gateway: the services of hourglass.v1, standard health checking and reflection on one port.
 *
 *   port ─► grpc-js ─► observe (request id, log, metrics) ─► service (read, conduct, write) ─► services/*
 */

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Access, isShown } from '../../access/access.ts';
import type { AuditLog } from '../../access/audit-log.ts';
import type { KeyService } from '../../access/key-service.ts';
import { traceFields } from '../../base/traceparent.ts';
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1alpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { AccessService } from '../../gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../gen/inference/grpc_predict_v2_pb.ts';
import type { Config } from '../../platform/config.ts';
import type { Logger } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { TlsFiles } from '../../platform/tls-files.ts';
import type { RequestTraces } from '../../telemetry/requests.ts';
import { recordChange } from '../audit.ts';
import { ConnectionTable } from '../connection-table.ts';
import { Places } from '../places.ts';
import type { Readiness } from '../readiness.ts';
import { RequestLog } from '../request-log.ts';
import type { SharedLimits } from '../shared-limits.ts';
import type { Tenants } from '../tenants.ts';
import { plainWarning } from '../tls-port.ts';
import { admitStreams } from './admission.ts';
import { admitCallers } from './admit.ts';
import { audits, membersOf, requireAudits } from './audits.ts';
import { type CallRuntime, Drain } from './call.ts';
import { countBytes } from './call-memory.ts';
import { http2ServerOf } from './internals.ts';
import { observe } from './observe.ts';
import { Port } from './port.ts';
import {
  accessScopes,
  datasetScopes,
  healthScopes,
  inferenceScopes,
  openInferenceScopes,
  reflectionScopes,
  registryScopes,
  sweepScopes,
  trainingScopes,
} from './scopes.ts';
import { type BoundService, bindService } from './service.ts';
import { accessService } from './services/access.ts';
import { datasetService } from './services/dataset.ts';
import { healthService } from './services/health.ts';
import { inferenceService } from './services/inference.ts';
import { openInferenceService } from './services/open-inference.ts';
import { createReflection } from './services/reflection.ts';
import { registryService } from './services/registry.ts';
import { sweepService } from './services/sweep.ts';
import { trainingService } from './services/training.ts';

export type GrpcConfig = Pick<
  Config,
  | 'maxBodyBytes'
  | 'maxBatch'
  | 'maxConnections'
  | 'maxCalls'
  | 'maxStreams'
  | 'maxResets'
  | 'clientShare'
  | 'maxImagePixels'
  | 'maxJobMemoryBytes'
  | 'deadlineMs'
  | 'bodyTimeoutMs'
  | 'headersTimeoutMs'
  | 'stallTimeoutMs'
  | 'uploadTimeoutMs'
  | 'keepAliveMs'
  | 'reflection'
  | 'requestLogLevel'
  | 'requestLogSample'
  | 'requestLogFailures'
>;

export interface GrpcParts {
  readonly tenants: Tenants;
  readonly config: GrpcConfig;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits: SharedLimits;
  /** absent: connections are not encrypted */
  readonly tls?: TlsFiles | undefined;
  /** absent: no spans are made */
  readonly traces?: RequestTraces;
  readonly access: Access;
  readonly keys: KeyService;
  readonly audit: AuditLog;
  /** of this release */
  readonly version: string;
  /** what health checking answers */
  readonly readiness: Pick<Readiness, 'isReady'>;
}

export interface GrpcServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  /** Takes no more calls, ends event streams, waits for the other calls at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** rows in any form */
const inferencePrefixes = [InferenceService, GRPCInferenceService].map(({ typeName }) => `/${typeName}/`);
const uploadPath = `/${DatasetService.typeName}/${DatasetService.method.createDataset.name}`;
const mebibyte = 2 ** 20;

/** Bytes of one request message: as over REST, what is neither rows nor a piece of an upload is small. */
function longestMessage(path: string): number {
  if (inferencePrefixes.some((prefix) => path.startsWith(prefix))) return Number.POSITIVE_INFINITY;
  return path === uploadPath ? 4 * mebibyte : mebibyte;
}

const pingIntervalMs = 30_000;
const pingTimeoutMs = 10_000;

export function createGrpcServer(parts: GrpcParts): GrpcServer {
  const { config, metrics } = parts;
  const log = parts.log.child({ transport: 'grpc' });
  const drain = new Drain();
  const runtime: CallRuntime = {
    drain,
    audits,
    changed(action, request, { caller, requestId, noted }, outcome) {
      const members = { ...membersOf(request, action), ...noted };
      recordChange(parts.audit, { caller, action, members, outcome, requestId, transport: 'grpc' });
    },
    failed: (err, method, requestId, trace) =>
      log.error({ err, method, requestId, ...(trace && traceFields(trace)) }, 'call failed'),
  };
  const messageLimit = (path: string): number => Math.min(config.maxBodyBytes, longestMessage(path));
  const bound = bindAll(parts, runtime);
  requireAudits(bound);
  const server = new Server({
    'grpc.max_receive_message_length': config.maxBodyBytes,
    // What fits into an answer was already limited by the request's rows.
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': config.maxStreams,
    'grpc.keepalive_time_ms': pingIntervalMs,
    'grpc.keepalive_timeout_ms': pingTimeoutMs,
    'grpc.max_connection_idle_ms': Math.max(1000, config.keepAliveMs),
    'grpc.enable_channelz': 0,
    interceptors: [
      countBytes({ memory: parts.limits.memory, messageLimit }),
      observe({
        ...{ log: new RequestLog(log, config), metrics, messageLimit, traces: parts.traces },
        requestTimeoutMs: config.bodyTimeoutMs,
        uploadTimeoutMs: config.uploadTimeoutMs,
      }),
      admitCallers(parts.access, parts.tenants, new Map(bound.flatMap(({ demands }) => [...demands]))),
    ],
  });
  for (const { definition, handlers } of bound) server.addService(definition, handlers);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new ConnectionTable(config.maxConnections, (open) =>
    metrics.set('connections', open, { transport: 'grpc' }),
  );
  const calls = new Places({
    ...{ limit: config.maxCalls, clientShare: config.clientShare },
    ...{ what: 'open gRPC calls', setting: 'HOURGLASS_MAX_CALLS' },
  });
  const admission = admitStreams(http2ServerOf(server), {
    ...{ calls, connections, metrics, turns: parts.limits.turns },
    maxResets: config.maxResets,
  });
  const port = new Port({
    ...{ connections, tls: parts.tls, handshakeMs: config.headersTimeoutMs },
    plain: (address) => log.warn({ address }, plainWarning),
    connect: (socket) => admission.connect(socket, () => injector.injectConnection(socket)),
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
  const { config, limits } = parts;
  const { watchers, downloads, uploads } = limits;
  const stallMs = config.stallTimeoutMs;
  const own = [
    ...[TrainingService, SweepService, InferenceService, RegistryService, DatasetService, GRPCInferenceService],
    AccessService,
  ];
  const listed = [...own, Health, ServerReflection, ServerReflectionV1alpha];
  const reflection = createReflection(listed, [file_google_rpc_error_details], { watchers, stallMs });
  const names = own.map(({ typeName }) => typeName);
  const inference = inferenceService(config);
  const openInference = openInferenceService({ ...parts, deadlineMs: config.deadlineMs });
  const health = healthService(parts.readiness, names, watchers);
  const bound = [
    bindService(TrainingService, trainingService({ ...parts, watchers }), trainingScopes, runtime),
    bindService(SweepService, sweepService(config), sweepScopes, runtime),
    bindService(InferenceService, inference, inferenceScopes, runtime),
    bindService(GRPCInferenceService, openInference, openInferenceScopes, runtime),
    bindService(RegistryService, registryService(downloads), registryScopes, runtime),
    bindService(DatasetService, datasetService({ ...parts, uploads, stallMs }), datasetScopes, runtime),
    bindService(AccessService, accessService(parts.keys, parts.audit), accessScopes, runtime),
    bindService(Health, health, healthScopes, runtime),
  ];
  if (!isShown(config.reflection, parts.access)) return bound;
  return [
    ...bound,
    bindService(ServerReflection, reflection.v1, reflectionScopes, runtime),
    bindService(ServerReflectionV1alpha, reflection.v1alpha, reflectionScopes, runtime),
  ];
}
