// The Open Inference Protocol over gRPC, with typed and raw contents.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GRPCInferenceService } from '../../../src/gen/inference/grpc_predict_v2_pb.ts';
import { type Both, startBoth } from '../../conformance/both.ts';
import { scaling } from '../../helpers/onnx-models.ts';
import { metaOf } from '../../serve/serving.ts';
import { failureOf } from '../grpc/client.ts';

let both: Both;
beforeAll(async () => {
  both = await startBoth();
  await both.registry.publish('tiny', { files: { ...scaling(4, 2, 1) }, meta: metaOf('tiny') });
});
afterAll(() => both.stop());

const { method } = GRPCInferenceService;
const raw = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
const input = { name: 'inputs', datatype: 'FP32', shape: [1n, 4n] };
const ask = (
  request: Parameters<typeof both.grpc.call<typeof method.modelInfer.input, typeof method.modelInfer.output>>[1],
) => both.grpc.call(method.modelInfer, request);
const floatsOf = (bytes: Uint8Array | undefined) => [...new Float32Array(new Uint8Array(bytes ?? []).buffer)];

describe('ModelInfer', () => {
  it('takes raw contents and answers in raw contents', async () => {
    const answer = await ask({ modelName: 'tiny', id: '9', inputs: [input], rawInputContents: [raw] });
    expect(answer).toMatchObject({ modelName: 'tiny', modelVersion: '1', id: '9' });
    expect(answer.outputs[0]).toMatchObject({ name: 'codes', datatype: 'FP32', shape: [1n, 2n] });
    expect(floatsOf(answer.rawOutputContents[0])).toEqual([1, 2]);
  });

  it.each([
    ['FP32', { fp32Contents: [1, 2, 3, 4] }],
    ['FP64', { fp64Contents: [1, 2, 3, 4] }],
    ['INT32', { intContents: [1, 2, 3, 4] }],
    ['INT64', { int64Contents: [1n, 2n, 3n, 4n] }],
    ['UINT8', { uintContents: [1, 2, 3, 4] }],
  ])('takes typed contents of %s', async (datatype, contents) => {
    const answer = await ask({ modelName: 'tiny.denoise', inputs: [{ ...input, datatype, contents }] });
    expect(floatsOf(answer.rawOutputContents[0])).toEqual([1, 2, 0, 0]);
  });

  it.each([
    ['NOT_FOUND', 'model-not-found', { modelName: 'nobody', inputs: [input], rawInputContents: [raw] }],
    [
      'INVALID_ARGUMENT',
      'invalid-request',
      { modelName: 'tiny', inputs: [{ ...input, name: 'x' }], rawInputContents: [raw] },
    ],
    ['INVALID_ARGUMENT', 'invalid-request', { modelName: 'tiny', inputs: [input], rawInputContents: [raw, raw] }],
    ['INVALID_ARGUMENT', 'shape-mismatch', { modelName: 'tiny', inputs: [input], rawInputContents: [raw.subarray(4)] }],
    [
      'INVALID_ARGUMENT',
      'invalid-type',
      { modelName: 'tiny', inputs: [{ ...input, datatype: 'BYTES' }], rawInputContents: [raw] },
    ],
  ])('refuses with %s and %s', async (status, code, request) => {
    expect(await failureOf(ask(request))).toMatchObject({ status, code });
  });

  it('streams answers; one that fails says so and the stream goes on', async () => {
    const request = { modelName: 'tiny', inputs: [input], rawInputContents: [raw] };
    const requests = [request, { ...request, modelName: 'nobody' }, request];
    const answers = await both.grpc.converse(method.modelStreamInfer, requests);
    expect(answers.map(({ errorMessage }) => errorMessage !== '')).toEqual([false, true, false]);
    expect(floatsOf(answers[2]?.inferResponse?.rawOutputContents[0])).toEqual([1, 2]);
  });
});

it('answers health, metadata, configuration, repository and statistics', async () => {
  const { grpc } = both;
  expect(await grpc.call(method.serverLive, {})).toMatchObject({ live: true });
  expect(await grpc.call(method.serverReady, {})).toMatchObject({ ready: true });
  expect(await grpc.call(method.modelReady, { name: 'tiny', version: '1' })).toMatchObject({ ready: true });
  expect(await grpc.call(method.serverMetadata, {})).toMatchObject({ name: 'hourglass', version: '0.0.0' });
  const metadata = await grpc.call(method.modelMetadata, { name: 'tiny.decode' });
  expect(metadata.inputs[0]).toMatchObject({ name: 'codes', datatype: 'FP32', shape: [-1n, 2n] });
  const { config } = await grpc.call(method.modelConfig, { name: 'tiny' });
  expect(config?.input[0]?.dims).toEqual([2n, 2n, 1n]);
  await grpc.call(method.repositoryModelLoad, { modelName: 'tiny' });
  await grpc.call(method.repositoryModelUnload, { modelName: 'tiny' });
  const { models } = await grpc.call(method.repositoryIndex, {});
  expect(models.map(({ name }) => name)).toContain('tiny.reconstruct');
  await ask({ modelName: 'tiny', inputs: [input], rawInputContents: [raw] });
  const { modelStats } = await grpc.call(method.modelStatistics, { name: 'tiny' });
  expect(Number(modelStats[0]?.inferenceCount)).toBeGreaterThan(0);
});
