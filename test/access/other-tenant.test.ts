// The column "other tenant" of the matrix, generated from openapi.yaml and the protos: what belongs to one tenant is for another
// as if it did not exist, with the same answer to the letter, whatever is asked of it; lists show nothing of it; and nothing
// that the other one sends changes it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { create, type DescMethod, type DescService, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scopes } from '../../src/base/caller.ts';
import { AccessService } from '../../src/gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { startServer, type TestServer } from '../gateway/grpc/harness.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { headed, scaling } from '../helpers/onnx-models.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { metaOf } from '../serve/serving.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

/** Names of one tenant's things, and of things as long that nobody has. */
interface Things {
  readonly model: string;
  readonly dataset: string;
  readonly job: string;
  readonly sweep: string;
  readonly key: string;
}

const absent: Things = {
  model: 'nope',
  dataset: 'never-there',
  job: '01jzzzzzzzzzzzzzzzzzzzzzzz',
  sweep: '01jyyyyyyyyyyyyyyyyyyyyyyy',
  key: '0123456789abcdef',
};

const secret = 'secret-sets';
const model = 'qzmx';

let redis: TestRedis;
let doors: LockedDoors;
let rest: TestGateway;
let grpc: TestServer;
let client: Client;
let theirs: Things;
let owner: string;
let other: string;

beforeAll(async () => {
  redis = await startRedis();
  doors = await lockDoors({ redisUrl: redis.url });
  const { access, keys, audit } = doors;
  rest = await startGateway({ access: { access, keys, audit } });
  grpc = await startServer({ access, keys, audit, tenants: rest.tenants, readiness: { isReady: async () => true } });
  client = new Client(`127.0.0.1:${grpc.port}`, credentials.createInsecure());
  const mine = await doors.make({ tenant: 'globex', scopes: [...scopes] });
  owner = `Bearer ${mine.key}`;
  other = `Bearer ${(await doors.make({ tenant: 'acme', scopes: [...scopes] })).key}`;
  const { registry } = await rest.tenants.of('globex');
  const operations: Manifest['operations'] = ['encode', 'decode', 'denoise', 'reconstruct', 'classify', 'generate'];
  const meta = metaOf('theirs', { operations, classes: ['low', 'high'] });
  await registry.publish(model, { files: { ...scaling(4, 2, 1), ...headed(4, 2) }, meta });
  await registry.setAlias(model, 'stable', 1);
  const csv = new TextEncoder().encode('a,b\n1,2\n3,4\n5,6\n7,8\n');
  const upload = await send('POST', `/v1/datasets?name=${secret}`, owner, csv, { 'content-type': 'text/csv' });
  expect(upload.status).toBe(201);
  const submit = async (url: string, body: unknown) =>
    ((await send('POST', url, owner, body)).json as { readonly id: string }).id;
  const spec = { name: 'hidden', dataset: secret, model: { type: 'dense', code: 1 } };
  const job = await submit('/v1/jobs', spec);
  const search = { type: 'grid', parameters: { '/training/seed': [1, 2] } };
  const sweep = await submit('/v1/sweeps', { job: spec, search });
  theirs = { model, dataset: secret, job, sweep, key: mine.id };
});
afterAll(async () => {
  client?.close();
  await grpc?.stop();
  await rest?.stop();
  await doors?.stop();
  await redis?.stop();
});

const requestId = 'the-same-one';

const send = (method: string, target: string, authorization: string, body?: unknown, headers = {}) =>
  rest.rest.send(method, target, body, { authorization, 'x-request-id': requestId, ...headers });

/** Without the names that the caller has sent. */
function neutral(text: string, things: Things): string {
  return Object.entries(things).reduce((rest, [kind, name]) => rest.replaceAll(name, `{${kind}}`), text);
}

const tensor = { shape: [1, 4], values: [0, 0, 0, 0] };

