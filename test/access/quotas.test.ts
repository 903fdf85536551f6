// What a tenant may take of a gateway, over every way in: requests and rows a second, streams, bytes. The clock of the accounts
// stands still unless a test moves it, so that every number here is exact.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scopes } from '../../src/base/caller.ts';
import { FastCall } from '../../src/gateway/http/fast-call.ts';
import type { TenantQuota } from '../../src/gateway/quotas.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { failureOf } from '../gateway/grpc/client.ts';
import { startServer, type TestServer } from '../gateway/grpc/harness.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { headed, scaling } from '../helpers/onnx-models.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { metaOf } from '../serve/serving.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

const config = {
  ...{ tenantRequests: 5, tenantRows: 8, tenantStreams: 2 },
  ...{ tenantDatasetBytes: 1500, tenantModelBytes: 100_000 },
};

let redis: TestRedis;
let doors: LockedDoors;
let rest: TestGateway;
let grpc: TestServer;
let acme: string;
let operator: string;
let quota: TenantQuota;
let now = 0;

beforeAll(async () => {
  redis = await startRedis();
  doors = await lockDoors({ redisUrl: redis.url });
  const { access, keys, audit } = doors;
  rest = await startGateway({ access: { access, keys, audit }, config, now: () => now });
  grpc = await startServer({ access, keys, audit, tenants: rest.tenants, metrics: rest.metrics });
  acme = `Bearer ${(await doors.make({ tenant: 'acme', scopes: [...scopes] })).key}`;
  operator = `Bearer ${(await doors.make({ scopes: [...scopes] })).key}`;
  const tenant = await rest.tenants.of('acme');
  quota = tenant.quota;
  const files = { ...scaling(4, 2, 1), ...headed(4, 2) };
  await tenant.registry.publish('tiny', { files, meta: metaOf('tiny', { classes: ['low', 'high'] }) });
});
afterAll(async () => {
  await grpc?.stop();
  await rest?.stop();
  await doors?.stop();
  await redis?.stop();
});
/** Everything is paid off. */
beforeEach(() => {
  now += 60_000;
});

const full = '"requests";r=5, "rows";r=8';
const row = [0.25, 0.5, 0, 1];
const authorization = () => ({ authorization: acme });
const send = (method: string, target: string, body?: unknown, headers: Record<string, string> = {}) =>
  rest.rest.send(method, target, body, { ...authorization(), ...headers });
const call: TestServer['client']['call'] = (method, request) =>
  grpc.client.call(method, request, { metadata: authorization() });
const watch = (id: string, signal: AbortSignal) =>
  grpc.client.stream(TrainingService.method.watchJob, { id }, { metadata: authorization(), signal });
const refusalsOf = async (name: string) => {
  const metric = (await rest.metrics.snapshot()).find((each) => each.name === 'hourglass_quota_refusals_total');
  return metric?.values.find(({ labels }) => labels.quota === name)?.value ?? 0;
};

describe('each way in counts one request, and the rows that it has answered', () => {
  const two = { inputs: [row, row] };
  const input = { name: 'inputs', datatype: 'FP32', shape: [2, 4], data: [...row, ...row] };
  const bytes = new Uint8Array(Float32Array.of(...row, ...row).buffer);
  const message = { name: 'inputs', datatype: 'FP32', shape: [2n, 4n] };
  const infer = { modelName: 'tiny', inputs: [message], rawInputContents: [bytes] };
  const tensor = { shape: [2, 4], values: [...row, ...row] };
  it.each<[string, () => Promise<unknown>, number]>([
    ['REST', () => send('POST', '/v1/models/tiny/encode', two), 2],
    [
      'REST, raw',
      () => send('POST', '/v1/models/tiny/encode', bytes, { 'content-type': 'application/octet-stream' }),
      2,
    ],
    [
      'REST, with a limit of its own',
      () => send('POST', '/v1/models/tiny/encode', two, { 'x-request-timeout': '20' }),
      2,
    ],
    ['REST, outliers', () => send('POST', '/v1/models/tiny/denoise', two, { 'x-request-timeout': '20' }), 2],
    ['REST, a wrong shape', () => send('POST', '/v1/models/tiny/encode', { inputs: [[1], [2]] }), 0],
    ['REST, not JSON', () => send('POST', '/v1/models/tiny/encode', '{', { 'content-type': 'application/json' }), 0],
    ['REST, no such model', () => send('POST', '/v1/models/nobody/encode', two), 0],
    ['REST, not a prediction', () => send('GET', '/v1/models'), 0],
    ['Open Inference Protocol', () => send('POST', '/v2/models/tiny/infer', { inputs: [input] }), 2],
    ['TensorFlow Serving', () => send('POST', '/v1/models/tiny:predict', { instances: [row, row] }), 2],
    [
      'gRPC',
      () => call(InferenceService.method.encode, { model: 'tiny', content: { case: 'inputs', value: tensor } }),
      2,
    ],
    ['gRPC, not a prediction', () => call(RegistryService.method.listModels, {}), 0],
    ['gRPC, Open Inference Protocol', () => call(GRPCInferenceService.method.modelInfer, infer), 2],
  ])('%s', async (_name, ask, rows) => {
    // Once before: the first request of a version is not answered on the short way.
    await ask();
    now += 60_000;
    expect(quota.rateLimit).toBe(full);
    await ask();
    expect(quota.rateLimit).toBe(`"requests";r=4, "rows";r=${8 - rows}`);
  });

  it('each message of a stream of inferences', async () => {
    const one = { ...infer, inputs: [{ ...message, shape: [1n, 4n] }], rawInputContents: [bytes.slice(0, 16)] };
    const requests = Array.from({ length: 7 }, (_, i) => ({ ...one, id: String(i) }));
    const answers = await grpc.client.converse(GRPCInferenceService.method.modelStreamInfer, requests, {
      metadata: authorization(),
    });
    expect(answers.map(({ errorMessage }) => errorMessage.includes('HOURGLASS_TENANT_REQUESTS'))).toEqual([
      ...[false, false, false, false, false, true, true],
    ]);
    expect(quota.rateLimit).toBe('"requests";r=0;t=1, "rows";r=3');
  });
});

