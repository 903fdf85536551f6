/**
 * A short way for ordinary predictions: few rows of numbers for a small model, without the framework's hooks, promises and copies.
 * It only answers with success, and refuses what is one too many (short-refusal.ts). Whatever is not ordinary, and whatever else
 * is to be refused, goes the way of every other request (server.ts), with the body that was read by then, so that each rule and
 * each refusal is written down once.
 *
 *   request ─► ordinary? ─► body ─► rows ─► run at the end of the turn ─► one write
 *                 └ no ──────┴────────┴──────────────┴─► framework
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Access } from '../../access/access.ts';
import { defaultCaller, type Identity, stranger } from '../../base/caller.ts';
import type { RowOperation } from '../../registry/manifest.ts';
import { identify } from '../identify.ts';
import { isKnownHost } from './cross-origin.ts';
import { FastCall, type FastParts, type FastRoute } from './fast-call.ts';
import { json, negotiate, octets } from './media.ts';
import { isRefused, tooManyWaiting } from './pipeline.ts';
import { hasDoubledHeaders } from './protocol.ts';
import { requestIdOf } from './request-id.ts';
import { offeredBy } from './rows-answer.ts';
import { refuseUnread } from './short-refusal.ts';
import { smallBytes } from './small-body.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Puts the lane between the server and its handler of requests. */
export function putBefore(server: Server, lane: FastLane): void {
  const [handle] = server.listeners('request') as Handler[];
  if (!handle) throw new TypeError('the server has no handler yet');
  server.removeAllListeners('request');
  server.on('request', (request, response) =>
    lane.handle(request, response, () => handle.call(server, request, response)),
  );
}

/** Names and references as they are usually written; others are left to the router. */
const path = /^(?:\/v1\/models\/([\w.@:-]{1,128}))?\/(encode|decode|denoise|reconstruct|classify)$/;
const mostRemembered = 1000;

/** Headers that change what is checked, read or answered. */
const unusual = [
  ...['content-encoding', 'expect', 'origin', 'sec-fetch-site', 'traceparent', 'transfer-encoding', 'upgrade'],
  'x-request-timeout',
] as const;

const types = new Map<string | undefined, typeof json | typeof octets>([
  [json, json],
  ['application/json; charset=utf-8', json],
  ['application/json;charset=utf-8', json],
  [octets, octets],
]);

export class FastLane {
  readonly #parts: FastParts;
  readonly #access: Access;
  readonly #routes = new Map<string, FastRoute>();
  /** by operation and Accept; undefined: neither of the two */
  readonly #answers = new Map<string, typeof json | typeof octets | undefined>();

  constructor(parts: FastParts, access: Access) {
    this.#parts = parts;
    this.#access = access;
  }

  /** Answers the request, or calls `otherwise` with it: at once, or after its body was read (see `readBody`). */
  handle(request: IncomingMessage, response: ServerResponse, otherwise: () => void): void {
    const route = request.method === 'POST' ? this.#routeOf(request.url ?? '') : undefined;
    const { headers } = request;
    const given = types.get(headers['content-type']);
    const bytes = Number(headers['content-length']);
    if (!route || !given || !(bytes > 0 && bytes <= smallBytes) || !this.#isOrdinary(request)) return otherwise();
    if (isRefused(request)) return this.#refuse(request, response, route);
    const answer = this.#answerType(route.operation, headers.accept);
    const identity = answer && this.#identityOf(headers.authorization);
    const tenant = identity && atOnce(this.#parts.tenants.of(identity.tenant));
    if (!answer || !identity || !tenant) return otherwise();
    const caller = identify(identity, request.socket.remoteAddress ?? '', undefined);
    const asked = { route, given, answer, bytes, caller, tenant, requestId: requestIdOf(request) };
    new FastCall(this.#parts, request, response, asked, otherwise).read();
  }

  /** Too many wait; so it is not asked who this is, which may take longer. */
  #refuse(request: IncomingMessage, response: ServerResponse, { pattern }: FastRoute): void {
    const { observer, hsts } = this.#parts;
    const who = this.#access.isOn ? stranger : defaultCaller;
    const caller = identify(who, request.socket.remoteAddress ?? '', undefined);
    const requestId = requestIdOf(request);
    refuseUnread(request, response, { error: tooManyWaiting, requestId, hsts, route: pattern, caller, observer });
  }

  #routeOf(url: string): FastRoute | undefined {
    const known = this.#routes.get(url);
    if (known) return known;
    const match = path.exec(url);
    if (!match) return undefined;
    const [, model, operation] = match;
    const pattern = model === undefined ? `/${operation}` : `/v1/models/:model/${operation}`;
    const route = { pattern, operation: operation as RowOperation, model };
    if (this.#routes.size >= mostRemembered) this.#routes.clear();
    this.#routes.set(url, route);
    return route;
  }

  #isOrdinary(request: IncomingMessage): boolean {
    const { headers, httpVersion } = request;
    if (httpVersion !== '1.1' || this.#parts.readiness.stopping) return false;
    for (const name of unusual) if (headers[name] !== undefined) return false;
    return isKnownHost(headers.host, this.#parts.config) && !hasDoubledHeaders(request);
  }

  #answerType(operation: RowOperation, accept: string | undefined): typeof json | typeof octets | undefined {
    if (accept === undefined) return json;
    const key = `${operation} ${accept}`;
    if (this.#answers.has(key)) return this.#answers.get(key);
    const answer = numbersOnly(operation, accept);
    if (this.#answers.size >= mostRemembered) this.#answers.clear();
    this.#answers.set(key, answer);
    return answer;
  }

  /** Undefined when it must be asked for, or when the caller may not do this. */
  #identityOf(authorization: string | undefined): Identity | undefined {
    if (!this.#access.isOn) return defaultCaller;
    try {
      return atOnce(this.#access.admit(authorization, 'infer'));
    } catch {
      return undefined;
    }
  }
}

/**
 * Undefined for what has to be waited for. The usual way asks again and answers; here nobody waits, so that a rejection (a key that is
 * unknown, a store that is away) has to be handled: it would end the process.
 */
function atOnce<T>(found: T | Promise<T>): T | undefined {
  if (!(found instanceof Promise)) return found;
  found.catch(() => undefined);
  return undefined;
}

function numbersOnly(operation: RowOperation, accept: string): typeof json | typeof octets | undefined {
  try {
    const type = negotiate<string>(accept, offeredBy(operation));
    return type === json || type === octets ? type : undefined;
  } catch {
    return undefined;
  }
}
