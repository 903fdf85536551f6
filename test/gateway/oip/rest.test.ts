// The Open Inference Protocol over REST, byte by byte as tritonclient and kserve send it, so that it holds without Python.
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../http/harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const row = Float32Array.of(1, 2, 3, 4);
const bytesOf = (floats: Float32Array): Buffer => Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
const input = { name: 'inputs', shape: [1, 4], datatype: 'FP32' };
const binary = { ...input, parameters: { binary_data_size: 16 } };
const url = '/v2/models/tiny/infer';

/** JSON with the bytes of its tensors behind it, as one body with the header that tells its length. */
function framed(request: object, ...tensors: Buffer[]) {
  const json = Buffer.from(JSON.stringify(request));
  const headers = { 'inference-header-content-length': String(json.length) };
  return { body: Buffer.concat([json, ...tensors]), headers };
}

const send = (body: Buffer, headers: Record<string, string> = {}, target = url) =>
  gateway.rest.send('POST', target, body, headers);
const sendJson = (request: object, target = url) => send(Buffer.from(JSON.stringify(request)), {}, target);

/** The output of an answer, wherever its numbers are. */
function outputOf({ headers, bytes }: Awaited<ReturnType<typeof send>>) {
  const length = headers.get('inference-header-content-length');
  const answer = JSON.parse(bytes.subarray(0, length === null ? undefined : Number(length)).toString());
  const [output] = answer.outputs;
  if (length === null) return { answer, output, data: output.data as number[] };
  const raw = bytes.subarray(Number(length));
  expect(output.parameters.binary_data_size).toBe(raw.length);
  return { answer, output, data: [...new Float32Array(new Uint8Array(raw).buffer)] };
}

describe('infer', () => {
  it('takes JSON without a Content-Type, flat or nested', async () => {
    for (const data of [[1, 2, 3, 4], [[1, 2, 3, 4]]]) {
      const answer = await sendJson({ id: '7', inputs: [{ ...input, data }] });
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        ...{ model_name: 'tiny', model_version: '1', id: '7' },
        outputs: [{ name: 'codes', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
        // The model was trained on values from 0 to 1.
        parameters: { warning: expect.stringContaining('The rows have values up to 4') },
      });
    }
  });

  it.each([
    ['as it is', (body: Buffer) => body, {}],
    ['as gzip', gzipSync, { 'content-encoding': 'gzip' }],
    ['as deflate', deflateSync, { 'content-encoding': 'deflate' }],
  ])('takes binary tensors %s: the header counts the inflated JSON', async (_how, compress, coding) => {
    const { body, headers } = framed({ inputs: [binary] }, bytesOf(row));
    const answer = await send(compress(body), { ...headers, ...(coding as object) });
    expect(outputOf(answer).data).toEqual([1, 2]);
  });

  it('answers in bytes where an output, or else the request, asks for it', async () => {
    const asked = (output: unknown, all: unknown) => ({
      inputs: [{ ...input, data: [1, 2, 3, 4] }],
      ...(output !== undefined && { outputs: [{ name: 'codes', parameters: { binary_data: output } }] }),
      ...(all !== undefined && { parameters: { binary_data_output: all } }),
    });
    const isBinary = async (output?: boolean, all?: boolean) => {
      const answer = await sendJson(asked(output, all));
      expect(outputOf(answer).data).toEqual([1, 2]);
      return answer.headers.has('inference-header-content-length');
    };
    expect(await isBinary()).toBe(false);
    expect(await isBinary(undefined, true)).toBe(true);
    expect(await isBinary(true)).toBe(true);
    expect(await isBinary(false, true)).toBe(false);
  });

  it('compresses what is large for who accepts it', async () => {
    const rows = 500;
    const data = Array.from({ length: 4 * rows }, (_, i) => i % 7);
    const answer = await new Promise<{ coding: string | undefined; body: Buffer }>((resolve, reject) => {
      import('node:http').then(({ request }) => {
        const options = { port: gateway.port, path: url, method: 'POST', headers: { 'accept-encoding': 'gzip' } };
        const call = request(options, async (response) => {
          const pieces: Buffer[] = [];
          for await (const piece of response) pieces.push(piece as Buffer);
          resolve({ coding: response.headers['content-encoding'], body: Buffer.concat(pieces) });
        });
        call.on('error', reject);
        call.end(JSON.stringify({ inputs: [{ ...input, shape: [rows, 4], data }] }));
      }, reject);
    });
    expect(answer.coding).toBe('gzip');
    expect(JSON.parse(gunzipSync(answer.body).toString()).outputs[0].shape).toEqual([rows, 2]);
  });

  it.each([
    ['UINT8', Buffer.from([1, 2, 3, 4])],
    ['INT8', Buffer.from(Int8Array.of(1, 2, 3, 4).buffer)],
    ['INT16', Buffer.from(Int16Array.of(1, 2, 3, 4).buffer)],
    ['INT32', Buffer.from(Int32Array.of(1, 2, 3, 4).buffer)],
    ['INT64', Buffer.from(BigInt64Array.of(1n, 2n, 3n, 4n).buffer)],
    ['FP64', Buffer.from(Float64Array.of(1, 2, 3, 4).buffer)],
    ['FP16', Buffer.from(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400).buffer)],
    ['BF16', Buffer.from(Uint16Array.of(0x3f80, 0x4000, 0x4040, 0x4080).buffer)],
  ])('converts inputs of %s', async (datatype, raw) => {
    const tensor = { ...input, datatype, parameters: { binary_data_size: raw.length } };
    const { body, headers } = framed({ inputs: [tensor] }, raw);
    expect(outputOf(await send(body, headers)).data).toEqual([1, 2]);
  });

  it.each([
    ['encode', '/v2/models/tiny.encode/infer', 'inputs', 'codes', [1, 2]],
    ['decode', '/v2/models/tiny.decode/infer', 'codes', 'outputs', [1, 2, 0, 0]],
    ['denoise', '/v2/models/tiny.denoise/versions/1/infer', 'inputs', 'outputs', [1, 2, 0, 0]],
    ['classify', '/v2/models/tiny.classify/infer', 'inputs', 'probabilities', undefined],
  ])('answers %s as a model of its own', async (operation, target, name, wanted, numbers) => {
    const data = operation === 'decode' ? [1, 2] : [1, 2, 3, 4];
    const { output, data: found } = outputOf(
      await sendJson({ inputs: [{ ...input, name, shape: [1, data.length], data }] }, target),
    );
    expect(output.name).toBe(wanted);
    if (numbers) expect(found).toEqual(numbers);
    else expect(found.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1);
  });

  it('takes the operation as a parameter, versions and aliases', async () => {
    await gateway.registry.setAlias('tiny', 'stable', 1);
    const request = { inputs: [{ ...input, data: [1, 2, 3, 4] }], parameters: { operation: 'reconstruct' } };
    for (const target of [url, '/v2/models/tiny/versions/stable/infer', '/v2/models/tiny:stable/infer']) {
      expect(outputOf(await sendJson(request, target)).data).toEqual([1, 2, 0, 0]);
    }
  });
});

