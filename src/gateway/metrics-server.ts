/** Prometheus metrics on a port of their own, which is not for the public. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../platform/log.ts';
import { type MetricsSnapshot, metricsContentType, renderSnapshots } from '../platform/metrics.ts';

export interface MetricsServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

/** `read` gives what this process has recorded, and others for which it speaks. */
export function createMetricsServer(read: () => Promise<readonly MetricsSnapshot[]>, log: Logger): MetricsServer {
  const server = createServer({ requestTimeout: 10_000, keepAliveTimeout: 72_000 }, async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    if (request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics.\n');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else {
      try {
        const text = await renderSnapshots(await read());
        response.writeHead(200, { 'content-type': metricsContentType }).end(request.method === 'HEAD' ? '' : text);
      } catch (err) {
        log.error({ err }, 'metrics could not be read');
        response.writeHead(500, { 'content-type': 'text/plain' }).end('The metrics cannot be read.\n');
      }
    }
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
