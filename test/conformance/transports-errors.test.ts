// One suite for both transports: the same mistake gets the same code, text and facts, with the status that the error table
// gives it there, and harms nobody else.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { SweepService } from '../../src/gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { metaOf, times } from '../serve/serving.ts';
import { type Both, expectSameCode, expectSameRefusal, grpcRefusal, restRefusal, startBoth } from './both.ts';

let both: Both;
beforeAll(async () => {
  both = await startBoth({ maxBatch: 100, maxBodyBytes: 2 ** 20 });
  await both.registry.publish('digits', { files: { ...times(2) }, meta: metaOf('job-1') });
  await both.registry.publish('codes-only', {
    files: { ...times(2) },
    meta: metaOf('job-2', { operations: ['encode'] }),
  });
});
afterAll(() => both.stop());

describe('a job that cannot be', () => {
  const { submitJob, getJob, listJobs, watchJob, cancelJob } = TrainingService.method;
  const job = { name: 'digits', dataset: 'mnist', model: { type: 'dense' } };

  it.each<[string, string, JsonObject]>([
    ['no name', 'invalid-request', { dataset: 'mnist', model: { type: 'dense' } }],
    ['no data set', 'invalid-request', { name: 'a', model: { type: 'dense' } }],
    ['no model', 'invalid-request', { name: 'a', dataset: 'mnist' }],
    ['no model type', 'invalid-request', { ...job, model: { code: 3 } }],
    ['an empty name', 'invalid-spec', { ...job, name: '' }],
    ['a name that is a path', 'invalid-spec', { ...job, name: '../../etc/passwd' }],
    ['an unknown data set', 'dataset-not-found', { ...job, dataset: 'nothing' }],
    ['a data set that is a path', 'invalid-spec', { ...job, dataset: '../mnist' }],
    ['an unknown model type', 'invalid-spec', { ...job, model: { type: 'oracle' } }],
    ['an unknown field', 'unknown-field', { ...job, model: { type: 'dense', colour: 'red' } }],
    ['an unknown field of the training', 'unknown-field', { ...job, training: { epoch: 3 } }],
    ['a prototype', 'unknown-field', { ...job, model: JSON.parse('{"type":"dense","__proto__":{"code":3}}') }],
    ['a number as text', 'invalid-type', { ...job, model: { type: 'dense', code: '32' } }],
    ['null', 'invalid-type', { ...job, model: { type: 'dense', code: null } }],
    ['true', 'invalid-type', { ...job, training: { epochs: true } }],
    ['a list', 'invalid-type', { ...job, training: { optimizer: ['adam'] } }],
    ['a fraction', 'invalid-spec', { ...job, model: { type: 'dense', code: 1.5 } }],
    [
      'a number beyond float32',
      'non-finite',
      { ...job, training: { optimizer: { type: 'adam', learningRate: 1e39 } } },
    ],
    [
      'more weights than memory',
      'invalid-spec',
      { ...job, model: { type: 'dense', hidden: Array(8).fill(65_536), code: 65_536 } },
    ],
    ['a device that there is not', 'invalid-spec', { ...job, training: { device: 'tpu' } }],
    ['too many epochs', 'invalid-spec', { ...job, training: { epochs: 1e9 } }],
    ['an activation that does not fit', 'invalid-spec', { ...job, model: { type: 'dense', outputActivation: 'tanh' } }],
    ['a priority without measure', 'invalid-spec', { ...job, priority: 5000 }],
    ['a deadline in the past', 'invalid-spec', { ...job, deadlineSeconds: -1 }],
  ])('has %s', async (_, code, body) => {
    await expectSameRefusal(both.rest.send('POST', '/v1/jobs', body), both.grpc.call(submitJob, body), code);
  });

  it('has NaN in it', async () => {
    const text = '{"name":"a","dataset":"mnist","model":{"type":"dense","code":NaN}}';
    const headers = { 'content-type': 'application/json' };
    expect(restRefusal(await both.rest.send('POST', '/v1/jobs', text, headers)).code).toBe('malformed-json');
    const body = { ...job, model: { type: 'dense', code: Number.NaN } };
    expect((await grpcRefusal(both.grpc.call(submitJob, body))).code).toBe('non-finite');
  });

  it('does not suit its data, or is only warned of', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${i},${-i}`).join('\n');
    const csv = { 'content-type': 'text/csv' };
    expect((await both.rest.send('POST', '/v1/datasets?name=signed', rows, csv)).status).toBe(201);
    const cross = { ...job, dataset: 'signed', model: { type: 'dense', code: 2, loss: 'bce' } };
    await expectSameRefusal(
      both.rest.send('POST', '/v1/jobs', cross),
      both.grpc.call(submitJob, cross),
      'invalid-spec',
    );
    const wide = { ...cross, model: { type: 'dense', code: 2 }, training: { batchSize: 4 } };
    const { json } = await both.rest.send('POST', '/v1/jobs', wide);
    const { warnings } = await both.grpc.call(submitJob, wide);
    expect(warnings).toEqual([
      expect.stringContaining('not smaller than a row'),
      expect.stringContaining('no row is held out'),
    ]);
    expect(json).toMatchObject({ state: 'queued', warnings });
  });

  it('has a key that was used for another', async () => {
    const headers = { 'idempotency-key': 'once' };
    await both.rest.send('POST', '/v1/jobs', job, headers);
    const other = { ...job, name: 'other' };
    const grpc = both.grpc.call(submitJob, { ...other, idempotencyKey: 'once' });
    await expectSameRefusal(both.rest.send('POST', '/v1/jobs', other, headers), grpc, 'idempotency-key-reused');
  });

  it('is not there, or is over', async () => {
    for (const id of ['nothing', '../x', '0123456789abcdefghjkmnpqrs']) {
      const path = `/v1/jobs/${encodeURIComponent(id)}`;
      await expectSameRefusal(both.rest.send('GET', path), both.grpc.call(getJob, { id }), 'job-not-found');
      await expectSameRefusal(
        both.rest.send('POST', `${path}/cancel`),
        both.grpc.call(cancelJob, { id }),
        'job-not-found',
      );
      await expectSameRefusal(
        both.rest.send('GET', `${path}/events`),
        both.grpc.stream(watchJob, { id }).next(),
        'job-not-found',
      );
    }
    const { id } = await both.grpc.call(submitJob, job);
    const wrong = { id, lastEventId: 'yesterday' };
    const events = both.rest.send('GET', `/v1/jobs/${id}/events`, undefined, { 'last-event-id': 'yesterday' });
    await expectSameRefusal(events, both.grpc.stream(watchJob, wrong).next(), 'invalid-request');
  });

  it('is listed by a cursor or a limit that is none', async () => {
    await expectSameRefusal(
      both.rest.send('GET', '/v1/jobs?cursor=x'),
      both.grpc.call(listJobs, { cursor: 'x' }),
      'invalid-request',
    );
    await expectSameRefusal(
      both.rest.send('GET', '/v1/jobs?limit=5000'),
      both.grpc.call(listJobs, { limit: 5000 }),
      'invalid-request',
    );
  });
});

describe('a sweep that cannot be', () => {
  const { submitSweep, getSweep, listSweeps, cancelSweep } = SweepService.method;
  const job = { name: 'swept', dataset: 'mnist', model: { type: 'dense' } };
  const search = { type: 'grid', parameters: { '/model/code': [8, 16] } };

  it.each<[string, string, JsonObject]>([
    ['no job', 'invalid-request', { search }],
    ['no search', 'invalid-request', { job }],
    ['an unknown kind of search', 'invalid-spec', { job, search: { ...search, type: 'guess' } }],
    ['nothing to try', 'invalid-spec', { job, search: { type: 'grid', parameters: {} } }],
    ['a parameter elsewhere', 'invalid-spec', { job, search: { type: 'grid', parameters: { '/name': ['a'] } } }],
    ['a trial that cannot work', 'invalid-spec', { job, search: { type: 'grid', parameters: { '/model/code': [0] } } }],
    [
      'a trial with more weights than memory',
      'invalid-spec',
      { job, search: { type: 'grid', parameters: { '/model/hidden': [[64], [65_536, 65_536]] } } },
    ],
    ['an unknown field', 'unknown-field', { job, search: { ...search, colour: 'red' } }],
    ['an unknown data set', 'dataset-not-found', { job: { ...job, dataset: 'nothing' }, search }],
    ['a priority without measure', 'invalid-spec', { job, search, priority: 5000 }],
  ])('has %s', async (_, code, body) => {
    await expectSameRefusal(both.rest.send('POST', '/v1/sweeps', body), both.grpc.call(submitSweep, body), code);
  });

  it('has a key that was used for another, is not there, or is a job', async () => {
    const headers = { 'idempotency-key': 'sweep-once' };
    await both.rest.send('POST', '/v1/sweeps', { job, search }, headers);
    const other = { job: { ...job, name: 'other' }, search };
    const again = both.grpc.call(submitSweep, { ...other, idempotencyKey: 'sweep-once' });
    await expectSameRefusal(both.rest.send('POST', '/v1/sweeps', other, headers), again, 'idempotency-key-reused');
    const { id: ofJob } = await both.grpc.call(TrainingService.method.submitJob, job);
    for (const id of ['nothing', '0123456789abcdefghjkmnpqrs', ofJob]) {
      const path = `/v1/sweeps/${id}`;
      await expectSameRefusal(both.rest.send('GET', path), both.grpc.call(getSweep, { id }), 'job-not-found');
      await expectSameRefusal(
        both.rest.send('POST', `${path}/cancel`),
        both.grpc.call(cancelSweep, { id }),
        'job-not-found',
      );
    }
  });

  it('is listed by a limit that is none', async () => {
    const rest = both.rest.send('GET', '/v1/sweeps?limit=101');
    await expectSameRefusal(rest, both.grpc.call(listSweeps, { limit: 101 }), 'invalid-request');
  });
});

describe('rows that cannot be answered', () => {
  const { encode, decode, denoise } = InferenceService.method;
  const ask = (value: object, model = 'digits') =>
    both.grpc.call(encode, { model, content: { case: 'inputs', value } });
  const send = (body: unknown, model = 'digits') =>
    both.rest.send('POST', `/v1/models/${encodeURIComponent(model)}/encode`, body);
  const row = [1, 2, 3, 4];

  it.each([
    ['nothing', 'model-not-found'],
    ['digits@9', 'version-not-found'],
    ['digits:golden', 'version-not-found'],
    ['digits@0', 'invalid-reference'],
    ['Digits', 'invalid-reference'],
    ['digits@1@2', 'invalid-reference'],
    ['', 'invalid-reference'],
  ])('by the model "%s"', async (model, code) => {
    const body = { model, inputs: [row] };
    await expectSameRefusal(both.rest.send('POST', '/encode', body), ask({ shape: [1, 4], values: row }, model), code);
  });

  it('because no model is named and there are several', async () => {
    const grpc = both.grpc.call(encode, { content: { case: 'inputs', value: { shape: [1, 4], values: row } } });
    await expectSameRefusal(both.rest.send('POST', '/encode', { inputs: [row] }), grpc, 'model-required');
  });

  it.each<[string, string, unknown[], number[]]>([
    ['too few values', 'shape-mismatch', [[1, 2, 3]], [1, 3]],
    ['too many values', 'shape-mismatch', [[1, 2, 3, 4, 5]], [1, 5]],
    ['another shape', 'shape-mismatch', [[[1, 2, 3, 4]]], [1, 1, 4]],
    ['no rows', 'empty-batch', [], [0]],
    ['too many rows', 'batch-too-large', Array.from({ length: 101 }, () => row), [101, 4]],
  ])('with %s', async (_, code, inputs, shape) => {
    const values = inputs.flat(9) as number[];
    await expectSameRefusal(send({ inputs }), ask({ shape, values }), code);
  });

  it('with a batch of a million rows', async () => {
    const raw = new Uint8Array(4 * 1_000_000);
    await expectSameCode(
      both.rest.send('POST', '/v1/models/digits/encode', raw, { 'content-type': 'application/octet-stream' }),
      ask({ raw }),
      'payload-too-large',
    );
    const claimed = grpcRefusal(ask({ shape: [1_000_000, 4], raw: new Uint8Array(16) }));
    expect((await claimed).code).toBe('batch-too-large');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('with %s', async (value) => {
    const raw = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, value, 7, 8).buffer);
    const octets = { 'content-type': 'application/octet-stream' };
    await expectSameRefusal(
      both.rest.send('POST', '/v1/models/digits/encode', raw, octets),
      ask({ raw }),
      'non-finite',
    );
    await expectSameRefusal(
      both.rest.send('POST', '/v1/models/digits/encode', raw, octets),
      ask({ shape: [2, 4], values: [1, 2, 3, 4, 5, value, 7, 8] }),
      'non-finite',
    );
  });

  it('although the smallest numbers are welcome', async () => {
    const values = [1e-45, -1e-45, 1.17e-38, 3.4e38 / 4];
    const { codes } = await ask({ shape: [1, 4], values });
    const rest = (await send({ inputs: [values] })).json as { codes: number[][] };
    expect(codes?.values).toEqual(rest.codes[0]?.map(Math.fround));
  });

  it('with half a row', async () => {
    const raw = new Uint8Array(20);
    const octets = { 'content-type': 'application/octet-stream' };
    await expectSameRefusal(
      both.rest.send('POST', '/v1/models/digits/encode', raw, octets),
      ask({ raw }),
      'shape-mismatch',
    );
  });

  it('by a model that does not do that', async () => {
    const grpc = both.grpc.call(decode, { model: 'codes-only', codes: { shape: [1, 2], values: [1, 2] } });
    const rest = both.rest.send('POST', '/v1/models/codes-only/decode', { codes: [[1, 2]] });
    await expectSameRefusal(rest, grpc, 'operation-not-supported');
  });

  it('with rows of no form', async () => {
    await expectSameCode(send({ inputs: [[], []] }), ask({ shape: [2, 0] }), 'shape-mismatch');
    await expectSameCode(send({ inputs: row }), ask({ shape: [4], values: row }), 'shape-mismatch');
  });

  it('with no rows in the request', async () => {
    await expectSameCode(send({}), both.grpc.call(encode, { model: 'digits' }), 'invalid-request');
    await expectSameCode(both.rest.send('POST', '/decode', {}), both.grpc.call(decode, {}), 'invalid-request');
  });

  it('with no picture', async () => {
    const files = [Buffer.from('GIF89a')];
    const grpc = both.grpc.call(denoise, { model: 'digits', content: { case: 'images', value: { files } } });
    const rest = both.rest.send('POST', '/v1/models/digits/denoise', files[0], { 'content-type': 'image/png' });
    await expectSameRefusal(rest, grpc, 'image-unreadable');
  });

  it('with a body that cannot be read', async () => {
    const path = '/hourglass.v1.InferenceService/Encode';
    const garbage = grpcRefusal(both.grpc.raw(path, Uint8Array.of(0x12, 0xff, 0xff, 0xff)));
    expect(
      restRefusal(await both.rest.send('POST', '/encode', '{"inputs":[[1,', { 'content-type': 'application/json' }))
        .code,
    ).toBe('malformed-json');
    expect((await garbage).code).toBe('malformed-body');
  });

  it('while others go on', async () => {
    expect((await ask({ shape: [1, 4], values: row })).codes?.values).toEqual([2, 4]);
    expect((await send({ inputs: [row] })).json).toMatchObject({ model: 'digits', version: 1, codes: [[2, 4]] });
  });
});
