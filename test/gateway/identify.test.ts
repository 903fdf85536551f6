// The caller that each transport finds out reaches the predictor, with the trace of a request that has one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCaller } from '../../src/base/caller.ts';
import { identify } from '../../src/gateway/identify.ts';
import { InferenceService } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { GatedPredictor, startServer, type TestServer } from './grpc/harness.ts';
import { startGateway, type TestGateway } from './http/harness.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('identify', () => {
  it('keeps a well-formed traceparent', () => {
    expect(identify(defaultCaller, '192.0.2.1', traceparent)).toEqual({
      ...defaultCaller,
      address: '192.0.2.1',
      traceparent,
    });
  });

  it.each([
    ['192.0.2.1:50051', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:50051', '192.0.2.1'],
    ['[2001:db8::1]:50051', '2001:db8:0:0'],
    ['2001:db8::1', '2001:db8:0:0'],
  ])('takes %s for the address %s, on every transport', (peer, address) => {
    expect(identify(defaultCaller, peer, undefined).address).toBe(address);
  });

  it.each([
    undefined,
    '',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    Buffer.from(traceparent),
  ])('takes %s for no trace', (given) => {
    expect(identify(defaultCaller, '192.0.2.1', given)).toEqual({ ...defaultCaller, address: '192.0.2.1' });
  });
});

describe('a prediction', () => {
  const predictor = new GatedPredictor({ isOpen: true });
  let http: TestGateway;
  let grpc: TestServer;
  beforeAll(async () => {
    http = await startGateway({ predictor });
    grpc = await startServer({ predictor });
  });
  afterAll(async () => {
    await grpc.stop();
    await http.stop();
  });

  const inputs = { shape: [1, 4], values: [1, 2, 3, 4] };
  it.each([
    [
      'REST',
      (headers: Record<string, string>) => http.rest.send('POST', '/encode', { inputs: [[1, 2, 3, 4]] }, headers),
    ],
    [
      'gRPC',
      (metadata: Record<string, string>) =>
        grpc.client.call(InferenceService.method.encode, { content: { case: 'inputs', value: inputs } }, { metadata }),
    ],
  ])('over %s is asked as its caller', async (_transport, ask) => {
    await ask({ traceparent });
    await ask({});
    const caller = { ...defaultCaller, address: '127.0.0.1' };
    expect(predictor.callers.splice(0)).toEqual([{ ...caller, traceparent }, caller]);
  });
});
