// What people need to watch and prepare jobs, alike over both transports: dry runs, searches, samples, workers, rows of data sets.
import { type JsonValue, toJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image.ts';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { JobCheckSchema, JobSamplesSchema, TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import type { EpochSample, SampleRows } from '../../src/jobspec/job.ts';
import { JobConsumer } from '../../src/queue/job-consumer.ts';
import { zip } from '../data/archives.ts';
import { CallFailed } from '../gateway/grpc/client.ts';
import { consumerSettings, quiet, until } from '../queue/fixtures.ts';
import { type Both, startBoth } from './both.ts';

let both: Both;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both.stop());

const { submitJob, checkJob, listJobs, listWorkers, listQueues, listJobSamples, watchJob } = TrainingService.method;
const { readRows } = DatasetService.method;
const asked = { name: 'digits', dataset: 'mnist', model: { type: 'denoising', code: 16 }, training: { epochs: 2 } };
const post = async (path: string, body: object) => (await both.rest.send('POST', path, body)).json as never;

/** A promise and what resolves it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('a dry run', () => {
  it('shows the job as it would be queued, and queues nothing', async () => {
    const rest = (await post('/v1/jobs?validate=only', asked)) as Record<string, unknown>;
    const grpc = toJson(JobCheckSchema, await both.grpc.call(checkJob, { job: asked })) as Record<string, JsonValue>;
    expect({ ...grpc, memoryBytes: Number(grpc.memoryBytes), warnings: grpc.warnings ?? [] }).toEqual(rest);
    expect(rest).toMatchObject({ spec: { model: { corruption: { type: 'gaussian' } }, training: { epochs: 2 } } });
    expect(rest.memoryBytes).toBeGreaterThan(60_000 * 784);
    expect(await both.rest.get('/v1/jobs')).toEqual({ jobs: [] });
  });

  it('is refused as the job would be, with the field', async () => {
    const wrong = { ...asked, model: { type: 'dense', code: 0 } };
    const refused = await post('/v1/jobs', wrong);
    expect(refused).toMatchObject({ status: 422, field: '/model/code' });
    expect(await post('/v1/jobs?validate=only', wrong)).toEqual({
      ...(refused as object),
      requestId: expect.any(String),
    });
    await expect(both.grpc.call(checkJob, { job: wrong })).rejects.toBeInstanceOf(CallFailed);
    expect(await post('/v1/jobs?validate=all', asked)).toMatchObject({ field: '?validate' });
  });
});

describe('a dry run of a sweep', () => {
  const sweep = { job: asked, search: { type: 'grid', parameters: { '/model/code': [8, 16] } } };

  it('shows its trials as they would be queued, and queues nothing', async () => {
    const rest = (await post('/v1/sweeps?validate=only', sweep)) as { trials: { memoryBytes: number }[] };
    expect(rest).toMatchObject({
      search: sweep.search,
      trials: [{ parameters: { '/model/code': 8 } }, { parameters: { '/model/code': 16 } }],
      warnings: [],
    });
    const grpc = await both.grpc.call(SweepService.method.checkSweep, { sweep });
    expect(
      grpc.trials.map(({ parameters, memoryBytes }) => ({ parameters, memoryBytes: Number(memoryBytes) })),
    ).toEqual(rest.trials);
    expect(grpc.search).toEqual(sweep.search);
    expect(await both.rest.get('/v1/sweeps')).toEqual({ sweeps: [] });
  });

  it('is refused as the sweep would be', async () => {
    const wrong = { ...sweep, search: { type: 'grid', parameters: { '/model/code': [0] } } };
    const refused = await post('/v1/sweeps', wrong);
    expect(refused).toMatchObject({ status: 422, code: 'invalid-spec' });
    expect(await post('/v1/sweeps?validate=only', wrong)).toEqual({
      ...(refused as object),
      requestId: expect.any(String),
    });
    await expect(both.grpc.call(SweepService.method.checkSweep, { sweep: wrong })).rejects.toBeInstanceOf(CallFailed);
  });
});

describe('jobs', () => {
  it('keep what was asked beside what was resolved', async () => {
    const rest = (await post('/v1/jobs', asked)) as { id: string };
    const grpc = await both.grpc.call(submitJob, asked);
    for (const id of [rest.id, grpc.id]) expect(await both.rest.get(`/v1/jobs/${id}`)).toMatchObject({ asked });
    expect(grpc.asked).toEqual(asked);
  });

  it('are found by a text in their name, data set, type or id, page by page', async () => {
    for (let i = 0; i < 5; i++) {
      await post('/v1/jobs', { ...asked, name: `clothes-${i}`, dataset: 'fashion-mnist', model: { type: 'dense' } });
    }
    const names: string[] = [];
    for (let cursor = ''; ; ) {
      const page = (await both.rest.get(`/v1/jobs?search=FASHION&limit=2${cursor && `&cursor=${cursor}`}`)) as {
        jobs: { id: string; spec: { name: string } }[];
        nextCursor?: string;
      };
      names.push(...page.jobs.map(({ spec }) => spec.name));
      if (page.nextCursor === undefined) break;
      cursor = page.nextCursor;
    }
    expect(names).toEqual([4, 3, 2, 1, 0].map((i) => `clothes-${i}`));
    const grpc = await both.grpc.call(listJobs, { search: 'clothes-3' });
    expect(grpc.jobs.map(({ spec }) => spec?.name)).toEqual(['clothes-3']);
    const id = grpc.jobs[0]?.id ?? '';
    expect((await both.grpc.call(listJobs, { search: id.slice(-8) })).jobs.map((job) => job.id)).toEqual([id]);
    expect(await both.rest.get('/v1/jobs?search=denoising&state=running')).toEqual({ jobs: [] });
  });
});

describe('a job in training', () => {
  const bytes = (...values: number[]): string => Buffer.from(values).toString('base64');
  const rows: SampleRows = { rows: 1, shape: [2], inputs: bytes(0, 255), labels: [7] };
  const sample = (epoch: number): EpochSample => ({
    ...{ phase: 'train', epoch, outputs: bytes(epoch, 200), generated: bytes(9, 9), codes: [[0.5, epoch]] },
  });

  it('shows its losses, its samples and its worker', async () => {
    const { id } = (await post('/v1/jobs', { ...asked, name: 'watched', priority: 5 })) as { id: string };
    const held = gate();
    const told = gate();
    const consumer = await JobConsumer.open(
      consumerSettings(both.redis.url),
      async (lease) => {
        for (const epoch of [1, 2]) {
          lease.epoch({ phase: 'train', epoch, metrics: { loss: 1 / epoch } });
          lease.sample(rows, sample(epoch));
        }
        await lease.flush();
        told.open();
        await held.opened;
        return { kind: 'stopped' };
      },
      quiet,
    );
    await told.opened;
    const list = (await both.rest.get('/v1/jobs?search=watched&losses=true')) as { jobs: { losses: number[] }[] };
    expect(list.jobs[0]?.losses).toEqual([1, 0.5]);
    expect((await both.grpc.call(listJobs, { search: 'watched', losses: true })).jobs[0]?.losses).toEqual([1, 0.5]);

    const all = await until(async () => {
      const answer = (await both.rest.get(`/v1/jobs/${id}/samples`)) as { samples: unknown[] };
      return answer.samples.length === 2 && answer;
    });
    expect(all).toEqual({ rows, samples: [sample(1), sample(2)], next: 2 });
    expect(await both.rest.get(`/v1/jobs/${id}/samples?after=1`)).toEqual({ rows, samples: [sample(2)], next: 2 });
    const grpc = toJson(JobSamplesSchema, await both.grpc.call(listJobSamples, { id, after: 1 }));
    expect(grpc).toEqual({ rows, samples: [{ ...sample(2), codes: [0.5, 2] }], next: 2 });

    const { workers } = (await until(async () => {
      const answer = (await both.rest.get('/v1/workers')) as { workers: { jobs: string[] }[] };
      return answer.workers[0]?.jobs.includes(id) && answer;
    })) as { workers: object[] };
    expect(workers).toEqual([
      expect.objectContaining({ pid: process.pid, engine: 'onnx/cpu', queues: ['cpu', 'any'], concurrency: 1 }),
    ]);
    expect((await both.grpc.call(listWorkers, {})).workers[0]?.jobs).toEqual([id]);
    const { jobs } = (await both.rest.get('/v1/queues')) as { jobs: Record<string, number> };
    expect(jobs).toMatchObject({ running: 1, succeeded: 0 });
    expect((await both.grpc.call(listQueues, {})).jobs).toEqual(jobs);

    await both.rest.send('POST', `/v1/jobs/${id}/cancel`);
    held.open();
    const seen: unknown[] = [];
    for await (const { event } of both.grpc.stream(watchJob, { id }))
      if (event.case === 'sample') seen.push(event.value);
    expect(seen).toMatchObject([
      { phase: 'train', epoch: 1, at: 0 },
      { phase: 'train', epoch: 2, at: 1 },
    ]);
    await consumer.drain();
    expect(await both.rest.get('/v1/workers')).toEqual({ workers: [], gateways: [] });
    // Training again from the start shows new samples only, and a deleted job none.
    await both.rest.send('POST', `/v1/jobs/${id}/retry`);
    expect(await both.rest.get(`/v1/jobs/${id}/samples`)).toEqual({ samples: [], next: 0 });
  });
});

describe('rows of a data set', () => {
  it('are shown as they are trained on, with their classes', async () => {
    const table = 'a,b,class\n1,2,x\n3,4,y\n5,6,x\n';
    const options = encodeURIComponent('{"labelColumn":"class","testFraction":0}');
    const made = await both.rest.send('POST', `/v1/datasets?name=table&filename=table.csv&options=${options}`, table, {
      'content-type': 'text/csv',
    });
    expect(made.status).toBe(201);
    const rest = await both.rest.get('/v1/datasets/table/rows?offset=1&limit=5');
    expect(rest).toEqual({
      ...{ dataset: 'table', split: 'train', offset: 1, total: 3, shape: [2] },
      rows: [
        [3, 4],
        [5, 6],
      ],
      labels: [1, 0],
      classCounts: [2, 1],
    });
    const grpc = await both.grpc.call(readRows, { name: 'table', offset: 1, limit: 5 });
    expect([grpc.total, grpc.labels, grpc.classCounts, grpc.rows?.shape]).toEqual([3, [1, 0], [2, 1], [2, 2]]);
    const octets = { accept: 'application/octet-stream' };
    const raw = await both.rest.send('GET', '/v1/datasets/table/rows?offset=2', undefined, octets);
    expect(raw.headers.get('x-hourglass-shape')).toBe('1,2');
    expect([raw.bytes.readFloatLE(0), raw.bytes.readFloatLE(4), raw.bytes.length]).toEqual([5, 6, 8]);
    expect(await both.rest.get('/v1/datasets/table/rows?split=test')).toMatchObject({ total: 0, rows: [] });
    expect(await both.rest.get('/v1/datasets/table/rows?offset=9')).toMatchObject({ rows: [] });
  });

  it.each([
    [
      ...['documents', 'Old tea, old cups, hot tea\nnew cups'],
      { minDocuments: 1, maxShare: 1 },
      ['Old tea, old cups, hot tea: old × 2, tea × 2, cups, hot', 'new cups: cups, new'],
    ],
    ['pairs', 'tea\tT IY\ntoe\tT OW', undefined, ['tea → T IY', 'toe → T OW']],
    ['ratings', 'ann,50,4\nann,7,5', undefined, ['7: 5, 50: 4']],
  ] as const)('are also shown in words where they are %s', async (kind, text, vocabulary, expected) => {
    const options = JSON.stringify({ kind, testFraction: 0, ...(vocabulary && { vocabulary }) });
    const path = `/v1/datasets?name=${kind}&options=${encodeURIComponent(options)}`;
    const made = await both.rest.send('POST', path, text, { 'content-type': 'text/csv' });
    expect([made.status, made.json]).toMatchObject([201, {}]);
    const { texts } = (await both.rest.get(`/v1/datasets/${kind}/rows`)) as { texts: string[] };
    expect([...texts].sort()).toEqual(expected);
    expect((await both.grpc.call(readRows, { name: kind })).texts).toEqual(texts);
  });

  it('are squares of one size where pictures keep their own sizes', async () => {
    const archive = zip(
      await Promise.all(
        [
          [20, 40],
          [50, 30],
        ].map(async ([height = 0, width = 0], i) => ({
          name: `${i}.png`,
          data: await encodePng(new Uint8Array(height * width * 3).fill(100 + 100 * i), { height, width, channels: 3 }),
        })),
      ),
    );
    const options = encodeURIComponent('{"keepSizes":true,"testFraction":0}');
    const type = { 'content-type': 'application/zip' };
    const made = await both.rest.send('POST', `/v1/datasets?name=sizes&options=${options}`, archive, type);
    expect([made.status, made.json]).toMatchObject([201, {}]);
    const { shape, rows } = (await both.rest.get('/v1/datasets/sizes/rows')) as { shape: number[]; rows: number[][] };
    expect(shape).toEqual([96, 96, 3]);
    expect(rows.map((row) => [row.length, Math.round(255 * (row[5000] ?? 0))]).sort()).toEqual([
      [96 * 96 * 3, 100],
      [96 * 96 * 3, 200],
    ]);
    expect((await both.grpc.call(readRows, { name: 'sizes' })).rows?.shape).toEqual([2, 96, 96, 3]);
  });

  it('are bounded', async () => {
    const many = await both.rest.send('GET', '/v1/datasets/mnist/rows?limit=1000');
    expect(many.status).toBe(200);
    for (const query of ['limit=1001', 'limit=0', 'split=all', 'offset=-1']) {
      const answer = await both.rest.send('GET', `/v1/datasets/mnist/rows?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
    }
    await expect(both.grpc.call(readRows, { name: 'mnist', split: 'all' })).rejects.toBeInstanceOf(CallFailed);
    const missing = await both.rest.send('GET', '/v1/datasets/nothing/rows');
    expect(missing.json).toMatchObject({ code: 'dataset-not-found' });
  });
});
