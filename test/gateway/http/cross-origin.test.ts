// What a web page of another site can do: nothing, unless its origin is listed. Names that point here by DNS rebinding, forged
// requests, preflights and what a listed origin may read.
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/platform/config.ts';
import { startGateway, type TestGateway } from './harness.ts';

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly code: string | undefined;
  readonly body: string;
}

/** As browsers and curl do it: `fetch` may not set Host. */
function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: text, code: /"code":"([a-z-]+)"/.exec(text)?.[1] });
      });
    });
    call.on('error', reject).end(body);
  });
}

const job = JSON.stringify({ name: 'x', dataset: 'mnist', model: { type: 'dense' } });
const json = { 'content-type': 'application/json' };
const csv = '1,2\n'.repeat(40);
const evil = 'http://evil.example';
const app = 'https://app.example';

let plain: TestGateway;
let open: TestGateway;
beforeAll(async () => {
  plain = await startGateway();
  open = await startGateway({ config: { allowedHosts: ['hourglass.example', '.lab.example'], corsOrigins: [app] } });
});
afterAll(async () => {
  await plain.stop();
  await open.stop();
});

describe('the Host header', () => {
  it.each([
    '127.0.0.1',
    '127.0.0.1:8080',
    '[::1]:8080',
    '10.0.0.7',
    'localhost',
    'LOCALHOST:1',
    'hourglass',
    'hourglass.default.svc.cluster.local',
    'hourglass.internal.',
  ])('%s is answered', async (host) => {
    expect((await send(plain.port, 'GET', '/v1/models', { host })).status).toBe(200);
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '[evil.example]',
    'a@b.c',
  ])('%s is not answered, whatever is asked', async (host) => {
    for (const [method, path] of [
      ['GET', '/v1/models'],
      ['GET', '/livez'],
      ['GET', '/docs'],
      ['POST', '/v1/jobs'],
      ['DELETE', '/v1/models/digits'],
    ] as const) {
      const answer = await send(
        plain.port,
        method,
        path,
        { host, ...(method === 'POST' && json) },
        method === 'POST' ? job : '',
      );
      expect(answer).toMatchObject({ status: 403, code: 'host-not-allowed' });
      expect(answer.body).toContain('HOURGLASS_ALLOWED_HOSTS');
    }
  });

  it('may be one that is listed, or below one', async () => {
    const statuses = [
      'hourglass.example',
      'HOURGLASS.example:443',
      'a.b.lab.example',
      'lab.example',
      'xlab.example',
    ].map(async (host) => (await send(open.port, 'GET', '/v1/models', { host })).status);
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 403, 403]);
  });
});

describe('a request that changes something', () => {
  const changes = [
    ['POST', '/v1/jobs', json, job],
    ['POST', '/v1/sweeps', json, '{}'],
    ['POST', '/v1/jobs/some/cancel', {}, ''],
    ['DELETE', '/v1/jobs/some', {}, ''],
    ['POST', '/v1/datasets?name=forged', { 'content-type': 'text/csv' }, csv],
    ['DELETE', '/v1/models/tiny', {}, ''],
    ['PUT', '/v1/models/tiny/aliases/a', json, '{"version":1}'],
  ] as const;

  it.each(changes)('%s %s is refused from a page of another origin', async (method, path, headers, body) => {
    for (const from of [
      { origin: evil },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site', origin: `http://127.0.0.1:${plain.port}` },
    ]) {
      const answer = await send(plain.port, method, path, { ...headers, ...from }, body);
      expect(answer).toMatchObject({ status: 403, code: 'origin-not-allowed' });
    }
  });

  it.each([
    ['no browser', () => ({})],
    ['a page of its own', (port: number) => ({ origin: `http://127.0.0.1:${port}` })],
    ['its own page behind a proxy with TLS', () => ({ host: 'hourglass.local', origin: 'https://hourglass.local' })],
    ['its own page behind a proxy with a name of its own', () => ({ origin: app, 'sec-fetch-site': 'same-origin' })],
    ['a typed address', () => ({ 'sec-fetch-site': 'none' })],
  ])('is taken from %s', async (_, from) => {
    const answer = await send(
      plain.port,
      'POST',
      '/v1/jobs',
      { ...json, ...from(plain.port) } as Record<string, string>,
      job,
    );
    expect(answer.status).toBe(202);
  });

  it('needs the type of its JSON: a page may send any other without asking', async () => {
    const bodies = [
      ['POST', '/v1/jobs', job],
      ['POST', '/v1/sweeps', '{}'],
      ['PUT', '/v1/models/tiny/aliases/a', '{"version":1}'],
      ['POST', '/v1/models/tiny/generate', '{}'],
    ] as const;
    for (const [method, path, body] of bodies) {
      for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded']) {
        const answer = await send(plain.port, method, path, type === undefined ? {} : { 'content-type': type }, body);
        expect({ path, type, status: answer.status, code: answer.code }).toEqual({
          ...{ path, type, status: 415 },
          code: 'unsupported-media-type',
        });
      }
    }
  });
});

