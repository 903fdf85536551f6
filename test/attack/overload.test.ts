// More predictions than are answered in time: the rest is refused at once over every transport, with a time to come back, and
// probes and metrics answer.
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { grpcStatus } from '../../src/base/errors.ts';
import { EncodeRequestSchema } from '../../src/gen/hourglass/v1/inference_pb.ts';
import { ModelInferRequestSchema } from '../../src/gen/inference/grpc_predict_v2_pb.ts';
import { call, framed, startTarget, type Target } from './target.ts';

const atOnce = 60;
const row = Float32Array.of(1, 2, 3, 4);
const raw = new Uint8Array(row.buffer);

const restCalls = {
  '/encode?model=tiny': { inputs: [[...row]] },
  '/v1/models/tiny/decode': { codes: [[1, 2]] },
  '/v2/models/tiny/infer': { inputs: [{ name: 'inputs', shape: [1, 4], datatype: 'FP32', data: [...row] }] },
  '/v1/models/tiny:predict': { instances: [[...row]] },
};

const grpcCalls = {
  'hourglass.v1.InferenceService/Encode': toBinary(
    EncodeRequestSchema,
    create(EncodeRequestSchema, { model: 'tiny', content: { case: 'inputs', value: { shape: [1, 4], raw } } }),
  ),
  'inference.GRPCInferenceService/ModelInfer': toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: 'tiny',
      inputs: [{ name: 'inputs', datatype: 'FP32', shape: [1n, 4n] }],
      rawInputContents: [raw],
    }),
  ),
};

const pipelined = 8;

/** Asks several times in one packet, so that all arrive in one turn of the event loop. */
async function post(target: Target, path: string, body: object, count: number) {
  const text = JSON.stringify(body);
  const socket = await target.open();
  let received = '';
  socket.resume().on('data', (chunk) => (received += chunk));
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`.repeat(
      count,
    ),
  );
  const answers = () => received.split(/(?=HTTP\/1\.1 \d{3})/).filter((answer) => /\r\n\r\n.*\}$/s.test(answer));
  await expect.poll(() => answers().length, { timeout: 20_000 }).toBe(count);
  return answers().map((answer) => ({
    status: Number(answer.slice(9, 12)),
    retryAfter: /^retry-after: (\d+)/im.exec(answer)?.[1],
    code: /"code":"([\w-]+)"/.exec(answer)?.[1],
  }));
}

async function grpc(target: Target, method: string, message: Uint8Array, count: number) {
  const session = await target.session();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { stream, status } = call(session, method);
      let pushback: unknown;
      const note = (fields: Record<string, unknown>): void => {
        pushback ??= fields['grpc-retry-pushback-ms'];
      };
      stream.on('response', note).on('trailers', note).resume().end(framed(message));
      return { status: await status, pushback };
    }),
  );
}

it('refuses over every transport what is beyond a fixed limit, and answers afterwards', async () => {
  const target = await startTarget({ maxInFlight: 2 });
  for (const [path, body] of Object.entries(restCalls)) {
    expect(await post(target, path, body, 1), path).toMatchObject([{ status: 200 }]);
    const answers = await post(target, path, body, pipelined);
    expect(new Set(answers.map(({ status }) => status)), path).toEqual(new Set([200, 429]));
    for (const { status, retryAfter, code } of answers) {
      expect([retryAfter, code]).toEqual(status === 429 ? ['1', 'overloaded'] : [undefined, undefined]);
    }
    for (const probe of ['/livez', '/readyz']) expect((await fetch(target.url + probe)).status).toBe(200);
    expect(await post(target, path, body, 1), path).toMatchObject([{ status: 200 }]);
  }
  for (const [method, message] of Object.entries(grpcCalls)) {
    const answers = await grpc(target, method, message, atOnce);
    const ok = 0;
    expect(new Set(answers.map(({ status }) => status)), method).toEqual(new Set([ok, grpcStatus.RESOURCE_EXHAUSTED]));
    for (const { status, pushback } of answers) expect(pushback).toBe(status === ok ? undefined : '1000');
    expect((await grpc(target, method, message, 1))[0]?.status, method).toBe(ok);
  }
});
