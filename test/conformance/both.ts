// Both gateways in front of the same real parts: a queue on a real redis-server, a registry and data sets in real folders, a
// predictor that runs a real ONNX model. A question is asked over both, and both answers come back in one form.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { type ErrorCode, errorTable } from '../../src/base/errors.ts';
import { rowsToWebp } from '../../src/data/image.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import { createGrpcServer } from '../../src/gateway/grpc/server.ts';
import { createHttpServer } from '../../src/gateway/http/server.ts';
import { noQuota } from '../../src/gateway/quotas.ts';
import { Readiness } from '../../src/gateway/readiness.ts';
import { createLimits } from '../../src/gateway/shared-limits.ts';
import { Tenants } from '../../src/gateway/tenants.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import { ModelPool } from '../../src/runtime/pool.ts';
import { ModelPredictor } from '../../src/serve/model-predictor.ts';
import { PredictionService } from '../../src/serve/prediction-service.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { FolderDatasets } from '../../src/store/folder/datasets.ts';
import { openDoors } from '../access/doors.ts';
import { CallFailed, failureOf, TestClient } from '../gateway/grpc/client.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, quiet } from '../queue/fixtures.ts';

export interface Both {
  readonly rest: RestClient;
  readonly grpc: TestClient;
  readonly registry: Registry;
  readonly queue: JobQueue;
  readonly redis: TestRedis;
  /** of both gateways */
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

export async function startBoth(changes: Partial<Config> = {}): Promise<Both> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-both-'));
  const redis = await startRedis();
  const queue = await openQueue(redis.url);
  const config = { ...loadConfig({ HOURGLASS_DATA_DIR: folder }), ...changes };
  const registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'models')));
  const datasets = createDatasetStore({ files: new FolderDatasets(path.join(folder, 'datasets')) });
  const metrics = new Metrics('gateway');
  const pool = new ModelPool({ threads: 1, maxModels: 4 });
  const predictor = new ModelPredictor({ registry, pool, config, metrics });
  const predictions = new PredictionService({ registry, predictor, webp: rowsToWebp });
  const readiness = new Readiness({
    queue,
    storage: { ping: async () => {} },
    registry,
    predictor,
    metrics,
    defaultModel: config.defaultModel,
  });
  const limits = createLimits(config, metrics);
  const parts = {
    tenants: new Tenants({ queue, predictions, registry, datasets, quota: noQuota }),
    ...{ readiness, config, metrics, limits },
    ...{ log: quiet, version: '0.0.0', ...openDoors },
  };
  const http = createHttpServer(parts);
  const grpc = createGrpcServer(parts);
  const rest = new RestClient(await http.listen('127.0.0.1', 0));
  const client = new TestClient(await grpc.listen('127.0.0.1', 0));
  return {
    rest,
    grpc: client,
    registry,
    queue,
    redis,
    metrics,
    async stop() {
      client.close();
      await Promise.all([http.close(1000), grpc.close(1000)]);
      await predictor.close();
      await pool.close();
      await queue.close();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** of a JSON answer */
  readonly json: unknown;
}

export class RestClient {
  readonly #origin: string;

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`;
  }

  /** Objects are sent as JSON, bytes as they are. */
  async send(
    method: string,
    target: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<RestAnswer> {
    const isBytes = body instanceof Uint8Array || typeof body === 'string' || body instanceof FormData;
    const answer = await fetch(this.#origin + target, {
      method,
      headers: { ...(body !== undefined && !isBytes && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: (isBytes ? body : JSON.stringify(body)) as string }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return {
      status: answer.status,
      headers: answer.headers,
      bytes,
      json: isJson ? JSON.parse(bytes.toString()) : undefined,
    };
  }

  async get(target: string): Promise<unknown> {
    return (await this.send('GET', target)).json;
  }
}

/** A refusal, in one form for both transports. */
export interface Refusal {
  readonly code: string | undefined;
  readonly text: string;
  readonly expected: string | undefined;
  readonly found: string | undefined;
}

const shown = (fact: unknown): string | undefined =>
  fact === undefined ? undefined : typeof fact === 'string' ? fact : JSON.stringify(fact);

/** Checks that the refusal is one of the error table, and carries a request id. */
export function restRefusal({ status, headers, json }: RestAnswer): Refusal {
  const problem = json as Record<string, unknown>;
  const code = String(problem.code) as ErrorCode;
  const row = errorTable[code];
  if (!row || row.http !== status || problem.status !== status)
    throw new Error(`REST: ${status} ${JSON.stringify(json)}`);
  if (!headers.get('content-type')?.startsWith('application/problem+json') || !problem.requestId) {
    throw new Error(`REST: not a problem: ${JSON.stringify(json)}`);
  }
  return { code, text: String(problem.detail), expected: shown(problem.expected), found: shown(problem.found) };
}

export async function grpcRefusal(call: Promise<unknown>): Promise<Refusal> {
  const failure = await failureOf(call);
  const row = errorTable[failure.code as ErrorCode];
  if (!row || row.grpc !== failure.status || failure.domain !== 'hourglass' || !failure.requestId) {
    throw new CallFailed(failure);
  }
  const { expected, found } = failure.facts;
  return { code: failure.code, text: failure.text, expected, found };
}

/** Both transports refuse a request with the same code, text and facts. */
export async function expectSameRefusal(
  rest: Promise<RestAnswer>,
  grpc: Promise<unknown>,
  code: string,
): Promise<void> {
  const [overRest, overGrpc] = await Promise.all([rest.then(restRefusal), grpcRefusal(grpc)]);
  expect(overRest.code).toBe(code);
  expect(overGrpc).toEqual(overRest);
  for (const { text } of [overRest, overGrpc]) expect(text).not.toMatch(/\bat .*\.[jt]s:|node_modules|\/tmp\//);
}

/** For refusals of the form itself, whose words differ: JSON on one side, protobuf on the other. */
export async function expectSameCode(rest: Promise<RestAnswer>, grpc: Promise<unknown>, code: string): Promise<void> {
  const [overRest, overGrpc] = await Promise.all([rest.then(restRefusal), grpcRefusal(grpc)]);
  expect([overRest.code, overGrpc.code]).toEqual([code, code]);
}
