// Ordinary predictions are answered without the framework: with the same answers, refusals, log lines and metrics as with it.
import { once } from 'node:events';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FastCall } from '../../../src/gateway/http/fast-call.ts';
import { startGateway, type TestGateway, talk } from './harness.ts';

let gateway: TestGateway;
/** answers two predictions at a time */
let busy: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ config: { bodyTimeoutMs: 600 } });
  busy = await startGateway({ config: { maxInFlight: 2, requestLogFailures: 1000 } });
});
afterAll(() => Promise.all([gateway.stop(), busy.stop()]));
const answered = vi.spyOn(FastCall.prototype, 'answered');
afterEach(() => answered.mockClear());

const octets = 'application/octet-stream';
const json = 'application/json';
const bytesOf = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const digit = Array.from({ length: 784 }, (_, i) => ((i * 37) % 256) / 255);

interface Asked {
  readonly path: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly accept?: string;
}

async function ask({ path, body, type, accept = '*/*' }: Asked, more: Record<string, string> = {}) {
  const headers = { 'content-type': type, accept, ...more };
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: 'POST', headers, body });
  const { date, 'x-request-id': id, ...rest } = Object.fromEntries(response.headers);
  expect(id).toMatch(/^[\w.:-]+$/);
  const bytes = Buffer.from(await response.arrayBuffer()).toString('latin1');
  return { status: response.status, headers: rest, bytes: bytes.replaceAll(id as string, 'ID') };
}

type Answer = Awaited<ReturnType<typeof ask>>;

/** A request with a time limit of its own is not ordinary. */
const usual = (asked: Asked) => ask(asked, { 'x-request-timeout': '20' });

/** Until the version has been looked up so recently that the request is answered at once. */
async function quickly(asked: Asked) {
  for (let tries = 0; tries < 200; tries++) {
    await usual(asked);
    answered.mockClear();
    const answer = await ask(asked);
    if (answered.mock.calls.length === 1) return answer;
  }
  throw new Error('the framework answered each time');
}

const row = [0.25, 0.5, 0, 1];
const inputs = JSON.stringify({ inputs: [row] });
const tiny = (operation: string) => `/v1/models/tiny/${operation}`;

describe('the same answer as from the framework', () => {
  it.each<Asked>([
    { path: tiny('encode'), body: inputs, type: json },
    { path: tiny('encode'), body: inputs, type: 'application/json; charset=utf-8', accept: 'text/html, */*;q=0.5' },
    { path: tiny('encode'), body: bytesOf(...row), type: octets, accept: octets },
    { path: tiny('encode'), body: bytesOf(...row, ...row), type: octets, accept: json },
    { path: tiny('denoise'), body: inputs, type: json, accept: octets },
    {
      path: tiny('reconstruct'),
      body: JSON.stringify({
        inputs: [
          [
            [0.25, 0.5],
            [0, 1],
          ],
        ],
      }),
      type: json,
    },
    { path: tiny('decode'), body: JSON.stringify({ codes: [[1, 2]] }), type: json },
    { path: tiny('classify'), body: inputs, type: json },
    { path: '/encode', body: JSON.stringify({ model: 'tiny', inputs: [row] }), type: json },
    { path: '/v1/models/digits@1/encode', body: JSON.stringify({ inputs: [digit] }), type: json },
    // outside of the trained range: with a warning
    { path: tiny('encode'), body: JSON.stringify({ inputs: [[900, 0, 0, 0]] }), type: json },
    { path: tiny('encode'), body: bytesOf(900, 0, 0, 0), type: octets, accept: octets },
  ])('$path of $type as $accept', async (asked) => {
    const quick = await quickly(asked);
    expect(quick).toEqual(await usual(asked));
    expect(quick.status).toBe(200);
  });

  it('leaves long answers to the framework', async () => {
    const rows = Array.from({ length: 600 }, () => row);
    const asked = { path: tiny('denoise'), body: JSON.stringify({ inputs: rows }), type: json };
    for (let i = 0; i < 3; i++) expect(await ask(asked)).toEqual(await usual(asked));
    expect(answered).not.toHaveBeenCalled();
  });
});

describe('the same refusal as from the framework', () => {
  it.each<[string, number, Asked]>([
    ['malformed JSON', 400, { path: tiny('encode'), body: '{"inputs":[[1,2,3,]]}', type: json }],
    ['unknown fields', 400, { path: tiny('encode'), body: '{"inputs":[[1,2,3,4]],"rows":1}', type: json }],
    ['another shape', 422, { path: tiny('encode'), body: '{"inputs":[[1,2,3]]}', type: json }],
    ['half a row', 422, { path: tiny('encode'), body: bytesOf(1, 2, 3), type: octets }],
    ['NaN', 422, { path: tiny('encode'), body: bytesOf(1, 2, 3, Number.NaN), type: octets }],
    ['two models', 400, { path: tiny('encode'), body: '{"model":"digits","inputs":[[1,2,3,4]]}', type: json }],
    ['an operation that the model has not', 409, { path: '/v1/models/digits/classify', body: inputs, type: json }],
    ['no such model', 404, { path: '/v1/models/nobody/encode', body: inputs, type: json }],
  ])('of %s', async (_, status, asked) => {
    await quickly({ path: tiny('encode'), body: inputs, type: json });
    const lines = gateway.log.length;
    const refused = await ask(asked);
    // Fastify takes what is thrown while a body is read for a broken connection, and its answer says nothing of keeping it.
    const told = ({ headers: { connection, 'keep-alive': keepAlive, ...headers }, ...rest }: Answer) => ({
      ...rest,
      headers,
    });
    expect(told(refused)).toEqual(told(await usual(asked)));
    expect(refused.status).toBe(status);
    await vi.waitFor(() => expect(gateway.log.length).toBe(lines + 2));
    const [quick, framework] = gateway.log.slice(-2).map(({ time, requestId, seconds, ...line }) => line);
    expect(quick).toEqual(framework);
  });
});