describe('refusals', () => {
  it.each([
    [
      'a model that is not there',
      '/v2/models/nobody/infer',
      { inputs: [{ ...input, data: [1, 2, 3, 4] }] },
      404,
      'model-not-found',
    ],
    [
      'a version that is not there',
      '/v2/models/tiny/versions/9/infer',
      { inputs: [{ ...input, data: [1, 2, 3, 4] }] },
      404,
      'version-not-found',
    ],
    [
      'an input of another name',
      url,
      { inputs: [{ ...input, name: 'x', data: [1, 2, 3, 4] }] },
      400,
      'invalid-request',
    ],
    ['no inputs', url, { inputs: [] }, 400, 'invalid-request'],
    ['inputs that are no list', url, { inputs: 3 }, 422, 'invalid-type'],
    [
      'an output that is not there',
      url,
      { inputs: [{ ...input, data: [1, 2, 3, 4] }], outputs: [{ name: 'z' }] },
      400,
      'invalid-request',
    ],
    ['text', url, { inputs: [{ ...input, datatype: 'BYTES', data: ['a'] }] }, 422, 'invalid-type'],
    [
      'text by its datatype',
      url,
      { inputs: [{ ...input, datatype: 'BYTES', data: [1, 2, 3, 4] }] },
      422,
      'invalid-type',
    ],
    ['too few elements', url, { inputs: [{ ...input, data: [1, 2, 3] }] }, 422, 'shape-mismatch'],
    [
      'a shape that is none',
      url,
      { inputs: [{ ...input, shape: [1, -4], data: [1, 2, 3, 4] }] },
      422,
      'shape-mismatch',
    ],
    ['no data', url, { inputs: [input] }, 400, 'invalid-request'],
    ['bytes that do not follow', url, { inputs: [binary] }, 400, 'invalid-request'],
    [
      'another operation than the name’s',
      '/v2/models/tiny.decode/infer',
      { inputs: [], parameters: { operation: 'encode' } },
      400,
      'invalid-request',
    ],
  ])('%s: with the error beside the problem', async (_what, target, request, status, code) => {
    const answer = await sendJson(request, target);
    expect(answer).toMatchObject({ status, json: { code } });
    const { error, detail } = answer.json as { error: string; detail: string };
    expect(error).toBe(detail);
  });

  it('a header length that is none or too long, bytes left over, damaged and too large compression', async () => {
    const { body } = framed({ inputs: [binary] }, bytesOf(row));
    const codeOf = async (bytes: Buffer, headers: Record<string, string>) =>
      ((await send(bytes, headers)).json as { code: string }).code;
    expect(await codeOf(body, { 'inference-header-content-length': 'x' })).toBe('invalid-request');
    expect(await codeOf(body, { 'inference-header-content-length': '99999' })).toBe('invalid-request');
    const { headers } = framed({ inputs: [binary] });
    expect(await codeOf(Buffer.concat([body, Buffer.alloc(4)]), headers)).toBe('invalid-request');
    expect(await codeOf(body, { ...headers, 'content-encoding': 'gzip' })).toBe('malformed-body');
    expect(await codeOf(body, { ...headers, 'content-encoding': 'br' })).toBe('unsupported-media-type');
    const bomb = gzipSync(Buffer.alloc(70 * 2 ** 20));
    expect(await codeOf(bomb, { 'content-encoding': 'gzip' })).toBe('decompressed-too-large');
  });

  it('an empty version in the path', async () => {
    const answer = await gateway.rest.send('GET', '/v2/models/tiny/versions//ready');
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid-request', error: expect.any(String) } });
  });

  it('unknown paths have the error member too', async () => {
    const answer = await gateway.rest.send('GET', '/v2/nothing');
    expect(answer).toMatchObject({ status: 404, json: { code: 'route-not-found', error: expect.any(String) } });
  });
});

