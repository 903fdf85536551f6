/** A collector of spans (OTLP over HTTP, protobuf) as a process of its own: takes them and counts them when it is asked. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fieldsOf } from '../../src/sdk/protobuf.ts';

const bodies: Buffer[] = [];

/** Fields of a message with this number, as messages. */
const inner = (message: Uint8Array, number: number): Uint8Array[] =>
  [...fieldsOf(message)].filter((field) => field.number === number).map(({ bytes }) => bytes);

/** resource_spans, scope_spans, spans */
const spansIn = (request: Uint8Array): number =>
  inner(request, 1)
    .flatMap((resource) => inner(resource, 2))
    .flatMap((scope) => inner(scope, 2)).length;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    bodies.push(Buffer.concat(chunks));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
});
process.on('message', () => process.send?.({ spans: bodies.reduce((sum, body) => sum + spansIn(body), 0) }));
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  process.send?.({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
