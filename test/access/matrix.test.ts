// Every route of openapi.yaml and every method of the protos, with every kind of credential. What a caller needs is written
// down here once more: a route that is new, or that asks for something else than before, fails until this table says so.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DescService } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Demanded } from '../../src/access/access.ts';
import { newKey } from '../../src/access/api-key.ts';
import { defaultCaller, type Scope, scopes } from '../../src/base/caller.ts';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { AccessService } from '../../src/gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { startServer, type TestServer } from '../gateway/grpc/harness.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

const routes: Readonly<Record<Demanded, string>> = {
  open: `
    GET /livez
    GET /readyz
    GET /v2/health/live
    GET /v2/health/ready
    GET /demo
    GET /photos`,
  known: `
    GET /v1/info`,
  infer: `
    GET /v1/models/{model}/bundle
    GET /v1/models/{model}/metadata
    POST /v1/models/{model}
    POST /v1/models/{model}/versions/{version}
    POST /v1/models/{model}/labels/{label}
    POST /v1/models/{model}/encode
    POST /v1/models/{model}/decode
    POST /v1/models/{model}/denoise
    POST /v1/models/{model}/reconstruct
    POST /v1/models/{model}/classify
    POST /v1/models/{model}/generate
    POST /v1/models/{model}/recommend
    POST /v1/models/{model}/analyse
    POST /v1/models/{model}/series
    POST /v1/models/{model}/translate
    POST /encode
    POST /decode
    POST /denoise
    POST /reconstruct
    POST /classify
    GET /v2
    GET /v2/models
    GET /v2/models/stats
    GET /v2/models/{model}
    GET /v2/models/{model}/ready
    GET /v2/models/{model}/config
    GET /v2/models/{model}/stats
    GET /v2/models/{model}/versions/{version}
    GET /v2/models/{model}/versions/{version}/ready
    GET /v2/models/{model}/versions/{version}/config
    GET /v2/models/{model}/versions/{version}/stats
    POST /v2/models/{model}/infer
    POST /v2/models/{model}/versions/{version}/infer
    POST /v2/repository/index`,
  read: `
    GET /v1/jobs
    GET /v1/jobs/{id}
    GET /v1/jobs/{id}/events
    GET /v1/jobs/{id}/samples
    GET /v1/sweeps
    GET /v1/sweeps/{id}
    GET /v1/queues
    GET /v1/workers
    GET /v1/datasets
    GET /v1/datasets/{name}
    GET /v1/datasets/{name}/rows
    GET /v1/models
    GET /v1/models/{model}
    GET /v1/models/{model}/versions/{version}
    GET /v1/models/{model}/versions/{version}/files/{file}`,
  train: `
    POST /v1/jobs
    DELETE /v1/jobs/{id}
    POST /v1/jobs/{id}/cancel
    POST /v1/jobs/{id}/resume
    POST /v1/jobs/{id}/retry
    POST /v1/sweeps
    POST /v1/sweeps/{id}/cancel
    POST /v1/datasets
    DELETE /v1/datasets/{name}`,
  publish: `
    DELETE /v1/models/{model}
    DELETE /v1/models/{model}/versions/{version}
    PUT /v1/models/{model}/aliases/{alias}
    PUT /v1/models/{model}/shared
    DELETE /v1/models/{model}/shared
    DELETE /v1/models/{model}/aliases/{alias}
    POST /v2/repository/models/{model}/load
    POST /v2/repository/models/{model}/unload`,
  admin: `
    GET /v1/keys
    POST /v1/keys
    GET /v1/keys/{id}
    DELETE /v1/keys/{id}
    POST /v1/keys/{id}/rotate
    GET /v1/audit`,
};

const methods: Readonly<Record<Demanded, string>> = {
  open: 'Health/Check Health/Watch GRPCInferenceService/ServerLive GRPCInferenceService/ServerReady',
  known: '',
  infer: `InferenceService/Encode InferenceService/Decode InferenceService/Denoise InferenceService/Reconstruct
    InferenceService/Classify InferenceService/Generate InferenceService/Recommend InferenceService/Analyse InferenceService/Series InferenceService/Translate InferenceService/EncodeFrame InferenceService/DecodeFrame
    GRPCInferenceService/ModelReady GRPCInferenceService/ServerMetadata GRPCInferenceService/ModelMetadata
    GRPCInferenceService/ModelInfer GRPCInferenceService/ModelStreamInfer GRPCInferenceService/ModelConfig
    GRPCInferenceService/ModelStatistics GRPCInferenceService/RepositoryIndex`,
  read: `TrainingService/GetJob TrainingService/ListJobs TrainingService/WatchJob TrainingService/ListQueues
    TrainingService/ListWorkers TrainingService/ListJobSamples DatasetService/ReadRows
    SweepService/GetSweep SweepService/ListSweeps RegistryService/ListModels RegistryService/GetModel
    RegistryService/GetVersion RegistryService/GetFile DatasetService/ListDatasets DatasetService/GetDataset`,
  train: `TrainingService/SubmitJob TrainingService/CheckJob TrainingService/CancelJob TrainingService/ResumeJob TrainingService/RetryJob
    TrainingService/DeleteJob SweepService/SubmitSweep SweepService/CheckSweep SweepService/CancelSweep DatasetService/CreateDataset
    DatasetService/DeleteDataset`,
  publish: `RegistryService/SetAlias RegistryService/DeleteAlias RegistryService/ShareModel RegistryService/DeleteVersion RegistryService/DeleteModel
    GRPCInferenceService/RepositoryModelLoad GRPCInferenceService/RepositoryModelUnload`,
  admin: `AccessService/CreateKey AccessService/ListKeys AccessService/GetKey AccessService/RotateKey
    AccessService/RevokeKey AccessService/ListAuditEntries`,
};

