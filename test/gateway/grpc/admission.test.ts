// Calls that one connection opens at once are begun in several turns of the event loop, and a call without a place is refused.
import { once } from 'node:events';
import http2, { type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { ConnectionTable } from '../../../src/gateway/connection-table.ts';
import { admitStreams } from '../../../src/gateway/grpc/admission.ts';
import { Places } from '../../../src/gateway/places.ts';
import { TurnShare } from '../../../src/gateway/turn-share.ts';
import { Metrics } from '../../../src/platform/metrics.ts';

const busyFor = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
};

/** A server that takes 3 ms for each stream, in turns of 2 ms, and counts those that it begins in each turn. */
async function start(limit: number) {
  const perTurn = [0];
  const server = http2.createServer();
  server.on('stream', (stream: ServerHttp2Stream) => {
    busyFor(3);
    perTurn.push((perTurn.pop() ?? 0) + 1);
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const places = new Places({ limit, clientShare: 100, what: 'calls', setting: 'HOURGLASS_MAX_CALLS' });
  const admission = admitStreams(server, {
    calls: places,
    connections: new ConnectionTable(10),
    maxResets: 100,
    metrics: new Metrics('gateway'),
    turns: new TurnShare({ turnMs: 2, targetMs: 25, most: 100 }),
  });
  server.prependListener('connection', (socket: Socket) => admission.connect(socket, () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let counting = true;
  const nextTurn = (): void => {
    if (perTurn.at(-1) !== 0) perTurn.push(0);
    if (counting) setImmediate(nextTurn);
  };
  nextTurn();
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    counting = false;
    session.destroy();
    server.close();
  });
  await once(session, 'remoteSettings');
  const call = async (): Promise<http2.IncomingHttpHeaders> => {
    const stream = session.request({ ':method': 'POST', ':path': '/x' });
    stream.end();
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    stream.resume();
    return headers;
  };
  return { perTurn, places, call };
}

it('begins calls for a part of each turn', async () => {
  const { perTurn, places, call } = await start(100);
  await Promise.all(Array.from({ length: 40 }, call));
  expect(perTurn.reduce((sum, count) => sum + count)).toBe(40);
  expect(Math.max(...perTurn)).toBeLessThan(4);
  await expect.poll(() => places.used).toBe(0);
});

it('tells calls without a place why, and gives the places back', async () => {
  const { places, call } = await start(10);
  const answers = await Promise.all(Array.from({ length: 40 }, call));
  const refused = answers.filter((headers) => headers['grpc-status'] === '8');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]?.['grpc-message']).toContain('HOURGLASS_MAX_CALLS');
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(10);
  await expect.poll(() => places.used).toBe(0);
});
