// Requests of one connection that do not wait for their answers: a few are worked on at a time, too many cut the connection
// before the rest is parsed, and other clients get their turn in between.

import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { ConnectionTable } from '../../src/gateway/connection-table.ts';
import { boundPipelining } from '../../src/gateway/http/pipeline.ts';
import { TurnShare } from '../../src/gateway/turn-share.ts';
import { startTarget } from './target.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const encode = (value: number): string => {
  const body = JSON.stringify({ inputs: [[value, 0, 0, 0]] });
  return `POST /encode?model=tiny HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};
/** the first number of each answer's codes, in the order of the answers */
const codesIn = (text: string): number[] =>
  [...text.matchAll(/"codes":\[\[([^,\]]+)/g)].map(([, code]) => Number(code));

it('answers pipelined requests in order, however their bytes are cut, and ends a connection with too many', async () => {
  const target = await startTarget({ maxPipelined: 40 });
  for (const pieceBytes of [1 << 20, 97]) {
    const values = Array.from({ length: 40 }, (_, i) => i);
    const bytes = Buffer.from(values.map(encode).join(''));
    const patient = await target.open();
    let received = '';
    patient.resume().on('data', (chunk) => (received += chunk));
    for (let at = 0; at < bytes.length; at += pieceBytes) patient.write(bytes.subarray(at, at + pieceBytes));
    await expect.poll(() => codesIn(received).length, { timeout: 20_000 }).toBe(values.length);
    const factor = codesIn(received)[1] ?? Number.NaN;
    expect(codesIn(received)).toEqual(values.map((value) => value * factor));
  }
  const greedy = await target.open();
  const closed = new Promise((resolve) => greedy.once('close', resolve));
  greedy.resume().write(get('/v1/jobs').repeat(1000));
  await closed;
  expect((await target.encode()).status).toBe(200);
});

it('does not parse what a connection that is cut has sent besides', async () => {
  let handled = 0;
  let cut = 0;
  const server = createServer((_request, response) => {
    handled++;
    response.end();
  });
  const connections = new ConnectionTable(10);
  server.prependListener('connection', (accepted) => connections.add(accepted));
  const turns = new TurnShare({ targetMs: 25, most: 100 });
  boundPipelining(server, { connections, maxPipelined: 20, cut: () => cut++, turns });
  let parsed = 0;
  server.prependListener('request', () => parsed++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume().write(get('/v1/jobs').repeat(1000));
  await closed;
  expect({ parsed, cut }).toEqual({ parsed: 21, cut: 1 });
  // Those behind the first were to be worked on in the next turn, when nobody waited for them any more.
  expect(handled).toBe(1);
});