describe('REST', () => {
  interface Operation {
    readonly security?: unknown;
  }
  const contract = parse(readFileSync(path.resolve(import.meta.dirname, '../../openapi.yaml'), 'utf8')) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const guarded = Object.entries(contract.paths).flatMap(([url, operations]) =>
    Object.entries(operations)
      .filter(([, { security }]) => security !== undefined)
      .map(([method]) => ({ method: method.toUpperCase(), url })),
  );
  const naming = guarded.filter(({ url }) => url.includes('{'));

  /** Bodies with which the owner would be answered. */
  function bodyOf(method: string, url: string): unknown {
    if (method === 'PUT') return url.endsWith('/shared') ? undefined : { version: 1 };
    if (method !== 'POST') return undefined;
    const last = url.slice(url.lastIndexOf('/') + 1);
    const input = { name: 'inputs', datatype: 'FP32', shape: [1, 4], data: [0, 0, 0, 0] };
    if (last === 'infer') return { inputs: [input] };
    if (last === 'decode') return { codes: [[0, 0]] };
    if (last === 'generate') return { count: 1 };
    if (last === 'recommend') return { ratings: [] };
    if (last === 'analyse') return { texts: ['words'] };
    if (last === 'translate') return { sources: ['word'] };
    if (last === 'series') return { series: [[1, 2]] };
    if (['encode', 'denoise', 'reconstruct', 'classify'].includes(last)) return { inputs: [[0, 0, 0, 0]] };
    if (['{model}', '{version}', '{label}'].includes(last)) return { instances: [[0, 0, 0, 0]] };
    return last === 'rotate' || last === 'load' || last === 'unload' ? {} : undefined;
  }

  function targetOf(method: string, url: string, things: Things): string {
    const [, , kind] = url.split('/');
    const id = kind === 'jobs' ? things.job : kind === 'sweeps' ? things.sweep : things.key;
    const named = {
      model: things.model,
      name: things.dataset,
      id,
      version: '1',
      label: 'stable',
      alias: 'stable',
      file: 'encoder.onnx',
    };
    const target = url.replace(/\{(\w+)\}/g, (_, name: keyof typeof named) => named[name]);
    return method === 'POST' && /\{\w+\}$/.test(url) ? `${target}:predict` : target;
  }

  const ask = async (method: string, url: string, things: Things, authorization = other) => {
    const answer = await send(method, targetOf(method, url, things), authorization, bodyOf(method, url));
    const headers = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'content-length');
    return { status: answer.status, headers, body: neutral(answer.bytes.toString(), things) };
  };

  it('answers of each thing of another tenant as of one that does not exist', async () => {
    const wrong: string[] = [];
    for (const { method, url } of naming) {
      // Both of a kind in the same state: the second load of a model that is not there fails as the first one.
      const answer = await ask(method, url, theirs);
      const ofNothing = await ask(method, url, absent);
      // That only the tenant `default` shares is said before anything is looked for.
      if (answer.status !== (url.endsWith('/shared') ? 403 : 404))
        wrong.push(`${method} ${url}: ${answer.status} ${answer.body.slice(0, 200)}`);
      if (JSON.stringify(answer) !== JSON.stringify(ofNothing))
        wrong.push(`${method} ${url}: ${JSON.stringify(answer)} is not ${JSON.stringify(ofNothing)}`);
    }
    expect(wrong).toEqual([]);
    expect(naming.length).toBeGreaterThan(40);
  });

  it('shows nothing of another tenant where no thing is named', async () => {
    const wrong: string[] = [];
    for (const { method, url } of guarded.filter(({ url }) => !url.includes('{'))) {
      const body =
        method === 'POST'
          ? { inputs: [[0, 0, 0, 0]], name: 'x', dataset: secret, model: { type: 'dense' } }
          : undefined;
      const answer = await send(method, url, other, body);
      const told = [...Object.values(theirs)].filter((name) => answer.bytes.toString().includes(name));
      // Only the name of the data set was sent, and comes back in the refusal.
      if (told.some((name) => name !== secret) || (told.length > 0 && answer.status !== 404 && answer.status !== 400))
        wrong.push(`${method} ${url}: ${answer.status} ${answer.bytes.toString().slice(0, 300)}`);
    }
    expect(wrong).toEqual([]);
  });

  it('finds the decoder of a frame among the models of its own tenant alone', async () => {
    const frame = new Uint8Array(64);
    const sent = (authorization: string) =>
      send('POST', '/decode', authorization, frame, { 'content-type': 'application/vnd.hourglass.frame' });
    expect((await sent(other)).json).toEqual((await sent(owner)).json);
  });

  it('lets each tenant use the names and idempotency keys of the other for its own', async () => {
    const csv = 'a,b\n9,9\n8,8\n7,7\n6,6\n';
    const answer = await send('POST', `/v1/datasets?name=${secret}`, other, csv, { 'content-type': 'text/csv' });
    expect(answer.status).toBe(201);
    const job = { name: 'hidden', dataset: secret, model: { type: 'dense', code: 1 } };
    const key = { 'idempotency-key': 'the same' };
    const [first, second] = [
      await send('POST', '/v1/jobs', owner, job, key),
      await send('POST', '/v1/jobs', other, job, key),
    ];
    expect([first.status, second.status]).toEqual([202, 202]);
    expect((first.json as { id: string }).id).not.toBe((second.json as { id: string }).id);
    const { jobs } = (await send('GET', '/v1/jobs', other)).json as { jobs: { id: string }[] };
    expect(jobs.map(({ id }) => id)).toEqual([(second.json as { id: string }).id]);
    // A job of the other one does not keep this one from deleting its set of that name.
    await send('POST', `/v1/jobs/${(second.json as { id: string }).id}/cancel`, other);
    expect((await send('DELETE', `/v1/datasets/${secret}`, other)).status).toBe(204);
    expect((await send('DELETE', `/v1/datasets/${secret}`, owner)).status).toBe(409);
  });

  it('has changed nothing of the owner', async () => {
    const { json } = await send('GET', `/v1/models/${model}`, owner);
    expect(json).toMatchObject({ name: model, aliases: { stable: 1 } });
    expect((await send('GET', `/v1/jobs/${theirs.job}`, owner)).json).toMatchObject({ state: 'queued' });
    expect((await send('GET', `/v1/sweeps/${theirs.sweep}`, owner)).status).toBe(200);
    expect((await send('GET', `/v1/keys/${theirs.key}`, owner)).status).toBe(200);
    expect((await send('GET', `/v1/datasets/${secret}`, owner)).status).toBe(200);
  });

  it('tells the operator of no names of tenants in metrics', async () => {
    const text = JSON.stringify(await rest.metrics.snapshot());
    for (const name of [...Object.values(theirs), 'globex', 'acme']) expect(text).not.toContain(name);
  });
});

