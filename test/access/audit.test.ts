// Who changed what: every change over REST and gRPC leaves one entry, bound to its tenant, and a line in the log.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry, AuditPage } from '../../src/access/audit-entry.ts';
import { auditActions } from '../../src/access/audit-entry.ts';
import { AuditLog } from '../../src/access/audit-log.ts';
import { defaultCaller, scopes } from '../../src/base/caller.ts';
import { AccessService } from '../../src/gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { createLog } from '../../src/platform/log.ts';
import { RedisAudit } from '../../src/queue/redis-audit.ts';
import { failureOf } from '../gateway/grpc/client.ts';
import { startServer, type TestServer } from '../gateway/grpc/harness.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

let redis: TestRedis;
let doors: LockedDoors;
let rest: TestGateway;
let grpc: TestServer;
let operator: { readonly id: string; readonly authorization: string };
let acme: { readonly id: string; readonly authorization: string };
const lines: { audit?: Partial<AuditEntry>; msg: string }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  doors = await lockDoors({
    redisUrl: redis.url,
    log: createLog({ level: 'info', format: 'json', process: 'x', destination }),
  });
  const { access, keys, audit } = doors;
  rest = await startGateway({ access: doors });
  grpc = await startServer({ access, keys, audit, tenants: rest.tenants });
  const keyOf = async (tenant?: string) => {
    const { id, key } = await doors.make({ scopes: [...scopes], ...(tenant && { tenant }) });
    return { id, authorization: `Bearer ${key}` };
  };
  operator = await keyOf();
  acme = await keyOf('acme');
});
afterAll(async () => {
  await grpc?.stop();
  await rest?.stop();
  await doors?.stop();
  await redis?.stop();
});

const send = (method: string, target: string, body?: unknown, headers: Record<string, string> = {}) =>
  rest.rest.send(method, target, body, { authorization: operator.authorization, ...headers });
const call: TestServer['client']['call'] = (method, request) =>
  grpc.client.call(method, request, { metadata: { authorization: operator.authorization } });
const pageOf = async (query = '', who = operator): Promise<AuditPage> =>
  (await rest.rest.send('GET', `/v1/audit${query}`, undefined, { authorization: who.authorization })).json as AuditPage;

const spec = { name: 'waves', dataset: 'mnist', model: { type: 'dense', code: 2 } };
const search = { type: 'grid', parameters: { '/training/seed': [1, 2] } };
const csv = 'a,b\n1,2\n3,4\n5,6\n7,8\n';
const idOf = ({ json }: { json: unknown }): string => (json as { readonly id: string }).id;

