// Parts of HTTP/1.1 that the server does not take, and connections that go on after a refusal: each request gets one answer, a
// problem document where it is refused, and so does the request behind it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstAnswer, startGateway, type TestGateway, talk } from './harness.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const crlf = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const host = 'Host: localhost';

describe('one problem document', () => {
  it.each([
    ['QUERY', crlf('QUERY /v1/jobs HTTP/1.1', host), 405, 'method-not-allowed'],
    ['QUERY of nothing', crlf('QUERY /nowhere HTTP/1.1', host), 404, 'route-not-found'],
    ['TRACE', crlf('TRACE /v1/jobs HTTP/1.1', host), 405, 'method-not-allowed'],
    ['PROPFIND', crlf('PROPFIND /v1/models HTTP/1.1', host), 405, 'method-not-allowed'],
    ['CONNECT', crlf('CONNECT x:1 HTTP/1.1', host), 405, 'method-not-allowed'],
    ['GET *', crlf('GET * HTTP/1.1', host), 400, 'invalid-request'],
    ['no Host', crlf('GET /livez HTTP/1.1'), 400, 'invalid-request'],
    ['an empty Host', crlf('GET /livez HTTP/1.1', 'Host:'), 400, 'invalid-request'],
    ['two Hosts', crlf('GET /livez HTTP/1.1', host, host), 400, 'invalid-request'],
    [
      'an unknown expectation',
      `${crlf('POST /encode HTTP/1.1', host, 'Expect: 200-maybe', 'Content-Length: 2')}{}`,
      417,
      'expectation-failed',
    ],
    [
      'a transfer coding besides chunks',
      `${crlf('POST /encode HTTP/1.1', host, 'Content-Type: application/json', 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
      501,
      'unsupported-transfer-coding',
    ],
  ])('for %s', async (_, text, status, code) => {
    const received = await talk(gateway.port, text, 50, crlf('GET /livez HTTP/1.1', host, 'Connection: close'));
    const answer = firstAnswer(received);
    expect(answer).toMatchObject({ status, code });
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
    expect(answer.body).toContain('"requestId"');
    if (status === 405 && !text.startsWith('CONNECT')) expect(answer.head).toMatch(/^allow: .*GET/im);
    expect(gateway.log.filter(({ msg }) => msg === 'request failed')).toEqual([]);
  });

  it('never sends back as a whole what a client sent', async () => {
    const key = 'k'.repeat(400_000);
    const body = JSON.stringify({ [key]: 1 });
    for (const [path, text] of [
      ['/v1/jobs', body],
      ['/v1/sweeps', JSON.stringify({ job: { [key]: 1 }, search: { type: 'grid', parameters: { [`/${key}`]: [1] } } })],
      ['/encode?model=tiny', body],
      ['/v1/models/tiny/generate', body],
    ] as const) {
      const { status, bytes } = await gateway.rest.send('POST', path, text, { 'content-type': 'application/json' });
      expect({ path, refused: status >= 400 && status < 500, short: bytes.length < 8000 }).toEqual({
        ...{ path, refused: true, short: true },
      });
    }
  });

  it.each(['constructor', '__proto__', 'toString'])('for a search of the type %s', async (type) => {
    const job = { name: 'x', dataset: 'mnist', model: { type: 'dense' } };
    const text = `{"job":${JSON.stringify(job)},"search":{"type":"${type}","parameters":{"/model/code":[1]}}}`;
    const { status, json } = await gateway.rest.send('POST', '/v1/sweeps', text, {
      'content-type': 'application/json',
    });
    expect({ status, json }).toMatchObject({ status: 422, json: { code: 'invalid-spec', field: '/search/type' } });
  });
});

describe('paths with a slash too many', () => {
  it.each([
    ['/v1/models/', '/v1/models'],
    ['/docs/', '/docs'],
    ['/v1/jobs//?limit=2', '/v1/jobs?limit=2'],
  ])('%s is at %s', async (asked, there) => {
    const answer = firstAnswer(await talk(gateway.port, crlf(`GET ${asked} HTTP/1.1`, host, 'Connection: close')));
    expect(answer.status).toBe(308);
    expect(answer.head).toMatch(new RegExp(`^location: ${there.replace('?', '\\?')}\r?$`, 'im'));
  });

  it('never lead to another host', async () => {
    for (const path of ['//evil.example/', '//evil.example//', '/\\evil.example/']) {
      const answer = firstAnswer(await talk(gateway.port, crlf(`GET ${path} HTTP/1.1`, host, 'Connection: close')));
      expect(answer.head).not.toMatch(/location: (\/\/|\/\\)/i);
    }
  });
});

describe('a connection that goes on', () => {
  const json = 'Content-Type: application/json';
  const post = (path: string, body: string, type = json): string =>
    crlf(`POST ${path} HTTP/1.1`, host, type, `Content-Length: ${body.length}`) + body;
  const next = crlf('GET /livez HTTP/1.1', host, 'Connection: close');
  const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));

  it.each([
    ['not JSON', post('/v1/jobs', '{"a":'), 400],
    ['of an unknown field', post('/v1/jobs', '{"zzz":1}'), 400],
    ['of another type', post('/v1/jobs', '{}', 'Content-Type: text/plain'), 415],
    ['without a type', `${crlf('POST /v1/jobs HTTP/1.1', host, 'Content-Length: 2')}{}`, 415],
    ['with a value that is no number', post('/encode?model=tiny', '{"inputs":[["a"]]}'), 422],
    ['longer than allowed', post('/v1/jobs', ' '.repeat(1_100_000)), 413],
    ['where none is taken', post('/v1/jobs/x/cancel', '{"a":1}'), 400],
    ['of nobody', post('/nowhere', '{}'), 404],
    ['from another origin', post('/v1/jobs', '{}', `${json}\r\nOrigin: http://evil.example`), 403],
  ])('after a body %s', async (_, text, status) => {
    const received = await talk(gateway.port, text, next);
    expect(statuses(received)).toEqual([status, 200]);
    expect(firstAnswer(received).head).not.toMatch(/connection: close/i);
    expect(statuses(await talk(gateway.port, text + text + next))).toEqual([status, status, 200]);
  });
});
