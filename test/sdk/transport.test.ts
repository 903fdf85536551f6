// The SDK's calls against a real server that fails in the ways servers and networks fail.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseEvents } from '../../src/sdk/events.ts';
import { ProblemError } from '../../src/sdk/problem.ts';
import { Transport } from '../../src/sdk/transport.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

async function serve(listener: RequestListener): Promise<Transport> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return new Transport({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    retries: 3,
    backoffMs: 1,
  });
}

const get = { method: 'GET', path: '/x', repeatable: true } as const;

async function problemFrom(promise: Promise<unknown>): Promise<ProblemError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return error as ProblemError;
}

describe('transport', () => {
  it('tries again while the server says that it makes sense, then gives up with its problem', async () => {
    let calls = 0;
    const transport = await serve((_, response) => {
      calls++;
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '0', 'x-request-id': 'r1' });
      response.end(JSON.stringify({ type: 'urn:hourglass:problem:queue-unavailable', detail: 'no queue' }));
    });
    const problem = await problemFrom(transport.send(get));
    expect(calls).toBe(4);
    expect(problem).toMatchObject({ code: 'queue-unavailable', message: 'no queue', status: 503, requestId: 'r1' });
  });

  it('succeeds when a later try does', async () => {
    let calls = 0;
    const transport = await serve((request, response) => {
      calls++;
      if (calls === 1) request.socket.destroy();
      else if (calls === 2) response.writeHead(502).end('<html>');
      else response.end('fine');
    });
    expect(await (await transport.send(get)).text()).toBe('fine');
    expect(calls).toBe(3);
  });

  it('never repeats what is not safe to repeat, nor what will not get better', async () => {
    let calls = 0;
    const transport = await serve((_, response) => {
      calls++;
      response.writeHead(calls === 1 ? 503 : 422).end();
    });
    await problemFrom(transport.send({ ...get, repeatable: false }));
    expect((await problemFrom(transport.send(get))).code).toBe('invalid-request');
    expect(calls).toBe(2);
  });

  it('stops at once when its signal is aborted, in a call and in a pause', async () => {
    const hanging = await serve(() => undefined);
    await expect(hanging.send({ ...get, signal: AbortSignal.timeout(30) })).rejects.toThrow(/abort|timeout/i);
    const pausing = new Transport({
      baseUrl: 'http://127.0.0.1:9',
      retries: 3,
      backoffMs: 60_000,
      maxBackoffMs: 60_000,
    });
    await expect(pausing.send({ ...get, signal: AbortSignal.timeout(30) })).rejects.toThrow(/abort|timeout/i);
  });
});

describe('server-sent events', () => {
  it('are read across any cut, with comments, ids and lines of data', async () => {
    const text =
      ': heartbeat\n\nid: 1-0\nevent: epoch\ndata: {"a":1}\n\ndata: x\r\ndata: y\r\n\r\nid: 2\n\ndata: é\n\n';
    const bytes = new TextEncoder().encode(text);
    for (let size = 1; size < 12; size++) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const events = [];
      for await (const event of parseEvents(new Response(ReadableStream.from(chunks)))) events.push(event);
      expect(events).toEqual([
        { id: '1-0', type: 'epoch', data: '{"a":1}' },
        { id: '', type: 'message', data: 'x\ny' },
        { id: '', type: 'message', data: 'é' },
      ]);
    }
  });
});
