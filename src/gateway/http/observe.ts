/** What is recorded of every request: metrics by route, and one line in the log. */

import type { Server } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LabelsOf } from '../../platform/metric-table.ts';
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

/**
 * The stages of a prediction that are the gateway's own. To be called when the request has been read; returns what is to be
 * called when there is an answer to write.
 */
export function observeStages(
  { raw, elapsedTime }: FastifyReply,
  operation: LabelsOf<'stageDuration'>['operation'],
  metrics: Metrics,
): () => void {
  metrics.observe('stageDuration', elapsedTime / 1000, { stage: 'read', operation });
  return () => {
    const start = performance.now();
    raw.once('finish', () => {
      metrics.observe('stageDuration', (performance.now() - start) / 1000, { stage: 'write', operation });
    });
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
