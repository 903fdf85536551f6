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

const lengthField = Buffer.from('content-length: ');
const free: Socket[] = [];
const answered: number[] = [];
let [offered, unsent, refused, failed, begun] = [0, 0, 0, 0, 0];
const sentAt = new WeakMap<Socket, number>();

function open(): Socket {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  let begun = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    const received = begun.length > 0 ? Buffer.concat([begun, chunk]) : chunk;
    begun = received;
    const head = received.indexOf('\r\n\r\n');
    const field = received.indexOf(lengthField);
    if (head < 0 || field < 0) return;
    const length = Number.parseInt(received.toString('latin1', field + lengthField.length, head), 10);
    if (received.length < head + 4 + length) return;
    begun = Buffer.alloc(0);
    const status = received.toString('latin1', 9, 12);
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
    let due = Math.floor(((now - begun) / 1000) * Number(rate)) - offered;
    offered += due;
    for (let socket = due > 0 ? free.pop() : undefined; socket; socket = due > 0 ? free.pop() : undefined) {
      sentAt.set(socket, now);
      socket.write(request);
      due--;
    }
    unsent += due;
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
