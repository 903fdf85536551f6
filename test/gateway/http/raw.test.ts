// What does not come from well-behaved clients, byte by byte: smuggling, oversize, odd headers and paths, and slow senders. Each
// gets its own answer, or none; the next client is served as ever.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstAnswer, startGateway, type TestGateway, talk } from './harness.ts';

const maxBodyBytes = 128 * 1024;
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    config: { maxBodyBytes, maxBodyMemoryBytes: 4 * maxBodyBytes, headersTimeoutMs: 400, bodyTimeoutMs: 3000 },
  });
});
afterAll(async () => {
  expect((await gateway.rest.send('POST', '/encode?model=tiny', { inputs: [[1, 2, 3, 4]] })).status).toBe(200);
  expect(await gateway.metrics.render()).toMatch(/hourglass_request_body_memory_bytes\{.*\} 0/);
  await gateway.stop();
});

const crlf = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const body = '{"inputs":[[1,2,3,4]]}';
const post = (...headers: string[]): string =>
  crlf('POST /encode?model=tiny HTTP/1.1', 'Host: x', 'Connection: close', ...headers);
const json = 'Content-Type: application/json';
const length = `Content-Length: ${body.length}`;
const ask = async (...pieces: (string | Buffer | number)[]) => firstAnswer(await talk(gateway.port, ...pieces));

it('serves what is right, in one piece, in pieces, in chunks', async () => {
  expect(await ask(post(json, length), body)).toMatchObject({ status: 200 });
  expect(await ask(post(json, length), body.slice(0, 9), 50, body.slice(9))).toMatchObject({ status: 200 });
  const chunks = [...body].map((char) => `1\r\n${char}\r\n`).join('');
  expect(await ask(post(json, 'Transfer-Encoding: chunked'), `${chunks}0\r\n\r\n`)).toMatchObject({ status: 200 });
});

describe('requests that could be read in two ways', () => {
  it.each([
    ['a length and chunks', [json, length, 'Transfer-Encoding: chunked'], 400],
    ['two lengths', [json, length, 'Content-Length: 0'], 400],
    ['two equal lengths', [json, length, length], 400],
    ['a length that is none', [json, 'Content-Length: -1'], 400],
    ['a length with a plus', [json, `Content-Length: +${body.length}`], 400],
    ['an odd transfer encoding', [json, 'Transfer-Encoding: xchunked'], 501],
    ['chunks twice', [json, 'Transfer-Encoding: chunked, chunked'], 400],
    ['a folded header', [json, 'X-Odd: a\r\n b', length], 400],
    ['white space before the colon', [json, 'Content-Length : 5'], 400],
    ['two content types', ['Content-Type: text/plain', json, length], 400],
    ['two content types, the right one first', [json, 'Content-Type: text/plain', length], 400],
    ['two hosts', [json, 'Host: y', length], 400],
    ['a NUL in a header', [json, 'X-Odd: a\0b', length], 400],
  ])('%s', async (_, headers, status) => {
    const answer = await ask(post(...headers), body);
    expect(answer).toMatchObject({ status, code: status === 501 ? 'unsupported-transfer-coding' : 'invalid-request' });
    expect(answer.head).toMatch(/content-type: application\/problem\+json/i);
  });

  it.each([
    ['a tab after the type', 'Content-Type: application/json\t'],
    ['a space before the type', 'Content-Type:   application/json'],
    ['capitals', 'Content-Type: Application/JSON'],
    ['a charset', 'Content-Type: application/json; charset="UTF-8"'],
  ])('%s is one type all the same, and what it is of is checked', async (_, type) => {
    expect(await ask(post(type, length), body)).toMatchObject({ status: 200 });
    const wrong = '{"inputs":[["1",2,3,4]]}';
    expect(await ask(post(type, `Content-Length: ${wrong.length}`), wrong)).toMatchObject({
      status: 422,
      code: 'invalid-type',
    });
  });
});

