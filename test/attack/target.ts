// A whole gateway in this process, on real parts, with small limits and a large file to ask for.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { createDatasetStore } from '../../src/data/store.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { Registry } from '../../src/registry/registry.ts';
import { ModelPool } from '../../src/runtime/pool.ts';
import { ModelPredictor } from '../../src/serve/model-predictor.ts';
import { openStores } from '../../src/store/open.ts';
import { openDoors } from '../access/doors.ts';
import { scaling } from '../helpers/onnx-models.ts';
import { startRedis } from '../helpers/redis.ts';
import { openQueue, quiet } from '../queue/fixtures.ts';
import { metaOf } from '../serve/serving.ts';

export const mebibyte = 2 ** 20;
/** of the file `large.bin` of the model `tiny` */
export const largeBytes = 8 * mebibyte;

export interface Target {
  readonly url: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metrics: Metrics;
  /** folders of uploads in progress */
  unfinished(): number;
  /** status and `code` of a small prediction */
  encode(): Promise<{ readonly status: number; readonly code?: string }>;
  /** a connection that never reads unless its test does */
  open(): Promise<Socket>;
  session(settings?: http2.Settings): Promise<ClientHttp2Session>;
}

export async function startTarget(changes: Partial<Config> = {}): Promise<Target> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-attack-'));
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const environment = {
    HOURGLASS_DATA_DIR: folder,
    HOURGLASS_HTTP_PORT: '0',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_DRAIN: '0s',
    HOURGLASS_GRACE: '1s',
  };
  const config = { ...loadConfig(environment), ...changes };
  const stores = await openStores(config);
  const registry = await Registry.open(stores.versions);
  const files = { ...scaling(4, 2, 1), 'large.bin': Buffer.alloc(largeBytes, 7) };
  await registry.publish('tiny', { files, meta: metaOf('tiny') });
  const datasets = createDatasetStore({
    files: stores.datasets,
    imports: { threads: config.importThreads, heapBytes: config.importMemoryBytes },
  });
  const metrics = new Metrics('gateway');
  const pool = new ModelPool({ threads: 1, maxModels: 4 });
  const predictor = new ModelPredictor({ registry, pool, config, metrics });
  const gateway = createGateway({
    ...{ queue, predictor, registry, datasets, config, metrics },
    storage: stores,
    ...openDoors,
    log: quiet,
    version: '0.0.0',
  });
  const { httpPort, grpcPort } = await gateway.listen();
  const sockets: Socket[] = [];
  const sessions: ClientHttp2Session[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    for (const session of sessions) session.destroy();
    await gateway.close(AbortSignal.abort());
    await predictor.close();
    await pool.close();
    await queue.close();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${httpPort}`;
  return {
    ...{ url, httpPort, grpcPort, metrics },
    unfinished: () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.unfinished-[^/]*$/.test(name))
        .length,
    async encode() {
      const answer = await fetch(`${url}/encode?model=tiny`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"inputs":[[1,2,3,4]]}',
      });
      return { status: answer.status, ...((await answer.json()) as { code?: string }) };
    },
    async open() {
      const socket = connect({ port: httpPort, host: '127.0.0.1' }).on('error', () => {});
      socket.pause();
      sockets.push(socket);
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    },
    async session(settings = {}) {
      const session = http2.connect(`http://127.0.0.1:${grpcPort}`, { settings }).on('error', () => {});
      sessions.push(session);
      await new Promise((resolve) => session.once('remoteSettings', resolve));
      return session;
    },
  };
}

/** One gRPC message on the wire. */
export function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export interface GrpcStream {
  readonly stream: ClientHttp2Stream;
  /** the status that it ends with; undefined when it is cut without one */
  readonly status: Promise<number | undefined>;
}

/** A call whose bytes the test writes itself. */
export function call(session: ClientHttp2Session, method: string, headers: Record<string, string> = {}): GrpcStream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const status = new Promise<number | undefined>((resolve) => {
    const take = (fields: http2.IncomingHttpHeaders): void => {
      if (fields['grpc-status'] !== undefined) resolve(Number(fields['grpc-status']));
    };
    stream.on('response', take).on('trailers', take);
    stream.on('error', () => {}).on('close', () => resolve(undefined));
  });
  return { stream, status };
}

/** What the process has on top of `before`, in MiB. */
export const grownBy = (before: number): number => (process.memoryUsage().rss - before) / mebibyte;
