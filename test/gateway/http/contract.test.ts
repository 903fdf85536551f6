// The contract against what the gateway really does: the file that is checked in, every route, every kind of answer by its schema,
// the error table, and the page for people.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { sdkTypes } from '../../../scripts/sdk-types.mjs';
import { errorTable } from '../../../src/base/errors.ts';
import type { Contract } from '../../../src/gateway/http/contract.ts';
import { contractText } from '../../../src/gateway/http/contract-text.ts';
import { floats, npy } from '../../data/arrays.ts';
import { startGateway, type TestGateway } from './harness.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const text = await contractText(version);
const contract = parse(text) as Contract;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(contract, 'contract');

/** What is wrong with an answer's body by the contract; undefined when nothing is. */
function flaw(route: string, method: string, status: number, type: string, body: unknown): string | undefined {
  const content = contract.paths[route]?.[method]?.responses[status]?.content;
  if (!content?.[type]) return `${method} ${route} ${status} ${type} is not in the contract`;
  const pointer = ['paths', route, method, 'responses', status, 'content', type, 'schema']
    .map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  const validate = ajv.getSchema(`contract#/${pointer}`);
  return validate?.(body) ? undefined : ajv.errorsText(validate?.errors);
}

describe('openapi.yaml', () => {
  it('is what the routes say', () => {
    const checkedIn = readFileSync(path.join(root, 'openapi.yaml'), 'utf8');
    expect(checkedIn === text, 'openapi.yaml is stale, run: npm run generate:openapi').toBe(true);
  });

  it('is what the types of the SDK say', () => {
    const checkedIn = readFileSync(path.join(root, 'src/sdk/gen/contract.ts'), 'utf8');
    expect(checkedIn === sdkTypes(contract), 'stale, run: npm run generate:openapi').toBe(true);
  });

  it('is served as it is generated', async () => {
    const { bytes, headers } = await gateway.rest.send('GET', '/openapi.yaml');
    expect(headers.get('content-type')).toBe('application/yaml; charset=utf-8');
    expect(bytes.toString()).toBe(text);
  });

  it('has all codes of the error table and no others', () => {
    const { properties } = contract.components.schemas.Problem ?? {};
    expect(properties?.code?.enum).toEqual(Object.keys(errorTable));
  });

  it('has no code that nothing throws', () => {
    const src = path.join(root, 'src');
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !/^(base.errors|sdk|gen)\b/.test(file),
    );
    const code = files.map((file) => readFileSync(path.join(src, file), 'utf8')).join('\n');
    const statements = code.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const unused = Object.keys(errorTable).filter((name) => !statements.includes(`'${name}'`));
    // thrown by the limits on queued jobs
    expect(unused.filter((name) => name !== 'quota-exceeded')).toEqual([]);
  });

  it('describes no default as an object and no tuple, over which generators of clients stumble', () => {
    const odd: string[] = [];
    const walk = (node: unknown, at: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const { default: value, prefixItems, items } = node as Record<string, unknown>;
      if (typeof value === 'object' || prefixItems !== undefined || items === false || Array.isArray(items))
        odd.push(at);
      for (const [key, member] of Object.entries(node)) walk(member, `${at}/${key}`);
    };
    walk({ ...contract.components.schemas, paths: contract.paths }, '');
    // a response named "default" is none of these
    expect(odd.filter((at) => !at.endsWith('/responses'))).toEqual([]);
  });

  it('says of every call what all of them can be refused with', () => {
    for (const methods of Object.values(contract.paths)) {
      for (const [method, { responses, requestBody }] of Object.entries(methods)) {
        const expected = [
          '400',
          '403',
          'default',
          ...(method === 'get' || method === 'head' ? [] : ['408', '413', '415']),
        ];
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(expected));
        if (requestBody) expect(Object.keys(responses)).toContain('422');
      }
    }
  });

  it('names each call for the clients that are generated from it, and no two alike', () => {
    const names = Object.values(contract.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(names).toContain('postJobsIdCancel');
    expect(names).toContain('postModelsModelEncode');
    expect(names.every((name) => /^[a-z]+([A-Z][a-z]*)+$/.test(name ?? ''))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is where a browser ends up that knows the address alone, unless the console or the demo page is there', async () => {
    const ends = async (port: number) => new URL((await fetch(`http://127.0.0.1:${port}/`)).url).pathname;
    expect(await ends(gateway.port)).toBe('/');
    for (const [demo, path] of [
      [true, '/demo'],
      [false, '/docs'],
    ] as const) {
      const plain = await startGateway({ config: { console: false, demo } });
      expect(await ends(plain.port)).toBe(path);
      expect((await plain.rest.send('GET', '/console/console.js')).status).toBe(404);
      await plain.stop();
    }
  });

  it('names for each error a status that one of its codes has', () => {
    const statuses = new Set(Object.values(errorTable).map(({ http }) => String(http)));
    for (const [route, methods] of Object.entries(contract.paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        const problems = Object.keys(responses).filter(
          (status) => status !== 'default' && responses[status]?.content?.['application/problem+json'],
        );
        expect({ route, method, odd: problems.filter((status) => !statuses.has(status)) }).toEqual({
          route,
          method,
          odd: [],
        });
      }
    }
  });

  it('refers only to what is there', () => {
    const names = [...text.matchAll(/\$ref: "?#\/components\/schemas\/([\w]+)"?/g)].map((match) => match[1] as string);
    expect(names.length).toBeGreaterThan(50);
    expect(names.filter((name) => !(name in contract.components.schemas))).toEqual([]);
  });
});

