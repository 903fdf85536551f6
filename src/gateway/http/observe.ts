/** What is recorded of every request: metrics by route, and one line in the log. */

import type { FastifyRequest } from 'fastify';
import type { Metrics } from '../../platform/metrics.ts';
import type { App } from './parts.ts';

const transport = 'rest';
/** asked every few seconds by probes */
const quiet = new Set(['/livez', '/readyz']);

export function observe(app: App, metrics: Metrics): void {
  app.server.on('connection', (socket) => {
    metrics.move('connections', 1, { transport });
    socket.once('close', () => metrics.move('connections', -1, { transport }));
  });

  app.addHook('onRequest', async () => metrics.move('requestsInFlight', 1, { transport }));

  app.addHook('onResponse', async (request, reply) => {
    const route = routeOf(request);
    const code = codeOf(request, reply.raw.writableFinished);
    const seconds = reply.elapsedTime / 1000;
    metrics.move('requestsInFlight', -1, { transport });
    metrics.count('requests', 1, { transport, route, code });
    metrics.observe('requestDuration', seconds, { transport, route });
    const level = reply.statusCode >= 500 ? 'warn' : quiet.has(route) ? 'debug' : 'info';
    request.log[level]({ method: request.method, route, status: reply.statusCode, code, seconds }, 'answered');
  });
}

/** The router's pattern: bounded in number, and free of what clients put into paths. */
const routeOf = ({ is404, routeOptions }: FastifyRequest): string => (is404 ? 'none' : (routeOptions.url ?? 'none'));

function codeOf({ failure }: FastifyRequest, finished: boolean): string {
  if (failure !== '') return failure;
  return finished ? 'ok' : 'cancelled';
}
