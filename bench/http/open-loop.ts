/**
 * Asks at a fixed rate whether or not answers come (open loop), over so many connections of one request each; prints what came
 * of it as JSON. A request that finds no free connection is not sent and counts as such.
 */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

const [port = '0', path = '/', type = '', bodyFile = '', rate = '0', seconds = '0', connections = '0'] =
  process.argv.slice(2);
const body = readFileSync(bodyFile);
const request = Buffer.concat([
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`,
  ),
  body,
]);

const free: Socket[] = [];
const answered: number[] = [];
let [offered, unsent, refused, failed, begun] = [0, 0, 0, 0, 0];
const sentAt = new WeakMap<Socket, number>();

function open(): Socket {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    const head = received.indexOf('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(received)?.[1];
    if (head < 0 || received.length < head + 4 + Number(length)) return;
    const status = received.slice(9, 12);
    received = '';
    if (status === '200') answered.push(performance.now() - (sentAt.get(socket) ?? 0));
    else if (status === '429') refused++;
    else failed++;
    free.push(socket);
  });
  socket.on('error', () => failed++);
  return socket;
}

await Promise.all(
  Array.from(
    { length: Number(connections) },
    () =>
      new Promise<void>((resolve) => {
        const socket = open();
        socket.once('connect', () => {
          free.push(socket);
          resolve();
        });
      }),
  ),
);
begun = performance.now();
const until = begun + Number(seconds) * 1000;
await new Promise<void>((resolve) => {
  const tick = (): void => {
    const now = performance.now();
    if (now > until) return resolve();
    for (const due = ((now - begun) / 1000) * Number(rate); offered < due; offered++) {
      const socket = free.pop();
      if (socket === undefined) unsent++;
      else {
        sentAt.set(socket, now);
        socket.write(request);
      }
    }
    setTimeout(tick, 1);
  };
  tick();
});
const elapsed = (performance.now() - begun) / 1000;
answered.sort((a, b) => a - b);
const at = (share: number): number => answered[Math.floor(answered.length * share)] ?? Number.NaN;
console.log(
  JSON.stringify({
    ...{ offered: offered / elapsed, unsent: unsent / elapsed, answered: answered.length / elapsed },
    ...{ refused: refused / elapsed, failed, p50: at(0.5), p99: at(0.99) },
  }),
);
process.exit();
