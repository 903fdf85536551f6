/**
 * What of HTTP/1.1 this server does not speak, refused as every other request is: with one problem document. Node's own refusals
 * of these are empty, and the router knows none of them.
 */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HourglassError } from '../../base/errors.ts';
import { rawAnswer } from './errors.ts';
import type { App } from './route-parts.ts';

/** Requests with an `Expect` other than 100-continue. */
const unexpected = new WeakSet<IncomingMessage>();

/** To be called before the server listens. */
export function takeOver(app: App): void {
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    unexpected.add(request);
    app.server.emit('request', request, response);
  });
  app.server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    const refusal = new HourglassError('method-not-allowed', 'This server is no proxy: there is no CONNECT.');
    socket.on('error', () => undefined);
    socket.end(rawAnswer(refusal, randomUUID()));
  });
}

/**
 * Throws `invalid-request`, `expectation-failed`, `unsupported-transfer-coding`. Gives the path to go to instead where the one
 * that was asked for ends with a slash too many.
 */
export function checkProtocol({ raw }: FastifyRequest): string | undefined {
  const { headers, url = '' } = raw;
  if (raw.httpVersion === '1.1' && (headers.host ?? '') === '') {
    throw new HourglassError('invalid-request', 'The request has no Host header. Send the name of this server.', {
      field: 'Host',
    });
  }
  refuseDoubledHeaders(raw);
  if (unexpected.has(raw)) {
    throw new HourglassError('expectation-failed', 'The only Expect that is understood here is 100-continue.', {
      field: 'Expect',
      expected: '100-continue',
      found: headers.expect?.slice(0, 100),
    });
  }
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    throw new HourglassError(
      'unsupported-transfer-coding',
      'The only Transfer-Encoding that is understood here is chunked. Send the body without compression.',
      { field: 'Transfer-Encoding', expected: 'chunked', found: coding.slice(0, 100) },
    );
  }
  if (url === '*' && raw.method !== 'OPTIONS') {
    throw new HourglassError('invalid-request', 'The target of the request is "*". Name a path, such as /v1/models.');
  }
  return redirectOf(raw);
}

/** `/v1/models/` → `/v1/models`, where nothing is sent along that a redirection would lose. */
function redirectOf({ method, url = '' }: IncomingMessage): string | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (!url.endsWith('/') && !url.includes('/?')) return undefined;
  const [path = '', query] = url.split('?', 2);
  // A second slash at the start, which browsers also read into "\", would make it an address of another host.
  const shorter = /^(\/[\w.~%@:-][^\\]*?)\/+$/.exec(path)?.[1];
  if (shorter === undefined) return undefined;
  return query === undefined ? shorter : `${shorter}?${query}`;
}

/** `OPTIONS *` asks about the server as a whole. */
export const asksAboutServer = ({ raw }: FastifyRequest): boolean => raw.method === 'OPTIONS' && raw.url === '*';

export const answerAboutServer = (reply: FastifyReply): FastifyReply =>
  reply.status(204).header('allow', 'DELETE, GET, HEAD, OPTIONS, POST, PUT').send();

/** Node takes the first of them; a proxy in front may have taken the second. */
function refuseDoubledHeaders(request: IncomingMessage): void {
  if (!hasDoubledHeaders(request)) return;
  const { rawHeaders } = request;
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    if (!singular.has(name)) continue;
    if (seen.has(name)) {
      throw new HourglassError('invalid-request', `The header ${name} was sent twice. Send it once.`, { field: name });
    }
    seen.add(name);
  }
}

/** Whether any header was sent more than once: `headers` has one member for each name. */
export function hasDoubledHeaders({ headers, rawHeaders }: IncomingMessage): boolean {
  let names = 0;
  for (const _ in headers) names++;
  return 2 * names !== rawHeaders.length;
}

const singular = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'host',
  'origin',
  'transfer-encoding',
  'idempotency-key',
  'authorization',
]);
