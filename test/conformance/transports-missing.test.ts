// What is not there, or away, is told alike over both transports, with the status that the error table gives it there.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatasetService } from '../../src/gen/hourglass/v1/dataset_pb.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { TrainingService } from '../../src/gen/hourglass/v1/training_pb.ts';
import { metaOf, times } from '../serve/serving.ts';
import { type Both, expectSameRefusal, startBoth } from './both.ts';

let both: Both;
beforeAll(async () => {
  both = await startBoth();
  await both.registry.publish('digits', { files: { ...times(2) }, meta: metaOf('job-1') });
});
afterAll(() => both.stop());

describe('models and data sets that are not there', () => {
  const { getModel, getVersion, setAlias, deleteAlias, deleteVersion, deleteModel, getFile } = RegistryService.method;
  const { getDataset, createDataset, deleteDataset } = DatasetService.method;

  it.each([
    ['nothing', 'model-not-found'],
    ['a b', 'invalid-reference'],
    ['Digits', 'invalid-reference'],
  ])('the model "%s"', async (name, code) => {
    const path = `/v1/models/${encodeURIComponent(name)}`;
    await expectSameRefusal(both.rest.send('GET', path), both.grpc.call(getModel, { name }), code);
    await expectSameRefusal(both.rest.send('DELETE', path), both.grpc.call(deleteModel, { name }), code);
  });

  it('versions, files and aliases', async () => {
    const { rest, grpc } = both;
    const name = 'digits';
    const base = '/v1/models/digits';
    await expectSameRefusal(
      rest.send('GET', `${base}/versions/9`),
      grpc.call(getVersion, { name, version: 9 }),
      'version-not-found',
    );
    await expectSameRefusal(
      rest.send('GET', `${base}/versions/0`),
      grpc.call(getVersion, { name, version: 0 }),
      'invalid-reference',
    );
    await expectSameRefusal(
      rest.send('DELETE', `${base}/versions/9`),
      grpc.call(deleteVersion, { name, version: 9 }),
      'version-not-found',
    );
    const file = { name, version: 1, path: 'nothing.onnx' };
    await expectSameRefusal(
      rest.send('GET', `${base}/versions/1/files/nothing.onnx`),
      grpc.stream(getFile, file).next(),
      'file-not-found',
    );
    const put = (alias: string, version: number) =>
      rest.send('PUT', `${base}/aliases/${encodeURIComponent(alias)}`, { version });
    await expectSameRefusal(
      put('new', 9),
      grpc.call(setAlias, { name, alias: 'new', version: 9 }),
      'version-not-found',
    );
    await expectSameRefusal(put('2', 1), grpc.call(setAlias, { name, alias: '2', version: 1 }), 'invalid-reference');
    await expectSameRefusal(
      rest.send('DELETE', `${base}/aliases/x`),
      grpc.call(deleteAlias, { name, alias: 'x' }),
      'version-not-found',
    );
    await put('kept', 1);
    await expectSameRefusal(
      rest.send('DELETE', `${base}/versions/1`),
      grpc.call(deleteVersion, { name, version: 1 }),
      'version-in-use',
    );
  });

  it('data sets', async () => {
    const { rest, grpc } = both;
    for (const name of ['nothing', '../mnist']) {
      const path = `/v1/datasets/${encodeURIComponent(name)}`;
      await expectSameRefusal(rest.send('GET', path), grpc.call(getDataset, { name }), 'dataset-not-found');
      await expectSameRefusal(rest.send('DELETE', path), grpc.call(deleteDataset, { name }), 'dataset-not-found');
    }
    await expectSameRefusal(
      rest.send('DELETE', '/v1/datasets/mnist'),
      grpc.call(deleteDataset, { name: 'mnist' }),
      'dataset-read-only',
    );
  });

  it('data sets that a job waits for', async () => {
    const { rest, grpc } = both;
    const table = Buffer.from('0.1,0.2\n0.3,0.4\n0.5,0.6\n0.7,0.8\n');
    const query = `name=awaited&options=${encodeURIComponent('{"testFraction":0.25}')}`;
    await rest.send('POST', `/v1/datasets?${query}`, table, { 'content-type': 'text/csv' });
    const job = { name: 'waiting', dataset: 'awaited', model: { type: 'linear', code: 1 } };
    const { id } = (await rest.send('POST', '/v1/jobs', job)).json as { id: string };
    await expectSameRefusal(
      rest.send('DELETE', '/v1/datasets/awaited'),
      grpc.call(deleteDataset, { name: 'awaited' }),
      'dataset-in-use',
    );
    await rest.send('POST', `/v1/jobs/${id}/cancel`);
    expect((await rest.send('DELETE', '/v1/datasets/awaited')).status).toBe(204);
  });

  it.each<[string, string, JsonObject, string]>([
    ['taken', 'dataset-exists', { name: 'mnist' }, '1,2\n3,4\n'],
    ['a path', 'invalid-request', { name: '../x' }, '1,2\n3,4\n'],
    ['with an unknown option', 'unknown-field', { name: 'x', options: { colour: 'red' } }, '1,2\n3,4\n'],
    ['with an option out of bounds', 'invalid-request', { name: 'x', options: { testFraction: 2 } }, '1,2\n3,4\n'],
    ['of one cell that is no number', 'invalid-dataset', { name: 'x' }, '1,2\n3,x\n'],
    ['of nothing', 'invalid-dataset', { name: 'x' }, ''],
    ['of another format', 'unsupported-dataset', { name: 'x' }, 'GIF89a\0\0\0\0'],
  ])('a new data set %s', async (_, code, { name, options }, content) => {
    const query = new URLSearchParams({ name: String(name), ...(options && { options: JSON.stringify(options) }) });
    const rest = both.rest.send('POST', `/v1/datasets?${query}`, Buffer.from(content), { 'content-type': 'text/csv' });
    const upload = { name: String(name), ...(options && { options: options as JsonObject }) };
    const grpc = both.grpc.upload(createDataset, [
      { content: { case: 'upload', value: upload } },
      { content: { case: 'chunk', value: Buffer.from(content) } },
    ]);
    await expectSameRefusal(rest, grpc, code);
  });
});

it('a queue that is gone is told alike, and predictions go on', async () => {
  const { submitJob, getJob } = TrainingService.method;
  const job = { name: 'digits', dataset: 'mnist', model: { type: 'dense' } };
  await both.redis.kill();
  await expectSameRefusal(both.rest.send('POST', '/v1/jobs', job), both.grpc.call(submitJob, job), 'queue-unavailable');
  const id = '0123456789abcdefghjkmnpqrs';
  await expectSameRefusal(both.rest.send('GET', `/v1/jobs/${id}`), both.grpc.call(getJob, { id }), 'queue-unavailable');
  const rows = { content: { case: 'inputs' as const, value: { shape: [1, 4], values: [1, 2, 3, 4] } } };
  expect((await both.grpc.call(InferenceService.method.encode, { model: 'digits', ...rows })).version).toBe(1);
  await both.redis.start();
});
