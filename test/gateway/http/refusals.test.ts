// Every wrong input by its own error: what a client sends, and the status, code, field and facts that it gets. Afterwards the
// gateway answers as before.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restRefusal } from '../../conformance/both.ts';
import { startGateway, type TestGateway } from './harness.ts';

const maxBatch = 100;
const maxBodyBytes = 1024 * 1024;
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ config: { maxBatch, maxBodyBytes, maxImagePixels: 10_000 } });
});
afterAll(async () => {
  const answer = await gateway.rest.send('POST', '/encode?model=tiny', { inputs: [[1, 2, 3, 4]] });
  expect(answer).toMatchObject({ status: 200, json: { codes: [[1, 2]] } });
  await gateway.stop();
});

interface Wrong {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

async function refusal(method: string, target: string, { body, headers = {} }: Wrong): Promise<string> {
  const isText = typeof body === 'string';
  const type = isText && !('content-type' in headers) ? { 'content-type': 'application/json' } : {};
  const answer = await gateway.rest.send(method, target, body, { ...type, ...headers });
  const { code } = restRefusal(answer);
  const { field, detail } = answer.json as { field?: string; detail: string };
  expect(answer.headers.get('x-request-id')).toBe((answer.json as { requestId: string }).requestId);
  expect(detail).toMatch(/\.$/);
  expect(JSON.stringify(answer.json)).not.toMatch(/node:|\/src\/|\/dist\/|\/tmp\/|at \w+ \(|undefined|\[object/);
  return field === undefined ? String(code) : `${code} ${field}`;
}

const text = (inputs: string) => `{"inputs":${inputs}}`;
const octets = { 'content-type': 'application/octet-stream' };
const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const long = Array(784).fill(0);

describe('predictions', () => {
  it.each([
    ['no body', { body: undefined }, 'invalid-request'],
    ['an empty body', { body: '' }, 'malformed-json'],
    ['text', { body: 'hello' }, 'malformed-json'],
    ['half a body', { body: '{"inputs":[[1,2' }, 'malformed-json'],
    ['an array', { body: '[]' }, 'invalid-request'],
    ['null', { body: 'null' }, 'invalid-request'],
    ['no rows', { body: '{}' }, 'invalid-request /inputs'],
    ['rows under another name', { body: '{"instances":[[1,2,3,4]]}' }, 'unknown-field /instances'],
    ['codes for encode', { body: '{"codes":[[1,2]]}' }, 'unknown-field /codes'],
    ['an unknown field', { body: '{"inputs":[[1,2,3,4]],"a/b":1}' }, 'unknown-field /a~1b'],
    ['__proto__', { body: '{"__proto__":{"x":1},"inputs":[[1,2,3,4]]}' }, 'unknown-field /__proto__'],
    ['a field twice', { body: '{"inputs":[[1,2,3,4]],"inputs":[[1,2,3,4]]}' }, 'malformed-json'],
    ['a model that is a number', { body: '{"model":1,"inputs":[[1,2,3,4]]}' }, 'invalid-type /model'],
    ['an empty batch', { body: text('[]') }, 'empty-batch /inputs'],
    ['one row without its list', { body: text('[1,2,3,4]') }, 'shape-mismatch /inputs'],
    ['rows that are too short', { body: text('[[1,2,3]]') }, 'shape-mismatch /inputs'],
    ['rows that are too long', { body: text('[[1,2,3,4,5]]') }, 'shape-mismatch /inputs'],
    ['rows of another rank', { body: text('[[[1],[2],[3],[4]]]') }, 'shape-mismatch /inputs'],
    ['rows of different length', { body: text('[[1,2,3,4],[1,2]]') }, 'shape-mismatch /inputs/1'],
    ['an empty row', { body: text('[[]]') }, 'shape-mismatch /inputs/0'],
    ['nesting without end', { body: text('['.repeat(100_000)) }, 'shape-mismatch /inputs/0/0/0/0/0/0/0/0'],
    ['nesting elsewhere', { body: `{"model":${'['.repeat(250_000)}` }, 'malformed-json'],
    ['too many rows', { body: text(`[${Array(maxBatch + 1).fill('[1,2,3,4]')}]`) }, 'batch-too-large /inputs'],
    ['a string', { body: text('[[1,2,3,"4"]]') }, 'invalid-type /inputs/0/3'],
    ['"Infinity"', { body: text('[["Infinity",2,3,4]]') }, 'invalid-type /inputs/0/0'],
    ['null for a number', { body: text('[[1,null,3,4]]') }, 'invalid-type /inputs/0/1'],
    ['true for a number', { body: text('[[1,2,true,4]]') }, 'invalid-type /inputs/0/2'],
    ['NaN', { body: text('[[1,2,3,NaN]]') }, 'non-finite /inputs/0/3'],
    ['-Infinity', { body: text('[[1,2,3,-Infinity]]') }, 'non-finite /inputs/0/3'],
    ['a number beyond float32', { body: text('[[1,2,3,1e39]]') }, 'non-finite /inputs/0/3'],
    ['a number beyond float64', { body: text('[[1,2,3,1e999]]') }, 'non-finite /inputs/0/3'],
    ['a number of 500 kB', { body: text(`[[${'1'.repeat(500_000)}]]`) }, 'malformed-json'],
    ['a byte order mark', { body: '\ufeff{"inputs":[[1,2,3,4]]}' }, 'malformed-json'],
    [
      'no UTF-8',
      { body: Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), headers: { 'content-type': 'application/json' } },
      'malformed-json',
    ],
    ['too large a body', { body: text(`[[${' '.repeat(maxBodyBytes)}1]]`) }, 'payload-too-large'],
    ['no bytes', { body: new Uint8Array(), headers: octets }, 'empty-batch'],
    ['bytes that are no rows', { body: new Uint8Array(17), headers: octets }, 'shape-mismatch'],
    ['half a row of bytes', { body: bytes(1, 2), headers: octets }, 'shape-mismatch'],
    ['NaN in bytes', { body: bytes(1, 2, 3, Number.NaN), headers: octets }, 'non-finite /inputs/0/3'],
    [
      'infinity in bytes',
      { body: bytes(1, 2, 3, 4, 1, Number.POSITIVE_INFINITY, 3, 4), headers: octets },
      'non-finite /inputs/1/1',
    ],
    [
      'too many rows in bytes',
      { body: new Uint8Array(16 * (maxBatch + 1)), headers: octets },
      'batch-too-large /inputs',
    ],
    ['no picture', { body: bytes(1, 2, 3, 4), headers: { 'content-type': 'image/png' } }, 'image-unreadable'],
    [
      'an unknown type',
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      'unsupported-media-type Content-Type',
    ],
    [
      'a form',
      { body: 'inputs=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      'unsupported-media-type Content-Type',
    ],
    [
      'XML',
      { body: '<inputs/>', headers: { 'content-type': 'application/xml' } },
      'unsupported-media-type Content-Type',
    ],
    [
      'UTF-16',
      { body: '{}', headers: { 'content-type': 'application/json; charset=utf-16' } },
      'unsupported-media-type Content-Type',
    ],
    ['a type that is none', { body: '{}', headers: { 'content-type': 'nonsense' } }, 'unsupported-media-type'],
    ['no type, and no JSON', { body: bytes(1, 2, 3, 4) }, 'unsupported-media-type Content-Type'],
    [
      'gzip',
      { body: gzipSync('{}'), headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } },
      'unsupported-media-type Content-Encoding',
    ],
    [
      'an encoding that is none',
      { body: '{}', headers: { 'content-encoding': 'x' } },
      'unsupported-media-type Content-Encoding',
    ],
    [
      'an answer that is not there',
      { body: text('[[1,2,3,4]]'), headers: { accept: 'text/html' } },
      'not-acceptable Accept',
    ],
    ['codes as a picture', { body: text('[[1,2,3,4]]'), headers: { accept: 'image/png' } }, 'not-acceptable Accept'],
  ] as [string, Wrong, string][])('%s', async (_, wrong, expected) => {
    expect(await refusal('POST', '/v1/models/tiny/encode', wrong)).toBe(expected);
    const short = await refusal('POST', '/encode?model=tiny', wrong);
    expect(short).toBe(expected);
  });

  it.each([
    ['/v1/models/nothing/encode', 'model-not-found'],
    ['/v1/models/tiny@9/encode', 'version-not-found'],
    ['/v1/models/tiny:nothing/encode', 'version-not-found'],
    ['/v1/models/Tiny/encode', 'invalid-reference'],
    ['/v1/models/tiny@latest/encode', 'invalid-reference'],
    ['/v1/models/..%2f..%2fetc/encode', 'invalid-reference'],
    ['/v1/models/%00/encode', 'invalid-reference'],
    [`/v1/models/${'a'.repeat(64)}/encode`, 'invalid-reference'],
    [`/v1/models/${'a'.repeat(300)}/encode`, 'invalid-request'],
    ['/encode?model=nothing', 'model-not-found'],
    ['/encode?model=', 'invalid-request ?model'],
    ['/encode', 'model-required'],
    ['/encode?Model=tiny', 'unknown-field ?Model'],
    ['/encode?model=tiny&model=tiny', 'invalid-type ?model'],
    ['/encode?model=tiny&resize=1', 'invalid-type ?resize'],
    ['/v1/models/tiny/encode?model=digits', 'unknown-field ?model'],
  ])('%s', async (target, expected) => {
    const found = await refusal('POST', target, { body: text('[[1,2,3,4]]') });
    expect(
      found.startsWith('model-') || found.startsWith('version-') || found.startsWith('invalid-reference')
        ? found.split(' ')[0]
        : found,
    ).toBe(expected);
  });

  it.each([
    ['inputs for decode', '/decode?model=tiny', { body: text('[[1,2]]') }, 'unknown-field /inputs'],
    ['codes that are too long', '/decode?model=tiny', { body: '{"codes":[[1,2,3]]}' }, 'shape-mismatch /codes'],
    [
      'a picture for decode',
      '/decode?model=tiny',
      { body: bytes(1), headers: { 'content-type': 'image/png' } },
      'unsupported-media-type Content-Type',
    ],
    [
      'a picture of a model without pictures',
      '/decode?model=digits',
      { body: `{"codes":[[${long.slice(0, 31)}]]}`, headers: { accept: 'image/png' } },
      'shape-mismatch /codes',
    ],
  ] as [string, string, Wrong, string][])('%s', async (_, target, wrong, expected) => {
    expect(await refusal('POST', target, wrong)).toBe(expected);
  });
});

const job = (changes: object) => JSON.stringify({ name: 'x', dataset: 'mnist', model: { type: 'dense' }, ...changes });

describe('jobs', () => {
  it.each([
    ['no body', { body: undefined }, 'invalid-request'],
    ['half a body', { body: '{"name":' }, 'malformed-json'],
    ['an array', { body: '[1]' }, 'invalid-type'],
    ['nothing in it', { body: '{}' }, 'invalid-request /name'],
    ['an unknown field', { body: job({ colour: 'red' }) }, 'unknown-field /colour'],
    ['an unknown field further down', { body: job({ training: { epoch: 3 } }) }, 'unknown-field /training/epoch'],
    ['a name that is none', { body: job({ name: 'Über' }) }, 'invalid-spec /name'],
    ['an unknown data set', { body: job({ dataset: 'nothing' }) }, 'dataset-not-found dataset'],
    ['an unknown model', { body: job({ model: { type: 'transformer' } }) }, 'invalid-spec /model/type'],
    ['a model that is text', { body: job({ model: 'dense' }) }, 'invalid-type /model'],
    ['epochs as text', { body: job({ training: { epochs: '5' } }) }, 'invalid-type /training/epochs'],
    ['epochs as null', { body: job({ training: { epochs: null } }) }, 'invalid-type /training/epochs'],
    ['epochs as true', { body: job({ training: { epochs: true } }) }, 'invalid-type /training/epochs'],
    ['half an epoch', { body: job({ training: { epochs: 0.5 } }) }, 'invalid-spec /training/epochs'],
    ['no epoch', { body: job({ training: { epochs: 0 } }) }, 'invalid-spec /training/epochs'],
    [
      'a rate beyond float32',
      {
        body: '{"name":"x","dataset":"mnist","model":{"type":"dense"},"training":{"optimizer":{"type":"adam","learningRate":1e99}}}',
      },
      'non-finite /training/optimizer/learningRate',
    ],
    ['nesting without end', { body: '{"a":'.repeat(150_000) }, 'malformed-json'],
    ['bytes', { body: Uint8Array.of(1), headers: octets }, 'unsupported-media-type Content-Type'],
    ['too large a body', { body: job({ name: 'x'.repeat(maxBodyBytes) }) }, 'payload-too-large'],
    ['an empty key', { body: job({}), headers: { 'idempotency-key': '""' } }, 'invalid-request Idempotency-Key'],
    [
      'too long a key',
      { body: job({}), headers: { 'idempotency-key': 'k'.repeat(256) } },
      'invalid-request Idempotency-Key',
    ],
  ] as [string, Wrong, string][])('%s', async (_, wrong, expected) => {
    expect(await refusal('POST', '/v1/jobs', wrong)).toBe(expected);
    expect(await gateway.queue.list()).toEqual({ jobs: [] });
  });
});

describe('everything else', () => {
  const unknown = '0'.repeat(26);
  it.each([
    ['GET', '/v1', 'route-not-found'],
    ['GET', '/v1//jobs', 'route-not-found'],
    ['GET', '/metrics', 'route-not-found'],
    ['POST', '/nowhere', 'route-not-found'],
    ['PATCH', '/v1/jobs', 'method-not-allowed'],
    ['DELETE', '/v1/jobs', 'method-not-allowed'],
    ['GET', '/encode', 'method-not-allowed'],
    ['OPTIONS', '/v1/models/tiny', 'method-not-allowed'],
    ['HEAD', `/v1/jobs/${unknown}/events`, 'method-not-allowed'],
    ['GET', '/v1/jobs?state=done', 'invalid-request ?state'],
    ['GET', '/v1/jobs?limit=0', 'invalid-request ?limit'],
    ['GET', '/v1/jobs?limit=1.5', 'invalid-request ?limit'],
    ['GET', '/v1/jobs?limit=ten', 'invalid-type ?limit'],
    ['GET', '/v1/jobs?limit=1&limit=2', 'invalid-type ?limit'],
    ['GET', '/v1/jobs?cursor=%21', 'invalid-request ?cursor'],
    ['GET', '/v1/jobs?page=2', 'unknown-field ?page'],
    ['GET', '/v1/jobs?__proto__=2', 'unknown-field ?__proto__'],
    ['GET', `/v1/jobs/${unknown}`, 'job-not-found id'],
    ['GET', '/v1/jobs/*', 'job-not-found id'],
    ['POST', `/v1/jobs/${unknown}/cancel`, 'job-not-found id'],
    ['GET', `/v1/jobs/${unknown}/events`, 'job-not-found id'],
    ['GET', '/v1/datasets/nothing', 'dataset-not-found dataset'],
    ['GET', '/v1/datasets/..%2f..%2fetc%2fpasswd', 'dataset-not-found dataset'],
    ['DELETE', '/v1/datasets/nothing', 'dataset-not-found'],
    ['DELETE', '/v1/datasets/mnist', 'dataset-read-only dataset'],
    ['GET', '/v1/models/nothing', 'model-not-found'],
    ['GET', '/v1/models/tiny@1', 'invalid-reference'],
    ['GET', '/v1/models/tiny/versions/2', 'version-not-found'],
    ['GET', '/v1/models/tiny/versions/0', 'invalid-reference'],
    ['GET', '/v1/models/tiny/versions/1e0', 'invalid-reference'],
    ['GET', '/v1/models/tiny/versions/newest', 'invalid-reference'],
    ['GET', '/v1/models/tiny:x/versions/1', 'invalid-reference'],
    ['GET', '/v1/models/tiny/versions/1/files/secret.txt', 'file-not-found'],
    ['GET', '/v1/models/tiny/versions/1/files/..%2fmanifest.json', 'file-not-found'],
    ['DELETE', '/v1/models/tiny/aliases/nothing', 'version-not-found'],
    ['DELETE', '/v1/models/tiny/versions/7', 'version-not-found'],
  ])('%s %s', async (method, target, expected) => {
    const found = await (method === 'HEAD' ? headRefusal(target) : refusal(method, target, {}));
    expect(expected.includes(' ') ? found : found.split(' ')[0]).toBe(expected);
  });

  it.each([
    ['{"version":"2"}', 'invalid-type /version'],
    ['{"version":0}', 'invalid-request /version'],
    ['{"version":9}', 'version-not-found'],
    ['{"version":1,"x":1}', 'unknown-field /x'],
    ['{}', 'invalid-request /version'],
    ['2', 'invalid-type'],
  ])('an alias to %s', async (body, expected) => {
    const found = await refusal('PUT', '/v1/models/tiny/aliases/stable', { body });
    expect(expected.includes(' ') ? found : found.split(' ')[0]).toBe(expected);
    expect(await refusal('PUT', '/v1/models/tiny/aliases/9', { body: '{"version":1}' })).toMatch(/^invalid-reference/);
  });

  it('refuses a body where there is none', async () => {
    expect(await refusal('POST', `/v1/jobs/${unknown}/cancel`, { body: '{"force":true}' })).toBe('invalid-request');
    expect(await refusal('POST', `/v1/jobs/${unknown}/cancel`, { body: '{}' })).toBe('job-not-found id');
  });
});

async function headRefusal(target: string): Promise<string> {
  const { status, headers } = await fetch(`http://127.0.0.1:${gateway.port}${target}`, { method: 'HEAD' });
  expect({ status, allow: headers.get('allow') }).toEqual({ status: 405, allow: 'GET' });
  return 'method-not-allowed';
}
