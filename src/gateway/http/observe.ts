/** What is recorded of every request: metrics by route, and one line in the log. */

import type { Server } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../../platform/metrics.ts';
import { whenEnded } from './ending.ts';

const transport = 'rest';
/** asked every few seconds by probes */
const quiet = new Set(['/livez', '/readyz']);

export interface Observer {
  /** To be called once, as soon as there is a request. */
  begin(request: FastifyRequest, reply: FastifyReply): void;
}

export function createObserver(server: Server, metrics: Metrics): Observer {
  server.on('connection', (socket) => {
    metrics.move('connections', 1, { transport });
    socket.once('close', () => metrics.move('connections', -1, { transport }));
  });
  return {
    begin(request, reply) {
      metrics.move('requestsInFlight', 1, { transport });
      whenEnded(reply.raw, (finished) => {
        metrics.move('requestsInFlight', -1, { transport });
        record(request, reply, finished, metrics);
      });
    },
  };
}

function record(request: FastifyRequest, reply: FastifyReply, finished: boolean, metrics: Metrics): void {
  const route = routeOf(request);
  const code = codeOf(request, finished);
  const seconds = reply.elapsedTime / 1000;
  metrics.count('requests', 1, { transport, route, code });
  metrics.observe('requestDuration', seconds, { transport, route });
  const level = reply.statusCode >= 500 ? 'warn' : quiet.has(route) ? 'debug' : 'info';
  request.log[level]({ method: request.method, route, status: reply.statusCode, code, seconds }, 'answered');
}

/** The router's pattern: bounded in number, and free of what clients put into paths. */
const routeOf = ({ is404, routeOptions }: FastifyRequest): string => (is404 ? 'none' : (routeOptions.url ?? 'none'));

function codeOf({ failure }: FastifyRequest, finished: boolean): string {
  if (failure !== '') return failure;
  return finished ? 'ok' : 'cancelled';
}
