// The services on real parts: a queue on a real redis-server, a registry and data sets in real folders.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatasetStore } from '../../../src/data/store.ts';
import { DatasetRole, DatasetService } from '../../../src/gen/hourglass/v1/dataset_pb.ts';
import { Operation, RegistryService } from '../../../src/gen/hourglass/v1/registry_pb.ts';
import { type JobEvent, JobState, TrainingService } from '../../../src/gen/hourglass/v1/training_pb.ts';
import type { RedisJobQueue } from '../../../src/queue/redis-job-queue.ts';
import { Registry } from '../../../src/registry/registry.ts';
import { FolderBlobs } from '../../../src/store/folder/blobs.ts';
import { FolderDatasets } from '../../../src/store/folder/datasets.ts';
import { startRedis, type TestRedis } from '../../helpers/redis.ts';
import { openQueue } from '../../queue/fixtures.ts';
import { publicationOf } from '../../registry/publications.ts';
import { failureOf } from './client.ts';
import { startServer, type TestServer } from './harness.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-grpc-'));
let redis: TestRedis;
let queue: RedisJobQueue;
let registry: Registry;
let running: TestServer;

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'models')));
  const datasets = createDatasetStore({ files: new FolderDatasets(path.join(folder, 'datasets')) });
  running = await startServer({ queue, registry, datasets });
});