describe('requests that are none', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a1', 'hex')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.1 without a host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['an unknown method', 'BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a space in the path', 'GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s', async (_, text) => {
    expect((await ask(text)).status).toBe(400);
  });

  it.each([
    ['%zz', 400],
    ['%', 400],
    ['%ff%fe', 400],
    ['%00', 404],
    [';x=1', 404],
    ['//x', 404],
    ['../../etc/passwd', 404],
    ['%2e%2e%2f%2e%2e%2fetc', 404],
    ['?%zz=%zz', 400],
    ['#fragment', 404],
  ])('a path that goes on with %s', async (rest, status) => {
    const answer = await ask(
      crlf(`GET /v1/jobs${rest.startsWith('?') ? rest : `/${rest}`} HTTP/1.1`, 'Host: x', 'Connection: close'),
    );
    expect(answer.status).toBe(status);
    expect(answer.body).toContain('"requestId"');
  });

  it('headers named like members of objects are headers', async () => {
    expect(
      await ask(crlf('GET /livez HTTP/1.1', 'Host: x', '__proto__: 1', 'constructor: 2', 'Connection: close')),
    ).toMatchObject({ status: 200 });
  });
});

describe('requests that are too large', () => {
  it('headers', async () => {
    const answer = await ask(crlf('GET /livez HTTP/1.1', 'Host: x', `X-Large: ${'x'.repeat(20_000)}`));
    expect(answer).toMatchObject({ status: 431, code: 'headers-too-large' });
  });

  it('a length that is claimed, before anything is read or kept', async () => {
    const before = process.memoryUsage().rss;
    for (const claimed of [2 ** 32, 2 ** 40, maxBodyBytes + 1]) {
      const answer = await ask(post(json, `Content-Length: ${claimed}`), body);
      expect(answer).toMatchObject({ status: 413, code: 'payload-too-large' });
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  it('chunks without end, one byte each', async () => {
    const head = crlf('POST /v1/jobs/x/cancel HTTP/1.1', 'Host: x', 'Connection: close', 'Transfer-Encoding: chunked');
    const answer = await ask(head, '1\r\nx\r\n'.repeat(5000));
    expect(answer).toMatchObject({ status: 413, code: 'payload-too-large' });
  });

  it('chunk extensions', async () => {
    const answer = await ask(post(json, 'Transfer-Encoding: chunked'), `1;${'e'.repeat(20_000)}\r\nx\r\n`);
    expect(answer).toMatchObject({ status: 413, code: 'payload-too-large' });
  });

  it('a body that is announced is not asked for', async () => {
    const head = post(json, `Content-Length: ${maxBodyBytes + 1}`, 'Expect: 100-continue');
    const refused = await talk(gateway.port, head);
    expect(firstAnswer(refused)).toMatchObject({ status: 413 });
    expect(refused).not.toContain('100 Continue');
    const text = await talk(gateway.port, post(json, length, 'Expect: 100-continue'), 100, body);
    expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    expect(
      firstAnswer(await talk(gateway.port, crlf('POST /nowhere HTTP/1.1', 'Host: x', 'Expect: 100-continue', length))),
    ).toMatchObject({ status: 404 });
  });

  it('all bodies together', async () => {
    const most = 'x'.repeat(maxBodyBytes - 10);
    const head = post('Content-Type: application/octet-stream', `Content-Length: ${maxBodyBytes}`);
    const answers = await Promise.all(Array.from({ length: 24 }, () => ask(head, most)));
    const codes = answers.map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(['overloaded', 'request-timeout']));
    expect(answers.find(({ code }) => code === 'overloaded')?.head).toMatch(/retry-after: 1/i);
  });
});

describe('requests that are too slow', () => {
  it('headers that trickle', async () => {
    const answer = await ask('GET /livez HTTP/1.1\r\n', 200, 'Host: x\r\n', 200, 'A: b\r\n', 1500, 'C: d\r\n');
    expect(answer).toMatchObject({ status: 408, code: 'request-timeout' });
  });

  it('a body that trickles', async () => {
    const answer = await ask(post(json, length), '{', 200, '"', 200, 'i', 4000);
    expect(answer).toMatchObject({ status: 408, code: 'request-timeout' });
    expect(answer.head).toMatch(/connection: close/i);
  });

  it('a body that breaks off is nobody’s', async () => {
    await new Promise<void>((resolve) => {
      void import('node:net').then(({ connect }) => {
        const socket = connect(gateway.port, '127.0.0.1', () => {
          socket.write(post(json, length) + body.slice(0, 5));
          setTimeout(() => socket.destroy(), 50);
        });
        socket.on('close', () => resolve());
      });
    });
    await expect.poll(() => gateway.log.some((line) => line.code === 'cancelled')).toBe(true);
  });
});