const services: readonly DescService[] = [
  ...[TrainingService, SweepService, InferenceService, RegistryService, DatasetService, AccessService],
  ...[GRPCInferenceService, Health],
];

/** By what it is called in the tables. */
function demandsOf(table: Readonly<Record<Demanded, string>>, separator: RegExp): Map<string, Demanded> {
  const entries = Object.entries(table) as [Demanded, string][];
  return new Map(
    entries.flatMap(([demanded, names]) => {
      const found = names.split(separator).map((name) => name.trim());
      return found.filter((name) => name !== '').map((name) => [name, demanded] as const);
    }),
  );
}

const routeDemands = demandsOf(routes, /\n/);
const methodDemands = demandsOf(methods, /\s+/);

const contract = parse(readFileSync(path.resolve(import.meta.dirname, '../../openapi.yaml'), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly security?: unknown }>>>>;
};
/** Not there where access control is on, unless a setting says so. */
const hiddenRoutes = ['GET /docs', 'GET /openapi.yaml', 'GET /openapi.json'];

const contractRoutes = Object.entries(contract.paths).flatMap(([url, operations]) =>
  Object.keys(operations).map((method) => `${method.toUpperCase()} ${url}`),
);

interface Credential {
  readonly name: string;
  readonly authorization: string | undefined;
  /** undefined: it is not valid */
  readonly scopes: readonly Scope[] | undefined;
}

let redis: TestRedis;
let doors: LockedDoors;
let rest: TestGateway;
let grpc: TestServer;
let client: Client;
const all: Credential[] = [];

beforeAll(async () => {
  redis = await startRedis();
  doors = await lockDoors({ redisUrl: redis.url });
  const { access, keys, audit } = doors;
  rest = await startGateway({ access: { access, keys, audit } });
  grpc = await startServer({ access, keys, audit });
  client = new Client(`127.0.0.1:${grpc.port}`, credentials.createInsecure());
  const bearer = (key: string): string => `Bearer ${key}`;
  const expired = await doors.make({ scopes: [...scopes], expiresInSeconds: 1 });
  const revoked = await doors.make({ scopes: [...scopes] });
  await keys.revoke(defaultCaller, revoked.id);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  all.push(
    { name: 'none', authorization: undefined, scopes: undefined },
    { name: 'no bearer', authorization: expired.key, scopes: undefined },
    { name: 'unknown', authorization: bearer(newKey()), scopes: undefined },
    { name: 'malformed', authorization: bearer('hg_no-key'), scopes: undefined },
    { name: 'a token where keys are asked for', authorization: bearer('a.b.c'), scopes: undefined },
    { name: 'expired', authorization: bearer(expired.key), scopes: undefined },
    { name: 'revoked', authorization: bearer(revoked.key), scopes: undefined },
  );
  for (const scope of scopes) {
    all.push({ name: scope, authorization: bearer((await doors.make({ scopes: [scope] })).key), scopes: [scope] });
  }
});
afterAll(async () => {
  client.close();
  await grpc.stop();
  await rest.stop();
  await doors.stop();
  await redis.stop();
});

type Verdict = 'let in' | 'unauthenticated' | 'forbidden';

function expectedOf(demanded: Demanded, { authorization, scopes: has }: Credential): Verdict {
  if (demanded === 'open') return 'let in';
  if (demanded === 'known') return authorization === undefined || has ? 'let in' : 'unauthenticated';
  if (!has) return 'unauthenticated';
  return has.includes(demanded) ? 'let in' : 'forbidden';
}