afterAll(async () => {
  await running.stop();
  await queue.close();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('TrainingService', () => {
  const { submitJob, getJob, listJobs, watchJob, cancelJob, retryJob, resumeJob, deleteJob } = TrainingService.method;
  const submission = { name: 'digits', dataset: 'mnist', model: { type: 'dense', code: 8 }, training: { epochs: 2 } };
  const eventsOf = async (id: string, lastEventId = ''): Promise<JobEvent[]> => {
    const events: JobEvent[] = [];
    for await (const event of running.client.stream(watchJob, { id, lastEventId })) events.push(event);
    return events;
  };

  it('queues a job with every default filled in', async () => {
    const job = await running.client.call(submitJob, submission);
    expect(job).toMatchObject({ state: JobState.QUEUED, attempts: 0, warnings: [] });
    expect(job.spec?.model).toMatchObject({ type: 'dense', code: 8, hidden: [128], loss: 'bce' });
    expect(job.spec?.training).toMatchObject({ epochs: 2, batchSize: 128, optimizer: { type: 'adam' } });
    expect(Math.abs(Number(job.createdAt?.seconds) * 1000 - Date.now())).toBeLessThan(60_000);
    expect(await running.client.call(getJob, { id: job.id })).toEqual(job);
  });

  it('follows a job to its end, and resumes after the last event seen', async () => {
    const { id } = await running.client.call(submitJob, submission);
    const watching = eventsOf(id);
    const cancelled = await running.client.call(cancelJob, { id });
    expect(cancelled.state).toBe(JobState.CANCELLED);
    expect((await running.client.call(cancelJob, { id })).state).toBe(JobState.CANCELLED);
    const events = await watching;
    expect(events.map(({ event }) => event.case)).toEqual(['state', 'state', 'end']);
    expect(events[0]?.event.value).toBe(JobState.QUEUED);
    expect(events.at(-1)?.event.value).toMatchObject({ id, state: JobState.CANCELLED });
    expect(await eventsOf(id, events[1]?.id)).toEqual(events.slice(2));
  });

  it('queues a cancelled job again, and forgets one', async () => {
    const { id } = await running.client.call(submitJob, submission);
    expect(await failureOf(running.client.call(deleteJob, { id }))).toMatchObject({ code: 'job-not-finished' });
    expect(await failureOf(running.client.call(retryJob, { id }))).toMatchObject({ code: 'job-not-finished' });
    await running.client.call(cancelJob, { id });
    expect((await running.client.call(retryJob, { id })).state).toBe(JobState.QUEUED);
    await running.client.call(cancelJob, { id });
    expect((await running.client.call(resumeJob, { id })).state).toBe(JobState.QUEUED);
    await running.client.call(cancelJob, { id });
    await running.client.call(deleteJob, { id });
    expect(await failureOf(running.client.call(getJob, { id }))).toMatchObject({
      status: 'NOT_FOUND',
      code: 'job-not-found',
    });
  });

  it('lists jobs newest first, by state, page by page', async () => {
    const [first, second] = [
      await running.client.call(submitJob, { ...submission, name: 'one' }),
      await running.client.call(submitJob, { ...submission, name: 'two' }),
    ];
    const page = await running.client.call(listJobs, { limit: 1 });
    expect(page.jobs.map(({ id }) => id)).toEqual([second.id]);
    const next = await running.client.call(listJobs, { limit: 1, cursor: page.nextCursor });
    expect(next.jobs.map(({ id }) => id)).toEqual([first.id]);
    const cancelled = await running.client.call(listJobs, { state: JobState.CANCELLED });
    expect(cancelled.jobs.length).toBeGreaterThan(0);
    expect(cancelled.jobs.every(({ state }) => state === JobState.CANCELLED)).toBe(true);
    expect(await failureOf(running.client.call(listJobs, { state: 99 as JobState }))).toMatchObject({
      code: 'invalid-request',
    });
  });

  it('answers the same key with the same job', async () => {
    const keyed = { ...submission, idempotencyKey: 'k-1' };
    const first = await running.client.call(submitJob, keyed);
    expect((await running.client.call(submitJob, keyed)).id).toBe(first.id);
    expect(await failureOf(running.client.call(submitJob, { ...keyed, name: 'other' }))).toMatchObject({
      status: 'FAILED_PRECONDITION',
      code: 'idempotency-key-reused',
    });
  });
});

describe('RegistryService', () => {
  const { listModels, getModel, getVersion, setAlias, deleteAlias, deleteVersion, deleteModel, getFile } =
    RegistryService.method;
  const big = Buffer.alloc(600_000, 'onnx');

  it('shows models, versions and files', async () => {
    const { files, meta } = publicationOf();
    await registry.publish('faces', { files, meta });
    await registry.publish('faces', { files: { ...files, 'decoder.onnx': big }, meta: publicationOf().meta });
    const { models } = await running.client.call(listModels, {});
    expect(models.map(({ name }) => name)).toEqual(['faces']);
    const model = await running.client.call(getModel, { name: 'faces' });
    expect(model).toEqual(models[0]);
    expect(model.versions.map(({ version }) => version)).toEqual([1, 2]);
    const version = await running.client.call(getVersion, { name: 'faces', version: 1 });
    expect(version).toEqual(model.versions[0]);
    expect(version).toMatchObject({
      operations: [Operation.ENCODE, Operation.DECODE],
      inputShape: [28, 28, 1],
      codeShape: [32],
      inputRange: [0, 1],
      metrics: { 'test.mse': 0.01 },
      lineage: { jobId: meta.lineage.jobId, spec: { model: { type: 'dense' } }, seed: 1, datasetName: 'mnist' },
    });
  });

  it('streams a file in chunks, its size and checksum first', async () => {
    const chunks: Uint8Array[] = [];
    let size = 0n;
    for await (const { file, chunk } of running.client.stream(getFile, {
      name: 'faces',
      version: 2,
      path: 'decoder.onnx',
    })) {
      if (file) size = file.bytes;
      chunks.push(chunk);
    }
    expect(size).toBe(BigInt(big.length));
    expect(chunks.length).toBeGreaterThan(3);
    expect(Buffer.concat(chunks).equals(big)).toBe(true);
    const missing = running.client.stream(getFile, { name: 'faces', version: 2, path: '../../../etc/passwd' });
    expect(await failureOf(missing.next())).toMatchObject({ status: 'NOT_FOUND', code: 'file-not-found' });
  });

  it('moves aliases and deletes', async () => {
    const { client } = running;
    const model = await client.call(setAlias, { name: 'faces', alias: 'stable', version: 1 });
    expect(model.aliases).toEqual({ stable: 1 });
    const inUse = await failureOf(client.call(deleteVersion, { name: 'faces', version: 1 }));
    expect(inUse).toMatchObject({ status: 'FAILED_PRECONDITION', code: 'version-in-use' });
    await client.call(deleteAlias, { name: 'faces', alias: 'stable' });
    await client.call(deleteVersion, { name: 'faces', version: 1 });
    expect((await client.call(getModel, { name: 'faces' })).versions.map(({ version }) => version)).toEqual([2]);
    await client.call(deleteModel, { name: 'faces' });
    expect(await failureOf(client.call(getModel, { name: 'faces' }))).toMatchObject({ code: 'model-not-found' });
  });
});

describe('DatasetService', () => {
  const { listDatasets, getDataset, createDataset, deleteDataset } = DatasetService.method;
  const table = Buffer.from(Array.from({ length: 20 }, (_, i) => `${i / 20},${i % 3},0.5\n`).join(''));
  const upload = (name: string, options = {}) => ({ content: { case: 'upload' as const, value: { name, options } } });
  const part = (role: DatasetRole, fileName: string) => ({
    content: { case: 'part' as const, value: { role, fileName } },
  });
  const chunk = (value: Uint8Array) => ({ content: { case: 'chunk' as const, value } });

  it('takes a file in chunks', async () => {
    const messages = [
      upload('table', { testFraction: 0.25 }),
      part(DatasetRole.ROWS, 'table.csv'),
      chunk(table.subarray(0, 50)),
      chunk(table.subarray(50)),
    ];
    const info = await running.client.upload(createDataset, messages);
    expect(info).toMatchObject({ name: 'table', shape: [3], rows: { train: 15, test: 5 }, builtIn: false });
    expect(await running.client.call(getDataset, { name: 'table' })).toEqual(info);
    const { datasets } = await running.client.call(listDatasets, {});
    expect(datasets.map(({ name }) => name)).toContain('table');
    const again = await failureOf(running.client.upload(createDataset, messages));
    expect(again).toMatchObject({ status: 'ALREADY_EXISTS', code: 'dataset-exists' });
    await running.client.call(deleteDataset, { name: 'table' });
    expect(await failureOf(running.client.call(getDataset, { name: 'table' }))).toMatchObject({
      code: 'dataset-not-found',
    });
  });

  it.each([
    ['nothing', [], 'invalid-request', 'begin'],
    ['no head', [chunk(table)], 'invalid-request', 'begin'],
    ['two heads', [upload('a'), upload('b')], 'invalid-request', 'out of place'],
    ['no name', [{ content: { case: 'upload' as const, value: {} } }, chunk(table)], 'invalid-request', 'name'],
    ['a bad name', [upload('../x'), chunk(table)], 'invalid-request', 'name'],
    ['an unknown option', [upload('a', { colour: 'red' }), chunk(table)], 'unknown-field', 'colour'],
    ['a bad option', [upload('a', { testFraction: 2 }), chunk(table)], 'invalid-request', 'testFraction'],
    ['an unknown role', [upload('a'), part(9 as DatasetRole, 'x'), chunk(table)], 'invalid-request', 'role 9'],
    ['not a data set', [upload('a'), chunk(Buffer.from('GIF89a\0\0\0\0'))], 'unsupported-dataset', ''],
    [
      'a bad value',
      [upload('a'), part(DatasetRole.ROWS, 'x.csv'), chunk(Buffer.from('1,2\n3,x\n'))],
      'invalid-dataset',
      'is "x"',
    ],
  ])('%s is refused', async (_, messages, code, text) => {
    const failure = await failureOf(running.client.upload(createDataset, messages));
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code });
    expect(failure.text).toContain(text);
  });

  it('leaves nothing behind when the client goes away', async () => {
    const gone = new AbortController();
    async function* endless() {
      yield upload('half');
      for (let i = 0; ; i++) {
        if (i === 5) gone.abort();
        yield chunk(table);
      }
    }
    const failure = await failureOf(running.client.upload(createDataset, endless(), { signal: gone.signal }));
    expect(failure.status).toBe('CANCELLED');
    const { datasets } = await running.client.call(listDatasets, {});
    expect(datasets.map(({ name }) => name)).not.toContain('half');
  });
});
