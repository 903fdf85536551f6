/**
 * The gateway as a whole: REST, gRPC and metrics, each on its own port, one readiness for all.
 *
 *   close: not ready ─► keep accepting for drainMs, so that load balancers notice ─► finish what is in flight ─► ports shut
 */

import type { Access } from '../access/access.ts';
import type { AuditLog } from '../access/audit-log.ts';
import type { KeyService } from '../access/key-service.ts';
import type { DatasetStore } from '../data/dataset.ts';
import { rowsToWebp } from '../data/image.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics, MetricsSnapshot } from '../platform/metrics.ts';
import { pause } from '../platform/shutdown.ts';
import { metricsTlsOf, type TlsFiles } from '../platform/tls-files.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import { PredictionService } from '../serve/prediction-service.ts';
import type { Predictor } from '../serve/predictor.ts';
import type { Stores } from '../store/contract.ts';
import { RequestTraces } from '../telemetry/requests.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { createGrpcServer } from './grpc/server.ts';
import { createHttpServer } from './http/server.ts';
import { createMetricsServer } from './metrics-server.ts';
import { noQuota, Quotas } from './quotas.ts';
import { Readiness } from './readiness.ts';
import { createLimits } from './shared-limits.ts';
import { recordModels, recordQueue } from './state-metrics.ts';
import { type Tenant, Tenants } from './tenants.ts';

export interface GatewayParts {
  /** of the tenant `default` */
  readonly queue: JobQueue;
  readonly predictor: Predictor;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  /** makes the same of another one; absent: there is none */
  readonly openTenant?: (name: string) => Promise<TenantParts>;
  readonly storage: Pick<Stores, 'ping' | 'versions'>;
  readonly access: Access;
  readonly keys: KeyService;
  readonly audit: AuditLog;
  /** absent: connections are not encrypted */
  readonly tls?: TlsFiles | undefined;
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** of this release */
  readonly version: string;
  /** false for one of several gateways: another process answers on the metrics port for all of them */
  readonly hasMetricsPort?: boolean;
  /** what other processes have recorded, for which this one speaks */
  readonly otherMetrics?: () => readonly MetricsSnapshot[];
  /** absent: no spans are made */
  readonly tracing?: Tracing | undefined;
}

/** What a tenant's predictions are made from, and the rest of it. */
export type TenantParts = Omit<Tenant, 'predictions' | 'quota'> & { readonly predictor: Predictor };

export interface Ports {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
}

export interface Gateway {
  readonly readiness: Readiness;
  /** Opens all ports, or none and rejects. */
  listen(): Promise<Ports>;
  /** `hurry` cuts the time short in which it goes on accepting. The parts it was built from stay open. */
  close(hurry: AbortSignal): Promise<void>;
}

export function createGateway(parts: GatewayParts): Gateway {
  const { queue, storage, registry, predictor, metrics, config, log } = parts;
  const readiness = new Readiness({ queue, storage, registry, predictor, metrics, defaultModel: config.defaultModel });
  const limits = createLimits(config, metrics);
  const predictions = new PredictionService({ ...parts, webp: rowsToWebp });
  const traces = parts.tracing && new RequestTraces(parts.tracing);
  const quotas = new Quotas(config, metrics);
  const open = async (name: string): Promise<Tenant> => {
    if (!parts.openTenant) throw new Error(`there is no tenant ${name} here`);
    const own = await parts.openTenant(name);
    const quota = quotas.of(name);
    const options = { ...own, webp: rowsToWebp, others: predictions, quota: quota.rows };
    return { ...own, quota, predictions: new PredictionService(options) };
  };
  const tenants = new Tenants({ ...parts, predictions, quota: noQuota }, open);
  const shared = { ...parts, tenants, readiness, limits, ...(traces && { traces }) };
  const http = createHttpServer(shared);
  const grpc = createGrpcServer(shared);
  const snapshots = async () => [await metrics.snapshot(), ...(parts.otherMetrics?.() ?? [])];
  const metricsServer = createMetricsServer({ read: snapshots, log, config, readiness, tls: metricsTlsOf(config) });
  metrics.beforeRead(() => recordQueue(queue, metrics));
  const { tls } = parts;
  if (tls) metrics.beforeRead(() => metrics.set('certificateExpiry', tls.expiresAt));
  metrics.beforeRead(() => recordModels(storage.versions, metrics));

  const shut = async (graceMs: number): Promise<void> => {
    await Promise.all([http.close(graceMs), grpc.close(graceMs)]);
    await predictions.close();
    await metricsServer.close();
    tls?.close();
  };

  return {
    readiness,

    async listen() {
      try {
        const { hasMetricsPort = true } = parts;
        const opening = [
          hasMetricsPort ? metricsServer.listen(config.metricsHost, config.metricsPort) : Promise.resolve(0),
          grpc.listen(config.host, config.grpcPort),
          http.listen(config.host, config.httpPort),
        ];
        // All have opened or failed before one is closed again.
        await Promise.allSettled(opening);
        const [metricsPort = 0, grpcPort = 0, httpPort = 0] = await Promise.all(opening);
        return { httpPort, grpcPort, metricsPort };
      } catch (error) {
        await shut(0);
        throw error;
      }
    },

    async close(hurry) {
      readiness.stop();
      await pause(config.drainMs, hurry);
      await shut(config.graceMs);
    },
  };
}
