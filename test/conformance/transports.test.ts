// One suite for both transports: the same question gets the same answer.
import { setTimeout as sleep } from 'node:timers/promises';
import { type JsonValue, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image.ts';
import { DatasetSchema, DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService, OutputFormat, type TensorSchema } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { ModelSchema, RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { type Sweep, SweepSchema, SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import {
  type Job,
  type JobEvent,
  JobEventSchema,
  JobSchema,
  TrainingService,
} from '../../src/gen/hourglass/v1/training_pb.ts';
import { metaOf, times } from '../serve/serving.ts';
import { type Both, startBoth } from './both.ts';

let both: Both;
beforeAll(async () => {
  both = await startBoth();
  await both.registry.publish('digits', { files: { ...times(2) }, meta: metaOf('job-1') });
  await both.registry.publish('digits', { files: { ...times(3) }, meta: metaOf('job-2') });
  await both.registry.setAlias('digits', 'stable', 1);
});
afterAll(() => both.stop());

/** A message as REST would write it: enums by their name, times with milliseconds, defaults left in. */
function plain(value: JsonValue): JsonValue {
  if (typeof value === 'string') {
    const name = /^(?:JOB_STATE|OPERATION)_(\w+)$/.exec(value)?.[1];
    if (name) return name.toLowerCase();
    return /^\d{4}-\d\d-\d\dT.*Z$/.test(value) ? new Date(value).toISOString() : value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

const jobOf = (job: Job): unknown => ({ warnings: [], attempts: 0, ...(plain(toJson(JobSchema, job)) as object) });

const eventOf = (event: JobEvent) => {
  const { id, ...rest } = plain(toJson(JobEventSchema, event)) as Record<string, JsonValue>;
  const [type, data] = Object.entries(rest)[0] ?? [];
  if (event.event.case === 'end') return { id, type, data: jobOf(event.event.value) };
  return { id, type, data: type === 'state' ? { state: data } : data };
};

async function restEvents(id: string, lastEventId?: string) {
  const answer = await both.rest.send(
    'GET',
    `/v1/jobs/${id}/events`,
    undefined,
    lastEventId ? { 'last-event-id': lastEventId } : {},
  );
  return answer.bytes
    .toString()
    .split('\n\n')
    .filter((frame) => frame.includes('data:'))
    .map((frame) => {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(frame)?.[1] ?? '';
      return { id: field('id'), type: field('event'), data: JSON.parse(field('data')) };
    });
}

describe('jobs', () => {
  const { submitJob, getJob, listJobs, watchJob, cancelJob } = TrainingService.method;
  const submission = {
    name: 'digits',
    dataset: 'mnist',
    model: { type: 'denoising', code: 16, corruption: { type: 'masking' } },
    training: { epochs: 2, optimizer: { type: 'sgd' } },
  };
  const grpcEvents = async (id: string, lastEventId = '') => {
    const events = [];
    for await (const event of both.grpc.stream(watchJob, { id, lastEventId })) events.push(eventOf(event));
    return events;
  };

  it('are resolved alike, whichever way they come', async () => {
    const rest = (await both.rest.send('POST', '/v1/jobs', submission)).json as Record<string, unknown>;
    const grpc = jobOf(await both.grpc.call(submitJob, submission)) as Record<string, unknown>;
    expect(grpc).toEqual({ ...rest, id: grpc.id, createdAt: grpc.createdAt });
    expect(rest.spec).toMatchObject({ model: { corruption: { probability: 0.5 } } });
    for (const { id } of [rest, grpc] as { id: string }[]) {
      expect(jobOf(await both.grpc.call(getJob, { id }))).toEqual(await both.rest.get(`/v1/jobs/${id}`));
    }
  });

  it('say alike what they wait for', async () => {
    const { id } = await both.grpc.call(submitJob, submission);
    const client = new Redis(both.redis.url);
    await client.hset(`{test}:job:${id}`, 'waitingFor', 'storage-full');
    client.disconnect();
    const rest = await both.rest.get(`/v1/jobs/${id}`);
    expect(rest).toMatchObject({ state: 'queued', waitingFor: 'storage-full' });
    expect(jobOf(await both.grpc.call(getJob, { id }))).toEqual(rest);
  });

  it('are listed alike', async () => {
    const rest = (await both.rest.get('/v1/jobs?state=queued&limit=1')) as { jobs: unknown[]; nextCursor: string };
    const page = await both.grpc.call(listJobs, { state: 1, limit: 1 });
    expect({ jobs: page.jobs.map(jobOf), nextCursor: page.nextCursor }).toEqual(rest);
    const next = await both.grpc.call(listJobs, { limit: 1, cursor: rest.nextCursor });
    expect(next.jobs.map(jobOf)).toEqual(
      ((await both.rest.get(`/v1/jobs?limit=1&cursor=${rest.nextCursor}`)) as typeof rest).jobs,
    );
  });

  it('are followed alike, live and again', async () => {
    const { id } = await both.grpc.call(submitJob, submission);
    const live = Promise.all([restEvents(id), grpcEvents(id)]);
    await sleep(50);
    await both.grpc.call(cancelJob, { id });
    const [rest, grpc] = await live;
    expect(rest.map(({ type }) => type)).toEqual(['state', 'state', 'end']);
    expect(grpc).toEqual(rest);
    expect(await grpcEvents(id, rest[0]?.id)).toEqual(rest.slice(1));
    expect(await restEvents(id, rest[0]?.id)).toEqual(rest.slice(1));
  });

  it('are counted alike by the device that they need', async () => {
    const { listQueues } = TrainingService.method;
    const { id } = await both.grpc.call(submitJob, { ...submission, training: { device: 'gpu' } });
    const shown = (await both.rest.get('/v1/queues')) as { queues: { name: string; waiting: number }[] };
    const { queues } = await both.grpc.call(listQueues, {});
    expect(queues.map(({ name, waiting, running, workers }) => ({ name, waiting, running, workers }))).toEqual(
      shown.queues,
    );
    expect(shown.queues.find(({ name }) => name === 'gpu')?.waiting).toBe(1);
    await both.grpc.call(cancelJob, { id });
  });

  it('are one job by one key, across transports', async () => {
    const headers = { 'idempotency-key': 'across' };
    const { id } = (await both.rest.send('POST', '/v1/jobs', submission, headers)).json as { id: string };
    expect((await both.grpc.call(submitJob, { ...submission, idempotencyKey: 'across' })).id).toBe(id);
  });
});

describe('sweeps', () => {
  const { submitSweep, getSweep, listSweeps, cancelSweep } = SweepService.method;
  const job = { name: 'swept', dataset: 'mnist', model: { type: 'dense' } };
  const search = { type: 'grid', parameters: { '/model/code': [8, 16], '/training/optimizer/learningRate': [1e-3] } };
  type View = { id: string; createdAt: string; trials: { id: string }[] };
  const sweepOf = (sweep: Sweep) => ({ warnings: [], ...(plain(toJson(SweepSchema, sweep)) as View) });

  it('are resolved, shown, listed and cancelled alike', async () => {
    const rest = (await both.rest.send('POST', '/v1/sweeps', { job, search, priority: 3 })).json as View;
    const grpc = sweepOf(await both.grpc.call(submitSweep, { job, search, priority: 3 }));
    const { id, createdAt } = grpc;
    expect(grpc).toEqual({
      ...rest,
      id,
      createdAt,
      trials: rest.trials.map((t, i) => ({ ...t, id: grpc.trials[i]?.id })),
    });
    expect(rest.trials).toMatchObject(
      search.parameters['/model/code'].map((code) => ({ parameters: { '/model/code': code } })),
    );
    for (const one of [rest, grpc]) {
      expect(sweepOf(await both.grpc.call(getSweep, { id: one.id }))).toEqual(
        await both.rest.get(`/v1/sweeps/${one.id}`),
      );
    }
    const { sweeps } = await both.grpc.call(listSweeps, { limit: 2 });
    expect({ sweeps: sweeps.map(sweepOf) }).toEqual(await both.rest.get('/v1/sweeps?limit=2'));
    expect(sweeps.map((sweep) => sweep.id)).toEqual([grpc.id, rest.id]);
    const cancelled = sweepOf(await both.grpc.call(cancelSweep, { id: rest.id }));
    expect(cancelled).toMatchObject({ state: 'cancelled', trials: [{ state: 'cancelled' }, { state: 'cancelled' }] });
    expect((await both.rest.send('POST', `/v1/sweeps/${rest.id}/cancel`)).json).toEqual(cancelled);
    expect(sweepOf(await both.grpc.call(cancelSweep, { id: rest.id }))).toEqual(cancelled);
    await both.rest.send('POST', `/v1/sweeps/${grpc.id}/cancel`);
    expect(sweepOf(await both.grpc.call(getSweep, { id: grpc.id }))).toMatchObject({ state: 'cancelled' });
  });

  it('are one sweep by one key, across transports', async () => {
    const headers = { 'idempotency-key': 'swept-across' };
    const { id } = (await both.rest.send('POST', '/v1/sweeps', { job, search }, headers)).json as View;
    expect((await both.grpc.call(submitSweep, { job, search, idempotencyKey: 'swept-across' })).id).toBe(id);
    await both.grpc.call(cancelSweep, { id });
  });
});

describe('models', () => {
  const { listModels, getModel, getVersion, setAlias, deleteAlias, getFile } = RegistryService.method;
  /** 64-bit numbers are texts in protobuf's JSON; the schema number and nesting of the data set are REST's own. */
  const versionOf = (version: Record<string, unknown>) => {
    const { lineage, files, ...rest } = version as { lineage: Record<string, unknown>; files: { bytes: string }[] };
    const { datasetName, datasetHash, ...line } = lineage;
    return {
      schema: 1,
      metrics: {},
      ...rest,
      lineage: { ...line, dataset: { name: datasetName, hash: datasetHash } },
      files: files.map((file) => ({ ...file, bytes: Number(file.bytes) })),
    };
  };
  const modelOf = (message: Parameters<typeof toJson<typeof ModelSchema>>[1]) => {
    const { versions, ...rest } = plain(toJson(ModelSchema, message)) as { versions: Record<string, unknown>[] };
    return { aliases: {}, aliasChanges: [], ...rest, versions: versions.map(versionOf) };
  };

  it('are listed and shown alike', async () => {
    const { models } = await both.grpc.call(listModels, {});
    expect({ models: models.map(modelOf) }).toEqual(await both.rest.get('/v1/models'));
    const model = modelOf(await both.grpc.call(getModel, { name: 'digits' }));
    expect(model).toEqual(await both.rest.get('/v1/models/digits'));
    const version = await both.grpc.call(getVersion, { name: 'digits', version: 2 });
    expect(
      modelOf({ ...(await both.grpc.call(getModel, { name: 'digits' })), versions: [version] }).versions[0],
    ).toEqual(await both.rest.get('/v1/models/digits/versions/2'));
  });

  it('have the same aliases, set and deleted either way', async () => {
    await both.rest.send('PUT', '/v1/models/digits/aliases/new', { version: 2 });
    expect((await both.grpc.call(getModel, { name: 'digits' })).aliases).toEqual({ stable: 1, new: 2 });
    expect((await both.grpc.call(setAlias, { name: 'digits', alias: 'newer', version: 2 })).aliases).toHaveProperty(
      'newer',
      2,
    );
    await both.grpc.call(deleteAlias, { name: 'digits', alias: 'new' });
    await both.rest.send('DELETE', '/v1/models/digits/aliases/newer');
    expect((await both.grpc.call(getModel, { name: 'digits' })).aliases).toEqual({ stable: 1 });
  });

  it('have the same files', async () => {
    const chunks: Uint8Array[] = [];
    const file = { name: 'digits', version: 1, path: 'encoder.onnx' };
    for await (const { chunk } of both.grpc.stream(getFile, file)) chunks.push(chunk);
    const rest = await both.rest.send('GET', '/v1/models/digits/versions/1/files/encoder.onnx');
    expect(Buffer.concat(chunks)).toEqual(rest.bytes);
  });
});

describe('predictions', () => {
  const { encode, decode, denoise, reconstruct } = InferenceService.method;
  const rows = [
    [0.1, -0.2, 0.3, 1e-7],
    [1, 2, 3, 4],
  ];
  const tensor = { shape: [2, 4], values: rows.flat() };
  const floats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
  /** REST nests the rows; both carry the fewest digits of the same float32. */
  const flat = (value: unknown): number[] =>
    (value as unknown[]).flat(9).map((number) => Math.fround(number as number));

  it.each(['digits', 'digits@1', 'digits:stable', undefined])('of %s are the same numbers', async (model) => {
    const rest = (await both.rest.send('POST', '/encode', { ...(model && { model }), inputs: rows })).json as Record<
      string,
      unknown
    >;
    const grpc = await both.grpc.call(encode, { ...(model && { model }), content: { case: 'inputs', value: tensor } });
    expect({ model: grpc.model, version: grpc.version }).toEqual({ model: rest.model, version: rest.version });
    expect(grpc.codes?.values).toEqual(flat(rest.codes));
    expect(grpc.codes?.values[0]).toBeCloseTo(grpc.version === 1 ? 0.2 : 0.3);
  });

  it('decode, denoise and reconstruct alike, in numbers and in bytes', async () => {
    const raw = new Uint8Array(Float32Array.from(rows.flat()).buffer);
    const octets = { 'content-type': 'application/octet-stream', accept: 'application/octet-stream' };
    const overGrpc = {
      denoise: (value: MessageInitShape<typeof TensorSchema>) =>
        both.grpc.call(denoise, { model: 'digits', content: { case: 'inputs', value } }),
      reconstruct: (value: MessageInitShape<typeof TensorSchema>) =>
        both.grpc.call(reconstruct, { model: 'digits', content: { case: 'inputs', value } }),
    };
    for (const [name, ask] of Object.entries(overGrpc)) {
      const rest = (await both.rest.send('POST', `/v1/models/digits/${name}`, { inputs: rows })).json;
      const { content } = await ask(tensor);
      expect(content.case === 'outputs' && content.value.values).toEqual(flat((rest as { outputs: unknown }).outputs));
      const bytes = await both.rest.send('POST', `/v1/models/digits/${name}`, raw, octets);
      const { content: same } = await ask({ raw });
      expect(same.case === 'outputs' && floats(same.value.raw)).toEqual(floats(bytes.bytes));
    }
    const rest = (await both.rest.send('POST', '/decode', { codes: [[5, 6]] })).json as { outputs: unknown };
    const grpc = await both.grpc.call(decode, { codes: { shape: [1, 2], values: [5, 6] } });
    expect(grpc.content.case === 'outputs' && grpc.content.value.values).toEqual(flat(rest.outputs));
  });

  it('warn alike of rows outside of the range that the model was trained on', async () => {
    const { rest, grpc } = both;
    type Warned = { warnings?: string[] };
    type Value = MessageInitShape<typeof TensorSchema>;
    const question = (value: Value) => ({ model: 'digits', content: { case: 'inputs', value } as const });
    const calls = {
      encode: (value: Value) => grpc.call(encode, question(value)),
      denoise: (value: Value) => grpc.call(denoise, question(value)),
      reconstruct: (value: Value) => grpc.call(reconstruct, question(value)),
    };
    for (const [name, call] of Object.entries(calls)) {
      const { json, headers } = await rest.send('POST', `/v1/models/digits/${name}`, { inputs: rows });
      const { warnings = [] } = json as Warned;
      expect(warnings).toEqual([expect.stringMatching(/first in row \d; digits@2 was trained on values from 0 to 1/)]);
      expect((await call(tensor)).warnings).toEqual(warnings);
      expect(headers.get('x-hourglass-warning')).toBe(warnings[0]);
      const raw = await rest.send(
        'POST',
        `/v1/models/digits/${name}`,
        new Uint8Array(Float32Array.from(rows.flat()).buffer),
        {
          'content-type': 'application/octet-stream',
          accept: 'application/octet-stream',
        },
      );
      expect(raw.headers.get('x-hourglass-warning')).toBe(warnings[0]);
      const ordinary = await rest.send('POST', `/v1/models/digits/${name}`, { inputs: [[0, 1, 0.5, 1]] });
      expect(ordinary.json).not.toHaveProperty('warnings');
      expect(ordinary.headers.has('x-hourglass-warning')).toBe(false);
      expect((await call({ shape: [1, 4], values: [0, 1, 0.5, 1] })).warnings).toEqual([]);
    }
  });

  it('take and give the same pictures', async () => {
    const png = await encodePng(Uint8Array.of(0, 51, 102, 255), { height: 2, width: 2, channels: 1 });
    const headers = { 'content-type': 'image/png', accept: 'image/png' };
    const rest = await both.rest.send('POST', '/v1/models/digits@1/denoise', png, headers);
    const grpc = await both.grpc.call(denoise, {
      model: 'digits@1',
      content: { case: 'images', value: { files: [png] } },
      outputFormat: OutputFormat.PNG,
    });
    expect(grpc.content.case === 'images' && Buffer.from(grpc.content.value.files[0] ?? [])).toEqual(rest.bytes);
  });
});

describe('data sets', () => {
  const { listDatasets, getDataset, createDataset, deleteDataset } = DatasetService.method;
  // JSON of protobuf writes uint64 as text.
  const counts = ['words', 'entries', 'train', 'test', 'missing'];
  const numbers = (name: string, value: unknown) => {
    // and leaves out a 0
    if (name === 'series' && typeof value === 'object') return { missing: 0, ...value };
    return counts.includes(name) && typeof value === 'string' ? Number(value) : value;
  };
  const datasetOf = (message: Parameters<typeof toJson<typeof DatasetSchema>>[1]) => ({
    ...{ builtIn: false, warnings: [] },
    ...(plain(JSON.parse(JSON.stringify(toJson(DatasetSchema, message)), numbers)) as object),
  });
  const table = Buffer.from(Array.from({ length: 20 }, (_, i) => `${i / 20},${i % 3},0.5\n`).join(''));

  it.each([
    { testFraction: 0.25, seed: 7 },
    { testFraction: 0.25, labelColumn: 1 },
    { testFraction: 0.25, kind: 'series' },
    { testFraction: 0.25, kind: 'pairs' },
  ])('are taken, listed and deleted alike, with %j', async (options) => {
    const query = `name=by-rest&options=${encodeURIComponent(JSON.stringify(options))}`;
    const rest = (await both.rest.send('POST', `/v1/datasets?${query}`, table, { 'content-type': 'text/csv' }))
      .json as object;
    const grpc = datasetOf(
      await both.grpc.upload(createDataset, [
        { content: { case: 'upload', value: { name: 'by-grpc', options } } },
        { content: { case: 'chunk', value: table } },
      ]),
    ) as Record<string, unknown>;
    expect(grpc).toEqual({ ...rest, name: 'by-grpc', createdAt: grpc.createdAt });
    expect(datasetOf(await both.grpc.call(getDataset, { name: 'by-rest' }))).toEqual(rest);
    const { datasets } = await both.grpc.call(listDatasets, {});
    expect({ datasets: datasets.map(datasetOf) }).toEqual(await both.rest.get('/v1/datasets'));
    await both.grpc.call(deleteDataset, { name: 'by-rest' });
    expect((await both.rest.send('DELETE', '/v1/datasets/by-grpc')).status).toBe(204);
  });
});
