/**
 * Requests of one connection that arrive before the earlier ones are answered (pipelining, RFC 9112 section 9.3.2). A few of
 * them are worked on at a time; the others wait, and a connection with too many is cut, before the rest of what it has sent
 * is parsed. All connections share the turns of the event loop (../turn-share.ts).
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HourglassError } from '../../base/errors.ts';
import type { ConnectionTable } from '../connection-table.ts';
import { clientOf } from '../places.ts';
import type { Job, TurnShare } from '../turn-share.ts';
import { whenEnded } from './ending.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface PipelineOptions {
  readonly connections: ConnectionTable;
  /** unanswered requests of one connection */
  readonly maxPipelined: number;
  /** told of a connection that was cut */
  cut(socket: Socket): void;
  readonly turns: TurnShare;
}

/** those that are to be refused because too many wait */
const refused = new WeakSet<IncomingMessage>();

/** Whether too many predictions wait for this one to be answered. */
export const isRefused = (request: IncomingMessage): boolean => refused.has(request);

/** What those requests fail with: one error for all, since it says nothing of the request. */
export const tooManyWaiting = new HourglassError(
  'overloaded',
  'Too many predictions are waiting already. Try again in 1 s, or send fewer at a time.',
  { retryAfter: 1 },
);

const operations = '(?:encode|decode|denoise|reconstruct|classify|generate)';
/** the path, and the model that the query names */
const prediction = new RegExp(
  `^(/(?:v1/models/[^/?]+/)?${operations}|/v[12]/models/[^?]+(?:/infer|:predict))(?:\\?(?:.*&)?(model=[^&]*)?|$)`,
);

/** For predictions: those of one model take turns with those of others. */
function topicOf({ method, url = '' }: IncomingMessage): string | undefined {
  if (method !== 'POST') return undefined;
  const match = prediction.exec(url);
  return match ? `${match[1]} ${match[2] ?? ''}` : undefined;
}

/** A request in the turns of the event loop. What it is about is found out only when it has to wait. */
class Request implements Job {
  readonly #request: IncomingMessage;
  readonly run: () => void;

  constructor(request: IncomingMessage, run: () => void) {
    this.#request = request;
    this.run = run;
  }

  get client(): string {
    return clientOf(this.#request.socket.remoteAddress);
  }

  topic(): string | undefined {
    return topicOf(this.#request);
  }

  refuse(): void {
    refused.add(this.#request);
    this.run();
  }
}

/** worked on at a time, of one connection */
const atOnce = 8;
/** answered at once, whatever else waits */
const probes = new Set(['/livez', '/readyz', '/v2/health/live', '/v2/health/ready']);

/** Puts itself between the server and its handler of requests. */
export function boundPipelining(server: Server, { connections, maxPipelined, cut, turns }: PipelineOptions): void {
  const [handle] = server.listeners('request') as Handler[];
  if (!handle) throw new TypeError('the server has no handler yet');
  const waiting = new WeakMap<Socket, Job[]>();
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return stopParsing(socket);
    connections.begin(socket);
    const open = connections.requests(socket);
    if (open > maxPipelined) {
      cut(socket);
      socket.destroy();
      return stopParsing(socket);
    }
    whenEnded(response, () => {
      connections.end(socket);
      const next = waiting.get(socket)?.shift();
      if (next) turns.run(next);
    });
    const job = new Request(request, () => {
      if (!socket.destroyed) handle.call(server, request, response);
    });
    if (open > atOnce) {
      const queue = waiting.get(socket) ?? [];
      waiting.set(socket, queue);
      queue.push(job);
    } else if (open > 1) {
      // By the next turn it is known whether the connection is cut.
      turns.defer(job);
    } else if (probes.has(request.url ?? '')) job.run();
    else turns.run(job);
  });
}

/** What Node's parser asks of each request once its headers are there: 2 ends the parsing of what was read. */
interface ParsedSocket extends Socket {
  readonly parser?: { onIncoming?: (() => number) | null } | null;
}

/**
 * Node's parser goes on with what it has read of a connection that was cut, which may be thousands of requests. There is no
 * public way to stop it; where this one is gone, `test/attack/pipelining.test.ts` fails.
 */
function stopParsing({ parser }: ParsedSocket): void {
  if (parser) parser.onIncoming = () => 2;
}