describe('REST', () => {
  it('has a row here for every route of the contract, and no other', () => {
    expect([...routeDemands.keys(), ...hiddenRoutes].sort()).toEqual([...contractRoutes].sort());
  });

  it('asks in the contract for a credential exactly where one is needed', () => {
    for (const [route, demanded] of routeDemands) {
      const [method = '', url = ''] = route.split(' ');
      const { security } = contract.paths[url]?.[method.toLowerCase()] ?? {};
      expect([route, security]).toEqual([route, ['open', 'known'].includes(demanded) ? undefined : [{ bearer: [] }]]);
    }
  });

  it('lets in who may come in, and nobody else, before it looks at the request', async () => {
    const wrong: string[] = [];
    for (const [route, demanded] of routeDemands) {
      const [method = '', url = ''] = route.split(' ');
      const target = url.replace('{model}:predict', 'tiny:predict').replace(/\{(\w+)\}/g, 'absent');
      for (const credential of all) {
        const { name, authorization } = credential;
        const headers = { ...(authorization !== undefined && { authorization }) };
        const { status: code, json, headers: answered } = await rest.rest.send(method, target, undefined, headers);
        const problem = json as { code?: string } | undefined;
        const verdict: Verdict =
          problem?.code === 'unauthenticated' && code === 401 && answered.get('www-authenticate')?.startsWith('Bearer')
            ? 'unauthenticated'
            : problem?.code === 'forbidden' && code === 403
              ? 'forbidden'
              : 'let in';
        if (code >= 500 && !/ready/.test(url)) wrong.push(`${route} with ${name}: ${code}`);
        if (verdict !== expectedOf(demanded, credential)) wrong.push(`${route} with ${name}: ${code} ${problem?.code}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each(hiddenRoutes)('does not show %s', async (route) => {
    const [method = '', url = ''] = route.split(' ');
    expect((await rest.rest.send(method, url)).status).toBe(404);
  });

  it('tells strangers nothing in /v1/info and /readyz', async () => {
    const info = await rest.rest.get('/v1/info');
    expect(info).toEqual({ name: 'hourglass', api: 'v1', access: 'keys', ...(info as object) });
    expect(Object.keys(info as object)).not.toContain('version');
    const { parts } = (await rest.rest.get('/readyz')) as { parts: Record<string, { detail: string }> };
    expect(Object.values(parts).map(({ detail }) => detail)).toEqual(Object.keys(parts).map(() => ''));
  });

  it('notes in the log which key asked, and never the key', async () => {
    const { key, id } = await doors.make({ scopes: ['read'] });
    await rest.rest.send('GET', '/v1/models', undefined, { authorization: `Bearer ${key}` });
    await rest.rest.send('GET', `/v1/models/${key}`, undefined, {
      authorization: `Bearer ${key}`,
      'x-request-id': key,
    });
    const lines = JSON.stringify(rest.log);
    expect(lines).toContain(`"caller":"key:${id}"`);
    for (const text of [lines, JSON.stringify(await rest.metrics.snapshot())])
      expect(text).not.toContain(key.slice(3, 40));
  });

  it('tells a caller who it is', async () => {
    const { key } = await doors.make({ tenant: 'acme', scopes: ['infer', 'train'] });
    const { json } = await rest.rest.send('GET', '/v1/info', undefined, { authorization: `Bearer ${key}` });
    expect(json).toMatchObject({ caller: { tenant: 'acme', scopes: ['infer', 'train'] } });
  });
});

describe('gRPC', () => {
  const names = services.flatMap(({ typeName, methods: own }) =>
    own.map(({ name }) => ({ path: `/${typeName}/${name}`, short: `${typeName.split('.').at(-1)}/${name}` })),
  );

  /** One empty message, whatever the kind of the call. */
  function call(
    method: string,
    authorization: string | undefined,
  ): Promise<{ code: number; reason: string | undefined }> {
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set('authorization', authorization);
    return new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes;
      const stream = client.makeBidiStreamRequest(method, same, same, metadata, { deadline: Date.now() + 10_000 });
      let code = -1;
      stream.on('data', () => {
        // Streams without an end of their own have let the caller in.
        code = status.OK;
        stream.cancel();
      });
      stream.on('error', () => undefined);
      stream.on('status', ({ code: ended, metadata: trailers }) => {
        const details = trailers.get('grpc-status-details-bin')[0]?.toString() ?? '';
        const reason = ['unauthenticated', 'forbidden'].find((word) => details.includes(word));
        resolve({ code: code === status.OK ? code : ended, reason });
      });
      stream.end(Buffer.alloc(0));
    });
  }

  it('has a row here for every method of the protos, and no other', () => {
    expect([...methodDemands.keys()].sort()).toEqual(names.map(({ short }) => short).sort());
  });

  it('lets in who may come in, and nobody else', async () => {
    const wrong: string[] = [];
    for (const { path: method, short } of names) {
      const demanded = methodDemands.get(short) ?? 'admin';
      for (const credential of all) {
        const { code, reason } = await call(method, credential.authorization);
        const verdict: Verdict =
          code === status.UNAUTHENTICATED && reason === 'unauthenticated'
            ? 'unauthenticated'
            : code === status.PERMISSION_DENIED && reason === 'forbidden'
              ? 'forbidden'
              : 'let in';
        if (verdict !== expectedOf(demanded, credential))
          wrong.push(`${short} with ${credential.name}: ${status[code]}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('does not show its services by reflection', async () => {
    const method = `/${ServerReflection.typeName}/${ServerReflection.method.serverReflectionInfo.name}`;
    expect((await call(method, all.at(-1)?.authorization)).code).toBe(status.UNIMPLEMENTED);
  });
});
