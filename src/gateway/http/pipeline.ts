/**
 * Requests of one connection that arrive before the earlier ones are answered (pipelining, RFC 9112 section 9.3.2): a few
 * of them are worked on at a time, so that other connections get their turn, and a connection with too many is cut.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionTable } from '../connection-table.ts';
import { whenEnded } from './ending.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface PipelineOptions {
  readonly connections: ConnectionTable;
  /** unanswered requests of one connection */
  readonly maxPipelined: number;
  /** told of a connection that was cut */
  cut(socket: Socket): void;
}

/** worked on at a time, of one connection */
const atOnce = 8;

/** Puts itself between the server and its handler of requests. */
export function boundPipelining(server: Server, { connections, maxPipelined, cut }: PipelineOptions): void {
  const [handle] = server.listeners('request') as Handler[];
  if (!handle) throw new TypeError('the server has no handler yet');
  const waiting = new WeakMap<Socket, (() => void)[]>();
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    // The parser still hands over what it had read when the connection was cut.
    if (socket.destroyed) return;
    connections.begin(socket);
    const open = connections.requests(socket);
    if (open > maxPipelined) {
      cut(socket);
      socket.destroy();
      return;
    }
    whenEnded(response, () => {
      connections.end(socket);
      waiting.get(socket)?.shift()?.();
    });
    if (open <= atOnce) return handle.call(server, request, response);
    const queue = waiting.get(socket) ?? [];
    waiting.set(socket, queue);
    queue.push(() => {
      if (!socket.destroyed) handle.call(server, request, response);
    });
  });
}