describe('gRPC', () => {
  const services: readonly DescService[] = [
    ...[TrainingService, SweepService, InferenceService, RegistryService, DatasetService, AccessService],
    GRPCInferenceService,
  ];

  /** What a request of this service may name; fields that a message does not have are left out. */
  function fieldsOf(service: DescService, things: Things): JsonObject {
    switch (service) {
      case TrainingService:
        return { id: things.job };
      case SweepService:
        return { id: things.sweep };
      case AccessService:
        return { id: things.key };
      case DatasetService:
        return { name: things.dataset };
      case RegistryService:
        return { name: things.model, version: 1, alias: 'stable', path: 'encoder.onnx' };
      case InferenceService:
        return { model: things.model, inputs: tensor, codes: { shape: [1, 2], values: [0, 0] } };
      default: {
        const input = { name: 'inputs', datatype: 'FP32', shape: ['1', '4'], contents: { fp32Contents: [0, 0, 0, 0] } };
        return { name: things.model, modelName: things.model, inputs: [input] };
      }
    }
  }

  /** Whether a request of this method says which thing is meant. */
  function names({ input, parent }: DescMethod): boolean {
    const fields = input.fields.map(({ localName }) => localName);
    if (parent === InferenceService) return fields.includes('model') && !fields.includes('frame');
    const isNew = ['CreateKeyRequest', 'SubmitJobRequest'].includes(input.name);
    return !isNew && fields.some((name) => ['id', 'name', 'modelName'].includes(name));
  }

  async function call(method: DescMethod, things: Things): Promise<{ code: number; text: string }> {
    const { input, parent } = method;
    const metadata = new Metadata();
    metadata.set('authorization', other);
    metadata.set('x-request-id', requestId);
    const known = new Set(input.fields.map(({ jsonName }) => jsonName));
    const fields = Object.entries(fieldsOf(parent, things)).filter(([name]) => known.has(name));
    const message = fromJson(input, Object.fromEntries(fields));
    const bytes = Buffer.from(toBinary(input, create(input, message)));
    return new Promise((resolve) => {
      const same = (buffer: Buffer): Buffer => buffer;
      const url = `/${parent.typeName}/${method.name}`;
      const stream = client.makeBidiStreamRequest(url, same, same, metadata, { deadline: Date.now() + 10_000 });
      const parts: string[] = [];
      stream.on('data', (answer: Buffer) => parts.push(answer.toString('latin1')));
      stream.on('error', () => undefined);
      stream.on('status', ({ code, details, metadata: trailers }) => {
        const about = trailers.get('grpc-status-details-bin').map((value) => (value as Buffer).toString('latin1'));
        resolve({ code, text: neutral([...parts, details, ...about].join('\n'), things) });
      });
      stream.end(bytes);
    });
  }

  it('answers of each thing of another tenant as of one that does not exist, and shows nothing elsewhere', async () => {
    const wrong: string[] = [];
    let named = 0;
    for (const method of services.flatMap(({ methods }) => methods)) {
      const answer = await call(method, theirs);
      if (!names(method)) {
        const told = Object.values(theirs).filter((name) => answer.text.includes(name));
        if (told.length > 0) wrong.push(`${method.name} tells ${told.join(', ')}`);
        continue;
      }
      named++;
      const ofNothing = await call(method, absent);
      const expected = { ModelStreamInfer: status.OK, ShareModel: status.PERMISSION_DENIED };
      if (answer.code !== (expected[method.name as keyof typeof expected] ?? status.NOT_FOUND))
        wrong.push(`${method.parent.name}/${method.name}: ${status[answer.code]} ${answer.text}`);
      if (JSON.stringify(answer) !== JSON.stringify(ofNothing))
        wrong.push(
          `${method.parent.name}/${method.name}: ${JSON.stringify(answer)} is not ${JSON.stringify(ofNothing)}`,
        );
    }
    expect(wrong).toEqual([]);
    expect(named).toBeGreaterThan(30);
  });
});