/** Makes every change there is, and returns what each did: `job.submit jobs/ID`. */
const everyChange: Readonly<Record<'REST' | 'gRPC', () => Promise<string[]>>> = {
  async REST() {
    const job = idOf(await send('POST', '/v1/jobs', spec));
    await send('POST', '/v1/jobs?validate=only', spec);
    for (const verb of ['cancel', 'retry', 'cancel', 'resume', 'cancel']) await send('POST', `/v1/jobs/${job}/${verb}`);
    await send('DELETE', `/v1/jobs/${job}`);
    const sweep = idOf(await send('POST', '/v1/sweeps', { job: spec, search }));
    await send('POST', `/v1/sweeps/${sweep}/cancel`);
    await send('POST', '/v1/datasets?name=rest', csv, { 'content-type': 'text/csv' });
    await send('DELETE', '/v1/datasets/rest');
    await send('PUT', '/v1/models/digits/aliases/rest', { version: 1 });
    await send('DELETE', '/v1/models/digits/aliases/rest');
    await send('PUT', '/v1/models/digits/shared');
    await send('DELETE', '/v1/models/digits/shared');
    await send('POST', '/v2/repository/models/tiny/load', {});
    await send('POST', '/v2/repository/models/tiny/unload', {});
    await send('DELETE', '/v1/models/digits/versions/1');
    await send('DELETE', '/v1/models/digits');
    const key = idOf(await send('POST', '/v1/keys', { name: 'rest', scopes: ['infer', 'read'] }));
    const next = idOf(await send('POST', `/v1/keys/${key}/rotate`));
    await send('DELETE', `/v1/keys/${next}`);
    return expected('rest', job, sweep, 'digits', key, next);
  },
  async gRPC() {
    const { name, dataset, model } = spec;
    const { method: jobs } = TrainingService;
    const { id: job } = await call(jobs.submitJob, { name, dataset, model });
    await call(jobs.checkJob, { job: { name, dataset, model } });
    await call(jobs.cancelJob, { id: job });
    await call(jobs.retryJob, { id: job });
    await call(jobs.cancelJob, { id: job });
    await call(jobs.resumeJob, { id: job });
    await call(jobs.cancelJob, { id: job });
    await call(jobs.deleteJob, { id: job });
    const { id: sweep } = await call(SweepService.method.submitSweep, { job: spec, search });
    await call(SweepService.method.cancelSweep, { id: sweep });
    await grpc.client.upload(
      DatasetService.method.createDataset,
      [
        { content: { case: 'upload', value: { name: 'grpc' } } },
        { content: { case: 'chunk', value: Buffer.from(csv) } },
      ],
      { metadata: { authorization: operator.authorization } },
    );
    await call(DatasetService.method.deleteDataset, { name: 'grpc' });
    const { method: models } = RegistryService;
    await call(models.setAlias, { name: 'tiny', alias: 'grpc', version: 1 });
    await call(models.deleteAlias, { name: 'tiny', alias: 'grpc' });
    await call(models.shareModel, { name: 'tiny', shared: true });
    await call(models.shareModel, { name: 'tiny', shared: false });
    await call(GRPCInferenceService.method.repositoryModelLoad, { modelName: 'tiny' });
    await call(GRPCInferenceService.method.repositoryModelUnload, { modelName: 'tiny' });
    await call(models.deleteVersion, { name: 'tiny', version: 1, force: true });
    await failureOf(call(models.deleteModel, { name: 'tiny', force: true }));
    const { about } = await call(AccessService.method.createKey, { name: 'grpc', scopes: ['infer', 'read'] });
    const key = about?.id ?? '';
    const rotated = await call(AccessService.method.rotateKey, { id: key });
    const next = rotated.about?.id ?? '';
    await call(AccessService.method.revokeKey, { id: next });
    // A model without a version is not there to be deleted.
    return expected('grpc', job, sweep, 'tiny', key, next).filter((change) => !change.startsWith('model.delete'));
  },
};

const expected = (name: string, job: string, sweep: string, model: string, key: string, next: string): string[] => [
  `job.submit jobs/${job}`,
  ...['cancel', 'retry', 'cancel', 'resume', 'cancel', 'delete'].map((verb) => `job.${verb} jobs/${job}`),
  ...[`sweep.submit sweeps/${sweep}`, `sweep.cancel sweeps/${sweep}`],
  ...[`dataset.create datasets/${name}`, `dataset.delete datasets/${name}`],
  ...[`alias.set models/${model}/aliases/${name}`, `alias.delete models/${model}/aliases/${name}`],
  ...[`model.share models/${model}`, `model.unshare models/${model}`],
  ...['model.load models/tiny', 'model.unload models/tiny'],
  ...[`version.delete models/${model}/versions/1`, `model.delete models/${model}`],
  ...[`key.create keys/${key}`, `key.rotate keys/${key}`, `key.revoke keys/${next}`],
];

describe.each(['REST', 'gRPC'] as const)('every change over %s', (transport) => {
  it('leaves one entry and one line in the log, and nothing else does', async () => {
    const before = (await pageOf('?limit=1000')).entries.length;
    const linesBefore = lines.length;
    const done = await everyChange[transport]();
    await send('GET', '/v1/models');
    expect((await send('DELETE', '/v1/models/nobody')).status).toBe(404);
    const { entries } = await pageOf('?limit=1000');
    const news = entries.slice(0, entries.length - before).reverse();
    expect(news.map(({ action, target }) => `${action} ${target}`)).toEqual(done);
    for (const entry of news) {
      expect(entry).toMatchObject({
        caller: `key:${operator.id}`,
        tenant: 'default',
        outcome: 'done',
        address: '127.0.0.1',
      });
      expect(entry.transport).toBe(transport === 'REST' ? 'rest' : 'grpc');
    }
    const find = (action: string) => news.find((entry) => entry.action === action)?.details;
    expect(find('alias.set')).toEqual({ version: '1' });
    expect(find('job.submit')).toEqual({ name: 'waves', dataset: 'mnist' });
    expect(find('key.create')).toMatchObject({ tenant: 'default', scopes: 'infer,read' });
    const logged = lines.slice(linesBefore).flatMap(({ audit }) => (audit ? [`${audit.action} ${audit.target}`] : []));
    expect(logged).toEqual(done);
  });
});