describe('requests a second', () => {
  const encode = () => send('POST', '/v1/models/tiny/encode', { inputs: [row] });

  it('are refused over REST with the quota and the time after which it is free again', async () => {
    const before = await refusalsOf('requests');
    for (let left = 4; left >= 0; left--) {
      const { status, headers } = await send('GET', '/v1/models');
      expect([status, headers.get('ratelimit-policy')]).toEqual([200, '"requests";q=5;w=1, "rows";q=8;w=1;qu="rows"']);
      expect(headers.get('ratelimit')).toBe(`"requests";r=${left}${left > 0 ? '' : ';t=1'}, "rows";r=8`);
    }
    for (const { status, headers, json } of [await encode(), await send('GET', '/v1/models')]) {
      expect(status).toBe(429);
      expect(json).toMatchObject({ code: 'quota-exceeded', quota: 'requests', expected: 5 });
      expect(headers.get('retry-after')).toBe('1');
      expect(headers.get('ratelimit-policy')).toBe('"requests";q=5;w=1, "rows";q=8;w=1;qu="rows"');
      expect(headers.get('ratelimit')).toBe('"requests";r=0;t=1, "rows";r=8');
    }
    expect(await refusalsOf('requests')).toBe(before + 2);
    now += 200;
    expect((await encode()).status).toBe(200);
    expect((await encode()).status).toBe(429);
  });

  it('are refused over gRPC with RetryInfo and pushback', async () => {
    for (let i = 0; i < 5; i++) await call(RegistryService.method.listModels, {});
    const failure = await failureOf(call(RegistryService.method.listModels, {}));
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'quota-exceeded', retryAfter: 0.2 });
    expect(failure.facts).toMatchObject({ quota: 'requests', expected: '5' });
    expect(failure.trailers.get('grpc-retry-pushback-ms')).toEqual(['200']);
    // One account for both.
    expect((await encode()).status).toBe(429);
  });

  it('hold for neither the tenant default nor what is open to everybody', async () => {
    for (let i = 0; i < 7; i++) {
      const answer = await rest.rest.send('GET', '/v1/models', undefined, { authorization: operator });
      expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null]);
      expect((await send('GET', '/livez')).status).toBe(200);
    }
  });
});

describe('rows a second', () => {
  const predict = (rows: number, headers: Record<string, string> = {}) =>
    send('POST', '/v1/models/tiny/encode', { inputs: Array(rows).fill(row) }, headers);

  it.each([
    ['on the short way', {}],
    ['on the usual way', { 'x-request-timeout': '20' }],
  ])('let a larger request in, which is then paid off (%s)', async (_name, headers) => {
    await predict(1, headers);
    now += 60_000;
    const { status, headers: answered } = await predict(20, headers);
    expect([status, answered.get('ratelimit')]).toEqual([200, '"requests";r=4, "rows";r=0;t=2']);
    const refused = await predict(1, headers);
    expect(refused.json).toMatchObject({ status: 429, code: 'quota-exceeded', quota: 'rows', expected: 8 });
    // 13 rows at 8 a second: the time may be longer by less than a second, never shorter.
    expect(refused.headers.get('retry-after')).toBe('2');
    now += 1625;
    expect((await predict(1, headers)).status).toBe(200);
  });

  it('are refused over gRPC', async () => {
    const value = { shape: [9, 4], values: Array(36).fill(0) };
    const request = { model: 'tiny', content: { case: 'inputs', value } } as const;
    await call(InferenceService.method.encode, request);
    const failure = await failureOf(call(InferenceService.method.encode, request));
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'quota-exceeded', retryAfter: 0.25 });
    expect(failure.facts).toMatchObject({ quota: 'rows' });
  });

  it('are counted on the short way too', async () => {
    const { answered } = FastCall.prototype;
    let isShort = false;
    FastCall.prototype.answered = function (...given) {
      isShort = true;
      return answered.apply(this, given);
    };
    try {
      const tried = async (): Promise<boolean> => {
        // Only a version that was just looked up is asked on the short way.
        await predict(1, { 'x-request-timeout': '20' });
        now += 60_000;
        await predict(3);
        return isShort;
      };
      await expect.poll(tried, { interval: 1, timeout: 20_000 }).toBe(true);
      expect(quota.rateLimit).toBe('"requests";r=4, "rows";r=5');
    } finally {
      FastCall.prototype.answered = answered;
    }
  });
});

