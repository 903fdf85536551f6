// What any client may do to the port: garbage, sizes, unknown methods, deadlines, going away. The server answers each with
// its own error and goes on.
import { randomBytes } from 'node:crypto';
import http2, { type ClientHttp2Stream } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncodeRequestSchema, InferenceService } from '../../../src/gen/hourglass/v1/inference_pb.ts';
import { failureOf, TestClient } from './client.ts';
import { GatedPredictor, startServer, type TestServer } from './harness.ts';

const { encode } = InferenceService.method;
const encodePath = '/hourglass.v1.InferenceService/Encode';
const tensor = (shape: number[], values: number[]) => ({
  content: { case: 'inputs' as const, value: { shape, values } },
});
const small = tensor([1, 2], [0.25, 0.5]);

let running: TestServer;
beforeAll(async () => {
  running = await startServer({ predictor: new GatedPredictor({ isOpen: true }) });
});
afterAll(() => running.stop());

const isAlive = async () => expect((await running.client.call(encode, small)).codes?.values).toEqual([0.25, 0.5]);

describe('a request that cannot be read', () => {
  const valid = toBinary(EncodeRequestSchema, create(EncodeRequestSchema, small));
  const nested = (depth: number) => {
    // Struct { fields { value { struct … } } }: the heads of all levels, counted from the innermost out
    const heads: number[][] = [];
    let length = 0;
    const enclose = (number: number) => {
      const head = [(number << 3) | 2];
      for (let n = length; ; n >>>= 7) {
        head.push(n > 127 ? (n & 127) | 128 : n);
        if (n <= 127) break;
      }
      heads.push(head);
      length += head.length;
    };
    for (let i = 0; i < depth; i++) for (const number of [5, 2, 1]) enclose(number);
    enclose(3);
    return Uint8Array.from(heads.reverse().flat());
  };

  it.each([
    ['cut off', encodePath, valid.subarray(0, valid.length - 3)],
    ['of an unknown wire type', encodePath, Uint8Array.of(0x0f, 0x01)],
    ['an endless varint', encodePath, new Uint8Array(64).fill(0xff)],
    ['a length beyond the end', encodePath, Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['a specification nested 20,000 deep', '/hourglass.v1.TrainingService/SubmitJob', nested(20_000)],
  ])('%s is malformed-body', async (_, path, bytes) => {
    const failure = await failureOf(running.client.raw(path, bytes));
    expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code: 'malformed-body', domain: 'hourglass' });
    expect(failure.text).toMatch(/is not a hourglass\.v1\.\w+ message/);
    await isAlive();
  });

  it('is never our own fault, whatever the bytes are', async () => {
    for (let i = 0; i < 200; i++) {
      const failure = await failureOf(running.client.raw(encodePath, randomBytes(1 + (i % 60))));
      expect(failure.status).toBe('INVALID_ARGUMENT');
    }
    await isAlive();
  });
});

describe('a request that is too large', () => {
  it('is payload-too-large, with the limit in the text', async () => {
    const request = { content: { case: 'inputs' as const, value: { shape: [1], raw: new Uint8Array(5 * 2 ** 20) } } };
    const failure = await failureOf(running.client.call(encode, request));
    expect(failure).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      code: 'payload-too-large',
      text: 'The message is larger than 4194304 bytes. Send less at a time.',
      facts: { expected: '4194304' },
    });
    await isAlive();
  });

  it('is refused while it is decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));
    const message = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), bomb]);
    message.writeUInt32BE(bomb.length, 1);
    const answer = await plain({ 'grpc-encoding': 'gzip' }, message);
    expect(answer).toMatchObject({ 'grpc-status': '8' });
    expect(decodeURI(String(answer['grpc-message']))).toContain('once decompressed');
    await isAlive();
  });

  it('costs no memory when it only claims to be large', async () => {
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 100; i++) {
      const failure = await failureOf(running.client.call(encode, tensor([1000, 65_535, 65_536], [1, 2, 3, 4, 5])));
      expect(failure).toMatchObject({ status: 'INVALID_ARGUMENT', code: 'shape-mismatch', field: '/inputs' });
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 2 ** 20);
  });
});

/** Plain HTTP/2 on the port: what a gRPC library would never send. */
async function plain(headers: Record<string, string>, body: Uint8Array, path = encodePath) {
  const session = http2.connect(`http://127.0.0.1:${running.port}`);
  session.on('error', () => undefined);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...headers,
    });
    stream.end(body);
    return await endOf(stream);
  } finally {
    session.destroy();
  }
}

function endOf(stream: ClientHttp2Stream): Promise<http2.IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    let headers: http2.IncomingHttpHeaders = {};
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (trailers) => Object.assign(headers, trailers));
    stream.on('error', reject);
    stream.on('close', () => resolve(headers));
    stream.resume();
  });
}

describe('a call that is no call', () => {
  it.each([
    ['/hourglass.v1.InferenceService/Guess'],
    ['/hourglass.v2.InferenceService/Encode'],
    ['/'],
    ['/%00%ff/..//'],
  ])('%s is UNIMPLEMENTED', async (path) => {
    const failure = await failureOf(running.client.raw(path, new Uint8Array()));
    expect(failure.status).toBe('UNIMPLEMENTED');
    await isAlive();
  });

  it('with bytes in its path that no header may answer with does not end the server', async () => {
    await plain({}, new Uint8Array(), '/é\u00ff').catch(() => undefined);
    await isAlive();
  });

  it('of another content type is 415', async () => {
    expect(await plain({ 'content-type': 'application/json' }, Buffer.from('{}'))).toMatchObject({ ':status': 415 });
  });

  it('with an unreadable timeout is malformed-body', async () => {
    expect(await plain({ 'grpc-timeout': 'soon' }, new Uint8Array())).toMatchObject({ 'grpc-status': '3' });
    await isAlive();
  });

  it('without a message, with a part of one or with two messages is malformed-body', async () => {
    const empty = Buffer.alloc(5);
    const cutOff = Buffer.from([0, 0, 0, 0, 100, 1, 2, 3]);
    for (const body of [new Uint8Array(), cutOff, cutOff.subarray(0, 3), Buffer.concat([empty, empty])]) {
      expect(await plain({}, body)).toMatchObject({ 'grpc-status': '3' });
    }
    await isAlive();
  });

  it('in an unknown compression is UNIMPLEMENTED', async () => {
    expect(await plain({ 'grpc-encoding': 'snappy' }, Buffer.from([1, 0, 0, 0, 0]))).toMatchObject({
      'grpc-status': '12',
    });
    await isAlive();
  });

  it('with too much metadata is headers-too-large', async () => {
    const metadata = { 'x-large': 'a'.repeat(20_000) };
    const failure = await failureOf(running.client.call(encode, small, { metadata }));
    expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'headers-too-large' });
    await isAlive();
  });

  it('with metadata beyond what HTTP/2 can carry harms nobody else', async () => {
    const other = new TestClient(running.port);
    await failureOf(other.call(encode, small, { metadata: { 'x-large': 'a'.repeat(1_000_000) } }));
    other.close();
    await isAlive();
  });
});
