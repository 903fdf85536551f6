// Frames over both transports: the same rows give the same bytes, and what one encodes the other decodes or refuses alike.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EncodeFrameRequestSchema,
  FrameKind,
  InferenceService,
  OutputFormat,
} from '../../src/gen/hourglass/v1/inference_pb.ts';
import { RegistryService } from '../../src/gen/hourglass/v1/registry_pb.ts';
import { publishCoded, rowSize, testRows } from '../bundle/published.ts';
import { type Both, grpcRefusal, restRefusal, startBoth } from './both.ts';

const { encodeFrame, decodeFrame } = InferenceService.method;
const frameType = 'application/vnd.hourglass.frame';
let both: Both;
let raw: Buffer;
beforeAll(async () => {
  both = await startBoth();
  await publishCoded(both.registry, 'one', 8);
  await publishCoded(both.registry, 'two', 16);
  raw = Buffer.from((await testRows()).buffer);
});
afterAll(() => both?.stop());

const restEncode = (target: string, rows: number) =>
  both.rest.send('POST', target, raw.subarray(0, rows * rowSize * 4), {
    'content-type': 'application/octet-stream',
    accept: frameType,
  });
const restDecode = (target: string, frame: Uint8Array) =>
  both.rest.send('POST', target, frame, { 'content-type': frameType, accept: 'application/octet-stream' });
const inputs = (rows: number) => ({
  content: { case: 'inputs' as const, value: { raw: raw.subarray(0, rows * rowSize * 4) } },
});
type FrameRequest = MessageInitShape<typeof EncodeFrameRequestSchema>;

describe('frames', () => {
  it.each<[string, number, FrameRequest]>([
    ['', 1, {}],
    ['?quality=1', 3, { quality: 1 }],
    ['?psnr=60', 3, { psnr: 60 }],
    ['?maxBytes=40', 2, { maxBytes: 40 }],
    ['?kind=standard&search=true', 2, { kind: FrameKind.STANDARD, search: true }],
    ['?kind=progressive', 2, { kind: FrameKind.PROGRESSIVE }],
  ])('with %s are the same bytes, with the same receipt', async (query, rows, request) => {
    const rest = await restEncode(`/v1/models/two/encode${query}`, rows);
    const grpc = await both.grpc.call(encodeFrame, { model: 'two', ...inputs(rows), ...request });
    expect(Buffer.from(grpc.frame)).toEqual(rest.bytes);
    const { kind, rawBytes, wireBytes, $typeName, alternatives, warnings, ...receipt } = grpc.receipt ?? ({} as never);
    expect($typeName).toBe('hourglass.v1.FrameReceipt');
    expect(JSON.parse(rest.headers.get('x-hourglass-receipt') ?? '')).toEqual({
      ...receipt,
      ...(warnings.length > 0 && { warnings }),
      ...(receipt.shortfall !== undefined && {
        alternatives: alternatives.map(({ $typeName, bytes, ...offer }) => ({ ...offer, bytes: Number(bytes) })),
      }),
      kind: ['', 'compact', 'batch', 'standard', 'progressive'][kind],
      rawBytes: Number(rawBytes),
      wireBytes: Number(wireBytes),
    });
  });

  it('of one transport are decoded by the other to the same rows', async () => {
    const { bytes } = await restEncode('/encode?model=one', 4);
    const rest = await restDecode('/decode', bytes);
    const grpc = await both.grpc.call(decodeFrame, { frame: bytes, outputFormat: OutputFormat.RAW });
    expect(grpc).toMatchObject({ model: 'one', version: 1 });
    if (grpc.content.case !== 'outputs') throw new Error('no tensor');
    expect(grpc.content.value.shape).toEqual([4, rowSize]);
    expect(Buffer.from(grpc.content.value.raw)).toEqual(rest.bytes);
  });

  it('are refused alike', async () => {
    const { bytes } = await restEncode('/encode?model=one', 1);
    const damaged = Buffer.from(bytes);
    damaged[3] = (damaged[3] as number) ^ 1;
    const foreign = Buffer.from(bytes);
    foreign[1] = (foreign[1] as number) ^ 0xff;
    for (const [frame, model] of [
      [bytes, 'two'],
      [damaged, undefined],
      [foreign, undefined],
      [Buffer.from([0xf0, 0]), undefined],
      [Buffer.from([0x10]), undefined],
    ] as const) {
      const rest = restRefusal(await restDecode(model ? `/v1/models/${model}/decode` : '/decode', frame));
      const grpc = await grpcRefusal(both.grpc.call(decodeFrame, { frame, ...(model && { model }) }));
      expect(grpc).toEqual(rest);
    }
  });

  it('that may still arrive keep their version from being deleted, unless that is forced', async () => {
    await publishCoded(both.registry, 'gone', 8);
    await publishCoded(both.registry, 'gone-too', 8);
    const { deleteVersion, deleteModel } = RegistryService.method;
    const rest = restRefusal(await both.rest.send('DELETE', '/v1/models/gone/versions/1'));
    expect(rest.code).toBe('frames-expected');
    expect(await grpcRefusal(both.grpc.call(deleteVersion, { name: 'gone', version: 1 }))).toEqual(rest);
    const model = restRefusal(await both.rest.send('DELETE', '/v1/models/gone-too'));
    expect(await grpcRefusal(both.grpc.call(deleteModel, { name: 'gone-too' }))).toEqual(model);
    expect((await both.rest.send('DELETE', '/v1/models/gone/versions/1?force=true')).status).toBe(204);
    await both.grpc.call(deleteModel, { name: 'gone-too', force: true });
    expect(await both.registry.listModels()).not.toContain('gone-too');
  });

  it('refuses options out of bounds', async () => {
    for (const request of [{ quality: 16 }, { maxBytes: 0 }, { psnr: Number.NaN }, { kind: 9 as FrameKind }]) {
      const refusal = await grpcRefusal(both.grpc.call(encodeFrame, { model: 'one', ...inputs(1), ...request }));
      expect(refusal.code).toBe('invalid-request');
    }
  });
});
