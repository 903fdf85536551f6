/**
 * Prometheus metrics and the probes on a port of their own, which is not for the public and which no load can fill. It answers
 * to the same host names as the REST API, so that no web page can read it through a name that points here (DNS rebinding).
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../platform/log.ts';
import { type MetricsSnapshot, metricsContentTypes, renderSnapshots } from '../platform/metrics.ts';
import { ConnectionTable } from './connection-table.ts';
import { type CrossOriginConfig, isAllowedHost } from './http/cross-origin.ts';
import { type ReadinessReport, reportFor } from './readiness.ts';

/** connections at once; with more, the one idle for the longest time is closed */
const maxConnections = 256;

export interface MetricsServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

/** `read` gives what this process and those it speaks for have recorded; without `readiness`, `/readyz` is not there. */
export function createMetricsServer(
  read: () => Promise<readonly MetricsSnapshot[]>,
  log: Logger,
  config: CrossOriginConfig,
  readiness?: { report(): Promise<ReadinessReport> | ReadinessReport },
): MetricsServer {
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 72_000 }, async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    const [path, query] = (request.url ?? '').split('?', 2);
    const { host } = request.headers;
    if (host !== undefined && !isAllowedHost(host, config)) {
      const text =
        'This server does not answer to that host name. If it is yours, list it in HOURGLASS_ALLOWED_HOSTS.\n';
      response.writeHead(403, { 'content-type': 'text/plain' }).end(text);
    } else if (path !== '/metrics' && path !== '/livez' && !(path === '/readyz' && readiness)) {
      const text = `There is no such path. There are /metrics, /livez${readiness ? ' and /readyz' : ''}.\n`;
      response.writeHead(404, { 'content-type': 'text/plain' }).end(text);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/livez') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok\n');
    } else if (path === '/readyz' && readiness) {
      const report = reportFor(await readiness.report(), new URLSearchParams(query).get('for') ?? undefined);
      response.writeHead(report.ready ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(report));
    } else {
      try {
        const format = /\bapplication\/openmetrics-text\b/i.test(request.headers.accept ?? '')
          ? 'openmetrics'
          : 'prometheus';
        const text = await renderSnapshots(await read(), format);
        response.setHeader('vary', 'accept');
        response
          .writeHead(200, { 'content-type': metricsContentTypes[format] })
          .end(request.method === 'HEAD' ? '' : text);
      } catch (err) {
        log.error({ err }, 'metrics could not be read');
        response.writeHead(500, { 'content-type': 'text/plain' }).end('The metrics cannot be read.\n');
      }
    }
  });
  const connections = new ConnectionTable(maxConnections);
  server.prependListener('connection', (socket) => connections.add(socket));
  server.prependListener('request', (request, response) => {
    connections.begin(request.socket);
    response.once('close', () => connections.end(request.socket));
  });
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