it('bounds open streams of a tenant over REST and gRPC together', async () => {
  const spec = { name: 'tiny', dataset: 'mnist', model: { type: 'dense', code: 1 } };
  const { json } = await send('POST', '/v1/jobs', spec);
  const { id } = json as { readonly id: string };
  const stop = new AbortController();
  const events = `http://127.0.0.1:${rest.port}/v1/jobs/${id}/events`;
  const first = await fetch(events, { headers: authorization(), signal: stop.signal });
  const second = watch(id, stop.signal);
  await second.next();
  expect(first.status).toBe(200);
  const third = await fetch(events, { headers: authorization() });
  expect([third.status, third.headers.get('ratelimit'), third.headers.get('ratelimit-policy')]).toEqual([
    ...[429, '"streams";r=0;t=1', '"streams";q=2;qu="concurrent-requests"'],
  ]);
  expect(await third.json()).toMatchObject({ code: 'quota-exceeded', quota: 'streams', found: 2 });
  const failure = await failureOf(watch(id, stop.signal).next());
  expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'quota-exceeded', facts: { quota: 'streams' } });
  stop.abort();
  await second.next().catch(() => undefined);
  await expect
    .poll(async () => {
      now += 60_000;
      const answer = await fetch(events, { headers: authorization() });
      await answer.body?.cancel();
      return answer.status;
    })
    .toBe(200);
});

describe('stored bytes', () => {
  const csv = (rows: number): string => `a,b\n${Array(rows).fill('1.5,2').join('\n')}\n`;
  const upload = (name: string, rows: number) =>
    send('POST', `/v1/datasets?name=${name}`, csv(rows), { 'content-type': 'text/csv' });

  it('of data sets: a set that does not fit is given up, and nothing more is read once they are full', async () => {
    expect((await upload('small', 10)).status).toBe(201);
    const large = await upload('large', 200);
    expect([large.status, large.headers.get('ratelimit-policy')]).toEqual([429, '"dataset-bytes";q=1500;qu="bytes"']);
    expect(large.json).toMatchObject({ code: 'quota-exceeded', quota: 'dataset-bytes', expected: 1500 });
    now += 60_000;
    const names = ((await send('GET', '/v1/datasets')).json as { datasets: { name: string; builtIn: boolean }[] })
      .datasets;
    expect(names.filter(({ builtIn }) => !builtIn).map(({ name }) => name)).toEqual(['small']);
    // Two at once do not both get the room that is left for one.
    const both = await Promise.all([upload('one', 10), upload('two', 10)]);
    expect(both.map(({ status }) => status).filter((status) => status === 201).length).toBeLessThan(2);
    const failure = await failureOf(
      grpc.client.upload(
        DatasetService.method.createDataset,
        [
          { content: { case: 'upload', value: { name: 'three' } } },
          { content: { case: 'chunk', value: Buffer.from(csv(200)) } },
        ],
        { metadata: authorization() },
      ),
    );
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'quota-exceeded' });
    now += 60_000;
    for (const name of ['one', 'two']) await send('DELETE', `/v1/datasets/${name}`);
    expect((await upload('one', 10)).status).toBe(201);
  });

  it('of models: no job and no sweep is taken while they are full', async () => {
    const spec = { name: 'tiny', dataset: 'mnist', model: { type: 'dense', code: 1 } };
    const { registry } = await rest.tenants.of('acme');
    await registry.publish('large', {
      files: { ...scaling(4, 2, 1), 'weights.safetensors': new Uint8Array(100_000) },
      meta: metaOf('large'),
    });
    const answer = await send('POST', '/v1/jobs', spec);
    expect([answer.status, answer.headers.get('ratelimit-policy')]).toEqual([429, '"model-bytes";q=100000;qu="bytes"']);
    expect(answer.json).toMatchObject({ code: 'quota-exceeded', quota: 'model-bytes' });
    const search = { type: 'grid', parameters: { '/training/seed': [1, 2] } };
    expect((await send('POST', '/v1/sweeps', { job: spec, search })).status).toBe(429);
    const { name, dataset, model } = spec;
    expect(await failureOf(call(TrainingService.method.submitJob, { name, dataset, model }))).toMatchObject({
      code: 'quota-exceeded',
    });
    now += 60_000;
    expect((await send('DELETE', '/v1/models/large?force=true')).status).toBe(204);
    expect((await send('POST', '/v1/jobs', spec)).status).toBe(202);
  });
});