describe('the rest of the protocol', () => {
  const get = async (target: string) => (await gateway.rest.send('GET', target)).json;

  it('health, with the members that clients look for', async () => {
    expect(await get('/v2/health/live')).toEqual({ live: true, ready: true });
    expect(await get('/v2/health/ready')).toEqual({ live: true, ready: true });
    expect(await get('/v2/models/tiny/ready')).toEqual({ name: 'tiny', ready: true });
  });

  it('metadata, with and without a slash at the end', async () => {
    const server = { name: 'hourglass', extensions: expect.arrayContaining(['binary_tensor_data']) };
    expect(await get('/v2')).toMatchObject(server);
    expect(await get('/v2/')).toMatchObject(server);
    expect(await get('/v2/models/digits.decode')).toEqual({
      ...{ name: 'digits.decode', versions: ['1', '2'], platform: 'hourglass_onnxruntime' },
      inputs: [{ name: 'codes', datatype: 'FP32', shape: [-1, 32] }],
      outputs: [{ name: 'outputs', datatype: 'FP32', shape: [-1, 28, 28, 1] }],
    });
    expect(await get('/v2/models/tiny/config')).toMatchObject({
      max_batch_size: 16_384,
      input: [{ name: 'inputs', data_type: 'TYPE_FP32', dims: [2, 2, 1] }],
    });
  });

  it('repository: index, load, unload; models are listed with their operations', async () => {
    const post = (target: string) => gateway.rest.send('POST', target);
    expect((await post('/v2/repository/index')).json).toContainEqual({
      ...{ name: 'tiny.classify', version: '1', state: 'READY', reason: '' },
    });
    for (const action of ['load', 'unload', 'load']) {
      expect((await post(`/v2/repository/models/tiny/${action}`)).status).toBe(200);
    }
    expect((await post('/v2/repository/models/nobody/load')).status).toBe(404);
    for (const target of ['/v2/repository/index', '/v2/repository/models/tiny/load']) {
      expect((await sendJson({ ready: true }, target)).status).toBe(200);
      for (const wrong of ['null', '[]', '1', '{']) {
        const refused = await send(Buffer.from(wrong), {}, target);
        expect(refused.status).toBe(400);
        expect(refused.json).toMatchObject({ error: expect.any(String) });
      }
    }
    expect(await get('/v2/models')).toMatchObject({ models: expect.arrayContaining(['tiny', 'digits.decode']) });
    expect(outputOf(await sendJson({ inputs: [{ ...input, data: [1, 2, 3, 4] }] })).data).toEqual([1, 2]);
  });

  it('statistics count what was answered', async () => {
    const of = async () =>
      (await get('/v2/models/tiny.reconstruct/stats')) as { model_stats: { inference_count: number }[] };
    const before = (await of()).model_stats[0]?.inference_count ?? 0;
    await sendJson(
      { inputs: [{ ...input, shape: [2, 4], data: [1, 2, 3, 4, 5, 6, 7, 8] }] },
      '/v2/models/tiny.reconstruct/infer',
    );
    expect((await of()).model_stats[0]?.inference_count).toBe(before + 2);
  });
});