describe('a shared model', () => {
  const share = (method: 'PUT' | 'DELETE', name: string, authorization: string) =>
    send(method, `/v1/models/${name}/shared`, authorization);
  const operator = async (): Promise<string> => `Bearer ${(await doors.make({ scopes: [...scopes] })).key}`;

  it('is read and asked by all, and changed by its owner alone', async () => {
    const admin = await operator();
    const encode = () => send('POST', '/v1/models/tiny/encode', other, { inputs: [[0, 0, 0, 0]] });
    expect((await encode()).status).toBe(404);
    expect((await share('PUT', 'tiny', admin)).json).toMatchObject({ name: 'tiny', isShared: true });
    expect((await encode()).json).toMatchObject({ model: 'tiny', version: 1 });
    const { models } = (await send('GET', '/v1/models', other)).json as { models: { name: string }[] };
    expect(models.map(({ name }) => name)).toEqual(['tiny']);
    const file = '/v1/models/tiny/versions/1/files/encoder.onnx';
    expect((await send('GET', file, other)).bytes).toEqual((await send('GET', file, admin)).bytes);
    for (const [method, target, body] of [
      ['DELETE', '/v1/models/tiny?force=true'],
      ['DELETE', '/v1/models/tiny/versions/1?force=true'],
      ['PUT', '/v1/models/tiny/aliases/stable', { version: 1 }],
      ['DELETE', '/v1/models/tiny/aliases/stable'],
    ] as const) {
      const answer = await send(method, target, other, body);
      expect([target, answer.status, (answer.json as { code: string }).code]).toEqual([target, 409, 'model-read-only']);
    }
    expect((await share('DELETE', 'tiny', admin)).status).toBe(204);
    expect((await encode()).status).toBe(404);
  });

  it('gives way to a model of the same name that a tenant has itself', async () => {
    const admin = await operator();
    const { registry } = await rest.tenants.of('acme');
    await share('PUT', 'digits', admin);
    expect((await send('GET', '/v1/models/digits', other)).json).toMatchObject({ isShared: true });
    const meta = metaOf('own', { inputShape: [2, 2, 1], codeShape: [2] });
    await registry.publish('digits', { files: { ...scaling(4, 2, 3) }, meta });
    const answer = await send('POST', '/v1/models/digits/encode', other, { inputs: [[0, 0, 0, 0]] });
    expect(answer.json).toMatchObject({ model: 'digits', version: 1 });
    expect((await send('POST', '/v1/models/digits/encode', admin, { inputs: [[0, 0, 0, 0]] })).status).toBe(422);
    await share('DELETE', 'digits', admin);
  });

  it('is shared by the tenant default alone', async () => {
    expect((await share('PUT', model, owner)).json).toMatchObject({ code: 'forbidden' });
  });
});