describe('answers are as the contract says', () => {
  const job = { name: 'x', dataset: 'mnist', model: { type: 'denoising' } };
  const rows = { inputs: [[1, 2, 3, 4]] };
  it.each([
    ['get', '/readyz', '/readyz', undefined, 200],
    ['get', '/v1/info', '/v1/info', undefined, 200],
    ['post', '/v1/jobs', '/v1/jobs', job, 202],
    ['post', '/v1/jobs', '/v1/jobs', {}, 400],
    ['post', '/v1/jobs', '/v1/jobs', { ...job, dataset: 'nothing' }, 404],
    ['post', '/v1/jobs', '/v1/jobs', { ...job, training: { epochs: 0 } }, 422],
    ['get', '/v1/jobs', '/v1/jobs?limit=5', undefined, 200],
    ['get', '/v1/jobs', '/v1/jobs?limit=x', undefined, 422],
    ['get', '/v1/datasets', '/v1/datasets', undefined, 200],
    ['get', '/v1/datasets/{name}', '/v1/datasets/mnist', undefined, 200],
    ['get', '/v1/datasets/{name}', '/v1/datasets/nothing', undefined, 404],
    ['delete', '/v1/datasets/{name}', '/v1/datasets/mnist', undefined, 409],
    ['post', '/v1/datasets', '/v1/datasets?name=five', npy({ shape: [5, 1] }, floats(1, 2, 3, 4, 5)), 201],
    ['get', '/v1/models', '/v1/models', undefined, 200],
    ['get', '/v1/models/{model}', '/v1/models/digits', undefined, 200],
    ['put', '/v1/models/{model}/aliases/{alias}', '/v1/models/digits/aliases/stable', { version: 1 }, 200],
    ['get', '/v1/models/{model}/versions/{version}', '/v1/models/digits/versions/1', undefined, 200],
    ['delete', '/v1/models/{model}/versions/{version}', '/v1/models/digits/versions/1', undefined, 409],
    ['get', '/v1/models/{model}', '/v1/models/nothing', undefined, 404],
    ['post', '/v1/models/{model}/encode', '/v1/models/tiny/encode', rows, 200],
    ['post', '/v1/models/{model}/denoise', '/v1/models/tiny/denoise', rows, 200],
    ['post', '/v1/models/{model}/classify', '/v1/models/tiny/classify', rows, 200],
    ['post', '/v1/models/{model}/generate', '/v1/models/tiny/generate', { count: 2 }, 200],
    ['post', '/v1/models/{model}/generate', '/v1/models/digits/generate', {}, 409],
    ['post', '/v1/models/{model}/recommend', '/v1/models/digits/recommend', { ratings: [] }, 409],
    ['post', '/v1/models/{model}/analyse', '/v1/models/digits/analyse', { texts: ['words'] }, 409],
    ['post', '/v1/models/{model}/analyse', '/v1/models/digits/analyse', { texts: [] }, 400],
    ['post', '/v1/models/{model}/series', '/v1/models/digits/series', { series: [[1, null, 2]] }, 409],
    ['post', '/v1/models/{model}/series', '/v1/models/digits/series', { series: [] }, 400],
    ['post', '/v1/models/{model}/translate', '/v1/models/digits/translate', { sources: ['word'] }, 409],
    ['post', '/v1/models/{model}/translate', '/v1/models/digits/translate', { sources: [] }, 400],
    ['post', '/encode', '/encode?model=tiny&outliers=true', rows, 200],
    ['post', '/decode', '/decode?model=tiny', { codes: [[1, 2]] }, 200],
    ['post', '/reconstruct', '/reconstruct?model=tiny', rows, 200],
    ['post', '/encode', '/encode', rows, 400],
    ['post', '/encode', '/encode?model=tiny', { inputs: [] }, 422],
  ] as const)('%s %s: %s', async (method, route, target, body, status) => {
    const headers = body instanceof Uint8Array ? { 'content-type': 'application/octet-stream' } : {};
    const answer = await gateway.rest.send(method.toUpperCase(), target, body, headers);
    expect(answer.status).toBe(status);
    const type = (answer.headers.get('content-type') ?? '').split(';')[0] as string;
    expect(flaw(route, method, status, type, answer.json)).toBeUndefined();
  });
});