describe('CORS', () => {
  const preflight = (origin: string, method = 'POST') => ({
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'content-type,idempotency-key',
  });

  it('is off without a setting', async () => {
    const asked = await send(plain.port, 'OPTIONS', '/decode', preflight(app));
    expect(asked.status).toBe(405);
    expect(asked.headers['access-control-allow-origin']).toBeUndefined();
    expect((await send(plain.port, 'GET', '/v1/models', { origin: app })).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });

  it('answers preflights of listed origins on every path, with its methods', async () => {
    for (const [path, methods] of [
      ['/decode', 'POST'],
      ['/v1/jobs', 'GET, HEAD, POST'],
      ['/v1/models/digits/aliases/stable', 'DELETE, PUT'],
    ] as const) {
      const { status, headers } = await send(open.port, 'OPTIONS', path, preflight(app));
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        'access-control-allow-origin': app,
        'access-control-allow-methods': methods,
        'access-control-allow-headers': 'content-type,idempotency-key',
        'access-control-max-age': '7200',
        vary: 'Origin',
      });
    }
    expect((await send(open.port, 'OPTIONS', '/decode', preflight(evil))).status).toBe(405);
  });

  it('lets listed origins change things and read answers, refusals included', async () => {
    const from = { origin: app, 'sec-fetch-site': 'cross-site' };
    const taken = await send(open.port, 'POST', '/v1/jobs', { ...json, ...from }, job);
    expect(taken).toMatchObject({ status: 202, headers: { 'access-control-allow-origin': app, vary: 'Origin' } });
    const exposed = String(taken.headers['access-control-expose-headers']).split(', ');
    expect(exposed).toEqual(expect.arrayContaining(['Location', 'Retry-After', 'X-Request-Id', 'X-Hourglass-Receipt']));
    const refused = await send(open.port, 'POST', '/v1/jobs', { ...json, ...from }, '{');
    expect(refused).toMatchObject({ status: 400, headers: { 'access-control-allow-origin': app } });
    const other = await send(open.port, 'POST', '/v1/jobs', { ...json, origin: evil }, job);
    expect(other).toMatchObject({ status: 403, code: 'origin-not-allowed' });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('settings take lists, and nothing that is no origin', () => {
    const { corsOrigins, allowedHosts } = loadConfig({
      HOURGLASS_CORS_ORIGINS: `${app}, http://localhost:5173`,
      HOURGLASS_ALLOWED_HOSTS: 'a.example,.b.example',
    });
    expect(corsOrigins).toEqual([app, 'http://localhost:5173']);
    expect(allowedHosts).toEqual(['a.example', '.b.example']);
    for (const bad of ['app.example', `${app}/`, 'https://app.example/path', `${app},`]) {
      expect(() => loadConfig({ HOURGLASS_CORS_ORIGINS: bad })).toThrow(/HOURGLASS_CORS_ORIGINS/);
    }
  });
});
