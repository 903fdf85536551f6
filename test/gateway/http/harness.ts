// The REST gateway on real parts: a queue on a real redis-server, a registry and data sets in a real folder, ONNX models.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { openAccess } from '../../../src/access/access.ts';
import { rowsToWebp } from '../../../src/data/image.ts';
import { createDatasetStore } from '../../../src/data/store.ts';
import { createHttpServer, type HttpServer } from '../../../src/gateway/http/server.ts';
import { noQuota, Quotas } from '../../../src/gateway/quotas.ts';
import { Readiness } from '../../../src/gateway/readiness.ts';
import { createLimits } from '../../../src/gateway/shared-limits.ts';
import { type Tenant, Tenants } from '../../../src/gateway/tenants.ts';
import { type Config, loadConfig } from '../../../src/platform/config.ts';
import { createLog } from '../../../src/platform/log.ts';
import { Metrics } from '../../../src/platform/metrics.ts';
import type { JobQueue } from '../../../src/queue/job-queue.ts';
import { Registry } from '../../../src/registry/registry.ts';
import { ModelPool } from '../../../src/runtime/pool.ts';
import { ModelPredictor } from '../../../src/serve/model-predictor.ts';
import { PredictionService } from '../../../src/serve/prediction-service.ts';
import type { Predictor } from '../../../src/serve/predictor.ts';
import { FolderBlobs } from '../../../src/store/folder/blobs.ts';
import { FolderDatasets } from '../../../src/store/folder/datasets.ts';
import { type Doors, lockDoors } from '../../access/doors.ts';
import { RestClient } from '../../conformance/both.ts';
import { headed, scaling } from '../../helpers/onnx-models.ts';
import { startRedis, type TestRedis } from '../../helpers/redis.ts';
import { openQueue } from '../../queue/fixtures.ts';
import { metaOf } from '../../serve/serving.ts';

export interface TestGateway {
  readonly rest: RestClient;
  readonly port: number;
  readonly http: HttpServer;
  readonly readiness: Readiness;
  readonly tenants: Tenants;
  readonly registry: Registry;
  readonly queue: JobQueue;
  readonly redis: TestRedis;
  readonly metrics: Metrics;
  /** lines of the log so far */
  readonly log: Record<string, unknown>[];
  /** files that uploads have left so far */
  datasetFiles(): string[];
  stop(): Promise<void>;
}

export interface GatewayChanges {
  readonly config?: Partial<Config>;
  /** who may come in; default: everybody */
  readonly access?: Omit<Doors, 'audit'> & Partial<Doors>;
  /** in place of the one that runs models */
  readonly predictor?: Predictor;
  /** milliseconds, of the quotas of tenants; default: the machine's clock */
  readonly now?: () => number;
}

/** Serves the models `digits` (versions 1 and 2, 28×28 → 32, `decode` gives the code back), and `tiny` (2×2 → 2, two classes). */
export async function startGateway(changes: GatewayChanges = {}): Promise<TestGateway> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-rest-'));
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const config = { ...loadConfig({ HOURGLASS_DATA_DIR: folder }), ...changes.config };
  const registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'models')));
  const datasetFolder = path.join(folder, 'datasets');
  const datasets = createDatasetStore({
    files: new FolderDatasets(datasetFolder),
    limits: { uploadBytes: config.maxUploadBytes },
  });
  const metrics = new Metrics('gateway');
  const pool = new ModelPool({ threads: 1, maxModels: 4 });
  const predictor = changes.predictor ?? new ModelPredictor({ registry, pool, config, metrics });
  const predictions = new PredictionService({ registry, predictor, webp: rowsToWebp });
  const quotas = new Quotas(config, metrics, changes.now);
  const openTenant = async (name: string): Promise<Tenant> => {
    const own = path.join(folder, 'tenants', name);
    const quota = quotas.of(name);
    const blobs = await FolderBlobs.open(path.join(own, 'models'));
    const models = await Registry.open(blobs, { tenant: name, lender: registry });
    const asked = predictor instanceof ModelPredictor ? predictor.forTenant(models) : predictor;
    const files = new FolderDatasets(path.join(own, 'datasets'));
    return {
      queue: queue.forTenant(name),
      registry: models,
      datasets: createDatasetStore({ files, builtIns: new FolderDatasets(datasetFolder) }),
      quota,
      predictions: new PredictionService({
        ...{ registry: models, predictor: asked, others: predictions, quota: quota.rows },
      }),
    };
  };
  const tenants = new Tenants({ queue, predictions, registry, datasets, quota: noQuota }, openTenant);
  const readiness = new Readiness({
    queue,
    storage: { ping: async () => {} },
    registry,
    predictor,
    metrics,
    defaultModel: config.defaultModel,
  });
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  const log = createLog({ level: 'debug', format: 'json', process: 'gateway', destination });
  await publishModels(registry);
  const stored = await lockDoors({ redisUrl: redis.url });
  const doors = {
    audit: stored.audit,
    ...(changes.access ?? { access: openAccess, keys: stored.keys }),
  };
  const http = createHttpServer({
    ...{ tenants, readiness, config, log, metrics },
    version: '0.0.0',
    limits: createLimits(config, metrics),
    ...doors,
  });
  const port = await http.listen('127.0.0.1', 0);
  return {
    ...{ port, http, tenants, readiness, registry, queue, redis, metrics },
    log: lines,
    rest: new RestClient(port),
    datasetFiles: () =>
      existsSync(datasetFolder) ? readdirSync(datasetFolder, { recursive: true, encoding: 'utf8' }) : [],
    async stop() {
      await http.close(1000);
      await predictor.close();
      await pool.close();
      await stored.stop();
      await queue.close();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function publishModels(registry: Registry): Promise<void> {
  const picture = Buffer.from('89504e470d0a1a0a', 'hex');
  const report = Buffer.from('{"epochs":[]}');
  for (const [version, factor] of [1, 0.5].entries()) {
    await registry.publish('digits', {
      files: { ...scaling(784, 32, factor), 'report.json': report, 'reconstructions.png': picture },
      meta: metaOf(`digits-${version}`, { inputShape: [28, 28, 1], codeShape: [32] }),
    });
  }
  const operations = ['encode', 'decode', 'denoise', 'reconstruct', 'classify', 'generate', 'outliers'] as const;
  const meta = metaOf('tiny', { operations: [...operations], classes: ['low', 'high'] });
  await registry.publish('tiny', { files: { ...scaling(4, 2, 1), ...headed(4, 2) }, meta });
}

/** Writes bytes to a socket of their own and gives back everything that comes until the other side closes. */
export function talk(port: number, ...pieces: (string | Buffer | number)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(received) : reject(error),
    );
    socket.on('close', () => resolve(received));
    (async () => {
      for (const piece of pieces) {
        if (typeof piece === 'number') await new Promise((done) => setTimeout(done, piece));
        else if (!socket.destroyed) socket.write(piece);
      }
    })().catch(reject);
  });
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly code: string | undefined;
}

/** The first answer in what `talk` received. */
export function firstAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
  const body = Number.isNaN(length) ? text.slice(end + 4) : text.slice(end + 4, end + 4 + length);
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
    head,
    body,
    code: /"code":"([a-z-]+)"/.exec(body)?.[1],
  };
}