describe('files of a version', () => {
  const file = '/v1/models/digits/versions/1/files/report.json';
  it('come with their checksum, and not again to whoever has them', async () => {
    const first = await gateway.rest.send('GET', file);
    const { files } = (await gateway.rest.send('GET', '/v1/models/digits/versions/1')).json as {
      files: { path: string; sha256: string }[];
    };
    const etag = `"${files.find((entry) => entry.path === 'report.json')?.sha256}"`;
    expect(first).toMatchObject({ status: 200, json: { epochs: [] } });
    expect(first.headers.get('etag')).toBe(etag);
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await gateway.rest.send('GET', file, undefined, { 'if-none-match': tag });
      expect({ status: again.status, bytes: again.bytes.length, etag: again.headers.get('etag') }).toEqual({
        status: 304,
        bytes: 0,
        etag,
      });
    }
    expect((await gateway.rest.send('GET', file, undefined, { 'if-none-match': '"x"' })).status).toBe(200);
  });

  it('are not read for whoever asks for their size alone', async () => {
    const path = '/v1/models/digits/versions/1/files/encoder.onnx';
    const whole = await gateway.rest.send('GET', path);
    const opened = vi.spyOn(gateway.registry, 'openFile');
    try {
      const { status, headers, bytes } = await gateway.rest.send('HEAD', path);
      expect({ status, length: headers.get('content-length'), bytes: bytes.length }).toEqual({
        ...{ status: 200, bytes: 0 },
        length: String(whole.bytes.length),
      });
      const file = await opened.mock.results[0]?.value;
      expect(file).toBeDefined();
      await vi.waitFor(() => expect(file.chunks().next()).rejects.toThrow());
      expect(gateway.log.filter(({ level }) => level === 'error')).toEqual([]);
    } finally {
      opened.mockRestore();
    }
  });

  it('have types of their own and cannot run in a page', async () => {
    for (const [name, type] of [
      ['reconstructions.png', 'image/png'],
      ['encoder.onnx', 'application/octet-stream'],
    ]) {
      const { headers } = await gateway.rest.send('GET', `/v1/models/digits/versions/1/files/${name}`);
      expect(headers.get('content-type')).toBe(type);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
    }
  });
});

describe('deleting', () => {
  it('a version, an alias, a model', async () => {
    const send = (method: string, target: string) => gateway.rest.send(method, `/v1/models/digits${target}`);
    expect((await send('DELETE', '/aliases/stable')).status).toBe(204);
    expect((await send('DELETE', '/versions/1')).status).toBe(204);
    expect((await send('GET', '/versions/1')).status).toBe(404);
    expect((await send('DELETE', '')).status).toBe(204);
    expect((await send('GET', '')).status).toBe(404);
  });
});

it('pages cannot be framed or opened by other origins, and ask for no rights but the camera of the demo', async () => {
  for (const page of ['/docs', '/demo', '/photos', '/']) {
    const { status, headers } = await gateway.rest.send('GET', page);
    expect([page, status]).toEqual([page, 200]);
    expect(headers.get('content-security-policy'), page).toContain("frame-ancestors 'none'");
    expect(headers.get('permissions-policy'), page).toMatch(/^camera=\((self)?\), microphone=\(\), geolocation=\(\)$/);
    expect(headers.get('cross-origin-opener-policy'), page).toBe('same-origin');
    expect(headers.get('referrer-policy'), page).toBe('no-referrer');
  }
});

describe('/docs', () => {
  it('shows every operation, schema and error, and loads nothing', async () => {
    const { bytes, headers } = await gateway.rest.send('GET', '/docs');
    const page = bytes.toString();
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
    expect(page).not.toMatch(/<script|src=|@import|https?:(?!\/\/127\.0\.0\.1:)/);
    for (const [route, methods] of Object.entries(contract.paths)) {
      expect(page).toContain(route);
      for (const { summary } of Object.values(methods)) expect(page).toContain(summary?.replaceAll("'", '&#39;'));
    }
    for (const name of Object.keys(contract.components.schemas)) expect(page).toContain(`id="schema-${name}"`);
    for (const code of Object.keys(errorTable)) expect(page).toContain(`<tr id="${code}">`);
    const targets = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
    expect(targets.filter((target) => !page.includes(`id="${target}"`))).toEqual([]);
  });
});

it('every route of the contract answers, and is the only one of its kind', async () => {
  const log: string[] = [];
  for (const [route, methods] of Object.entries(contract.paths)) {
    for (const method of Object.keys(methods)) {
      const target = route.replaceAll(/\{(\w+)\}/g, (_, name: string) => (name === 'version' ? '9' : 'nothing'));
      const answer = await fetch(`http://127.0.0.1:${gateway.port}${target}`, { method: method.toUpperCase() });
      const body = await answer.text();
      if (/"code":"(route-not-found|method-not-allowed|internal)"/.test(body)) log.push(`${method} ${target}: ${body}`);
    }
  }
  expect(log).toEqual([]);
});