it('knows no action that no call makes', async () => {
  const actions = new Set((await pageOf('?limit=1000')).entries.map(({ action }) => action));
  expect([...actions].sort()).toEqual(Object.keys(auditActions).sort());
});

it('comes in pages over both transports, newest first, none twice', async () => {
  const all = (await pageOf('?limit=1000')).entries.map(({ id }) => id);
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page: AuditPage = await pageOf(`?limit=7${cursor ? `&cursor=${cursor}` : ''}`);
    found.push(...page.entries.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(found).toEqual(all);
  const first = await call(AccessService.method.listAuditEntries, { limit: 2 });
  expect(first.entries.map(({ id }) => id)).toEqual(all.slice(0, 2));
  const second = await call(AccessService.method.listAuditEntries, { limit: 2, cursor: first.nextCursor });
  expect(second.entries.map(({ id }) => id)).toEqual(all.slice(2, 4));
  expect(second.entries[0]).toMatchObject({ caller: `key:${operator.id}`, tenant: 'default', outcome: 'done' });
  // Ids that Redis has never given, some of which it does not take.
  for (const [cursor, count] of [
    ['0-0', 0],
    ['18446744073709551615-18446744073709551615', all.length],
    ['99999999999999999999-99999999999999999999', all.length],
  ] as const) {
    expect((await pageOf(`?limit=1000&cursor=${cursor}`)).entries).toHaveLength(count);
    const answer = await call(AccessService.method.listAuditEntries, { limit: 1000, cursor });
    expect(answer.entries).toHaveLength(count);
  }
  for (const query of ['?limit=0', '?limit=1001', '?cursor=x', '?page=2']) {
    expect([400, 422]).toContain((await send('GET', `/v1/audit${query}`)).status);
  }
});

it('shows a tenant its own changes, and those that the operator makes to its keys', async () => {
  const { status } = await rest.rest.send('POST', '/v1/datasets?name=theirs', csv, {
    authorization: acme.authorization,
    'content-type': 'text/csv',
  });
  expect(status).toBe(201);
  await send('POST', '/v1/keys', { name: 'for acme', scopes: ['read'], tenant: 'acme' });
  const own = await pageOf('', acme);
  expect(own.entries.map(({ action, caller, tenant }) => [action, caller, tenant])).toEqual([
    ['key.create', `key:${operator.id}`, 'default'],
    ['dataset.create', `key:${acme.id}`, 'acme'],
  ]);
  expect(await pageOf('?tenant=acme')).toEqual(own);
  expect((await pageOf('?limit=2')).entries.map(({ action }) => action)).toContain('key.create');
  const other = await rest.rest.send('GET', '/v1/audit?tenant=default', undefined, {
    authorization: acme.authorization,
  });
  expect([other.status, other.json]).toEqual([403, expect.objectContaining({ code: 'forbidden' })]);
});

it('is told by its caller, target and time while Redis is away, and stored when it is back', async () => {
  const own = await startRedis();
  const storage = await RedisAudit.open({ url: own.url, prefix: 'test', timeoutMs: 300, keepEntries: 100 }, doorsLog());
  const audit = new AuditLog(storage, doorsLog());
  await own.kill();
  const at = new Date(0).toISOString();
  const entry = { at, caller: 'key:1', tenant: 'acme', target: 'models/a', requestId: 'r', transport: 'rest' } as const;
  audit.record({ ...entry, action: 'model.delete', outcome: 'done' });
  audit.record({ ...entry, action: 'model.share', outcome: 'unknown' });
  await own.start();
  await expect
    .poll(async () => (await audit.list({ ...defaultCaller, tenant: 'acme' }, {}).catch(() => undefined))?.entries, {
      timeout: 20_000,
    })
    .toMatchObject([
      { action: 'model.share', outcome: 'unknown' },
      { action: 'model.delete', outcome: 'done', at },
    ]);
  // The list has a bound: Redis drops whole nodes of a hundred entries or so.
  for (let i = 0; i < 1000; i++) audit.record({ ...entry, action: 'model.load', outcome: 'done' });
  const { entries } = await audit.list({ ...defaultCaller, tenant: 'acme' }, { limit: 1000 });
  expect(entries.length).toBeGreaterThanOrEqual(100);
  expect(entries.length).toBeLessThan(400);
  await audit.close();
  storage.close();
  await own.stop();
});

const doorsLog = () => createLog({ level: 'silent', format: 'json', process: 'x' });