describe('the same refusal as from the framework when too many wait', () => {
  const request = (limit: boolean, last: boolean) =>
    [
      `POST ${tiny('encode')} HTTP/1.1`,
      ...['Host: localhost', `Content-Type: ${json}`, `Content-Length: ${inputs.length}`],
      ...(limit ? ['X-Request-Timeout: 20'] : []),
      ...(last ? ['Connection: close'] : []),
      `\r\n${inputs}`,
    ].join('\r\n');
  const isLimited = (i: number) => i % 2 === 1;

  /** All in one packet: the first ones are answered, the others wait to be read. */
  const pipelined = async () => {
    const count = 8;
    const texts = Array.from({ length: count }, (_, i) => request(isLimited(i), i === count - 1));
    return (await talk(busy.port, texts.join(''))).split(/(?=HTTP\/1\.1 \d{3})/);
  };

  /** Each from a connection of its own, all in one turn of the event loop. */
  const together = async () => {
    const sockets = Array.from({ length: 12 }, () => connect(busy.port, '127.0.0.1'));
    for (const socket of sockets) socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    // A server accepts one connection a turn; now all are there.
    await Promise.all(sockets.map((socket) => once(socket, 'data')));
    for (const [i, socket] of sockets.entries()) socket.write(request(isLimited(i), true));
    return Promise.all(sockets.map(async (socket) => (await buffer(socket)).toString('latin1')));
  };

  /** Fields of the head, without those that are each answer's own, and the body. Some wait to be read, which is said in other words. */
  const told = (answer: string) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    const own = /^(date|connection|keep-alive|x-request-id|content-length):/i;
    const fields = head
      .toLowerCase()
      .split('\r\n')
      .filter((field) => !own.test(field));
    const { detail, ...problem } = JSON.parse(body);
    return {
      fields: fields.sort(),
      problem: { ...problem, requestId: 'ID', detail: detail.replace(/^(Too many|2)/, 'N') },
    };
  };

  it.each([
    ['to be read', pipelined],
    ['for the model', together],
  ])('%s', async (_, send) => {
    await talk(busy.port, request(false, true));
    const lines = () => busy.log.filter(({ route }) => route !== '/livez').length;
    const before = lines();
    const received = await send();
    const refused = (limited: boolean) =>
      received.filter((text, i) => isLimited(i) === limited && text.startsWith('HTTP/1.1 429'));
    const [short, usual] = [refused(false), refused(true)];
    expect([short.length, usual.length].every((count) => count > 0)).toBe(true);
    for (const text of [...short, ...usual]) expect(told(text)).toEqual(told(usual[0] ?? ''));
    await vi.waitFor(() => expect(lines()).toBe(before + received.length));
    const refusals = busy.log.slice(-received.length).filter(({ status }) => status === 429);
    const [first, ...others] = refusals.map(({ time, requestId, seconds, ...line }) => line);
    expect(first).toMatchObject({ code: 'overloaded', route: '/v1/models/:model/encode', method: 'POST' });
    for (const line of others) expect(line).toEqual(first);
    expect(refusals).toHaveLength(short.length + usual.length);
  });
});

describe('what is recorded', () => {
  const inFlight = async () =>
    /^hourglass_requests_in_flight\{transport="rest".*\} (\d+)$/m.exec(await gateway.metrics.render())?.[1];

  it('is the same line in the log, and the request counts as over', async () => {
    const asked = { path: tiny('encode'), body: inputs, type: json };
    await quickly(asked);
    await vi.waitFor(() => expect(gateway.log.at(-1)).toMatchObject({ msg: 'answered' }));
    const [framework, quick] = gateway.log.slice(-2).map(({ time, requestId, seconds, ...line }) => line);
    expect(quick).toEqual(framework);
    expect(quick).toMatchObject({ route: '/v1/models/:model/encode', status: 200, code: 'ok', method: 'POST' });
    await vi.waitFor(async () => expect(await inFlight()).toBe('0'));
  });

  const head = (length: number) =>
    `POST ${tiny('encode')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${json}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;

  it('a body in pieces is read as a whole', async () => {
    const answer = await talk(gateway.port, head(inputs.length), 20, inputs.slice(0, 9), 20, inputs.slice(9));
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*\{"model":"tiny","version":1,"codes":\[\[0.25,0.5\]\]\}$/);
  });

  it('a body that does not come is refused in time, and a client that leaves is recorded', async () => {
    expect(await talk(gateway.port, head(100))).toMatch(/^HTTP\/1.1 408 [\s\S]*request-timeout/);
    expect(await talk(gateway.port, head(100), 10, '{"inputs"')).toMatch(/^HTTP\/1.1 408 [\s\S]*request-timeout/);
    const before = gateway.log.length;
    const gone = new AbortController();
    const asking = fetch(`http://127.0.0.1:${gateway.port}${tiny('encode')}`, {
      ...{ method: 'POST', signal: gone.signal, duplex: 'half' },
      headers: { 'content-type': json, 'content-length': '50' },
      body: new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('{"inputs":')) }),
    } as RequestInit).catch(() => 'gone');
    await sleep(100);
    gone.abort();
    expect(await asking).toBe('gone');
    await vi.waitFor(() => expect(gateway.log.length).toBeGreaterThan(before));
    expect(gateway.log.at(-1)).toMatchObject({ code: 'cancelled', status: 499, route: '/v1/models/:model/encode' });
    await vi.waitFor(async () => expect(await inFlight()).toBe('0'));
  });
});
