// A gRPC server on a free port for tests, with whatever parts a test brings. What it does not bring is out of order.

import type { Caller } from '../../../src/base/caller.ts';
import { HourglassError } from '../../../src/base/errors.ts';
import { float32 } from '../../../src/base/ndarray.ts';
import {
  createGrpcServer,
  type GrpcConfig,
  type GrpcParts,
  type GrpcServer,
} from '../../../src/gateway/grpc/server.ts';
import { noQuota } from '../../../src/gateway/quotas.ts';
import { createLimits, type LimitsConfig } from '../../../src/gateway/shared-limits.ts';
import { type Tenant, Tenants } from '../../../src/gateway/tenants.ts';
import { currentPreprocessing } from '../../../src/picture/preprocessing.ts';
import { createLog } from '../../../src/platform/log.ts';
import { Metrics } from '../../../src/platform/metrics.ts';
import type { Manifest } from '../../../src/registry/manifest.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import { PredictionService } from '../../../src/serve/prediction-service.ts';
import type { Prediction, Predictor, PredictRequest, PredictTarget } from '../../../src/serve/predictor.ts';
import { openDoors } from '../../access/doors.ts';
import { metaOf } from '../../serve/serving.ts';
import { TestClient } from './client.ts';

export const testConfig: GrpcConfig & LimitsConfig = {
  maxBodyBytes: 4 * 2 ** 20,
  maxBatch: 1024,
  maxConnections: 100,
  maxCalls: 1024,
  maxStreams: 256,
  maxResets: 500,
  clientShare: 100,
  maxBodyMemoryBytes: 64 * 2 ** 20,
  maxUploads: 4,
  maxDownloads: 4,
  stallTimeoutMs: 20_000,
  maxWatchers: 3,
  targetWaitMs: 25,
  maxInFlight: null,
  maxWaiting: 1024,
  requestLogLevel: 'info',
  requestLogSample: 1,
  requestLogFailures: 1000,
  maxImagePixels: 2 ** 20,
  maxJobMemoryBytes: 2 ** 30,
  deadlineMs: 30_000,
  bodyTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  uploadTimeoutMs: 60_000,
  keepAliveMs: 60_000,
  reflection: 'auto',
};

export interface TestServer {
  readonly parts: GrpcParts;
  readonly server: GrpcServer;
  readonly port: number;
  readonly client: TestClient;
  readonly metrics: Metrics;
  /** lines of the log so far */
  readonly log: Record<string, unknown>[];
  stop(): Promise<void>;
}

const outOfOrder = (): never => {
  throw new HourglassError('queue-unavailable', 'This part is out of order.', { retryAfter: 3 });
};

function broken<T extends object>(): T {
  return new Proxy({} as T, { get: () => outOfOrder });
}

export async function startServer(
  parts: Partial<Omit<GrpcParts, 'config'> & Omit<Tenant, 'predictions' | 'quota'>> & {
    predictor?: Predictor;
    config?: Partial<GrpcConfig & LimitsConfig>;
  } = {},
): Promise<TestServer> {
  const log: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => log.push(JSON.parse(line)) };
  const metrics = new Metrics('gateway');
  const { predictor = broken<Predictor>(), registry = broken<Registry>() } = parts;
  const { queue = broken<Tenant['queue']>(), datasets = broken<Tenant['datasets']>(), ...others } = parts;
  const config = { ...testConfig, ...parts.config };
  const all: GrpcParts = {
    tenants: new Tenants({
      ...{ queue, registry, datasets, quota: noQuota },
      predictions: new PredictionService({ registry, predictor }),
    }),
    readiness: { isReady: async () => true },
    ...openDoors,
    ...others,
    config,
    limits: createLimits(config, metrics),
    log: createLog({ level: 'debug', format: 'json', process: 'gateway', destination }),
    metrics,
    version: '0.0.0',
  };
  const server = createGrpcServer(all);
  const port = await server.listen('127.0.0.1', 0);
  const client = new TestClient(port);
  return {
    parts: all,
    server,
    port,
    client,
    metrics,
    log,
    async stop() {
      client.close();
      await server.close(1000);
    },
  };
}

/** Answers with the rows it was given, once `open` is called; remembers what was asked of it. */
export class GatedPredictor implements Predictor {
  readonly maxBatch = 1024;
  readonly asked: PredictRequest[] = [];
  readonly callers: Caller[] = [];
  #isOpen: boolean;
  #waiting: (() => void)[] = [];

  constructor({ isOpen }: { isOpen: boolean }) {
    this.#isOpen = isOpen;
  }

  open(): void {
    this.#isOpen = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  async predict(caller: Caller, request: PredictRequest): Promise<Prediction> {
    this.asked.push(request);
    this.callers.push(caller);
    if (!this.#isOpen) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve);
        request.demand?.signal?.addEventListener('abort', () => reject(request.demand?.signal?.reason));
      });
    }
    const { shape, data } = request.inputs;
    return { model: 'echo', version: 1, outputs: float32(shape, data.slice()), rowShape: shape.slice(1) };
  }

  predictInTurn(): boolean {
    return false;
  }

  async resolve(): Promise<PredictTarget> {
    return {
      model: 'echo',
      version: 1,
      inputShape: [2, 2, 1],
      inputRange: [0, 1],
      preprocessing: currentPreprocessing,
    };
  }

  /** Of a model for rows. */
  async versionOf(): Promise<Manifest> {
    const meta = metaOf('echo', { operations: ['encode', 'decode', 'denoise', 'reconstruct'] });
    return { schema: 1, name: 'echo', version: 1, createdAt: new Date(0).toISOString(), files: [], ...meta };
  }

  setAside(): void {}

  threads() {
    return { count: 1, stuck: 0 };
  }

  async load(): Promise<void> {}

  async unload(): Promise<void> {}

  async close(): Promise<void> {}
}
