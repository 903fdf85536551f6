/** Asks a gateway or worker on this machine whether it is alive: `hourglass health`, the HEALTHCHECK of the images. */

import { request as askPlainly } from 'node:http';
import { request as askEncrypted } from 'node:https';

const timeoutMs = 2500;

/**
 * True when the process answers /livez on its metrics port in time. A certificate is not checked: it names the service, not the
 * loopback address, over which nobody else can answer.
 */
export function isLive(metricsPort: number, isEncrypted: boolean): Promise<boolean> {
  const options = { host: '127.0.0.1', port: metricsPort, path: '/livez', signal: AbortSignal.timeout(timeoutMs) };
  const ask = isEncrypted ? askEncrypted : askPlainly;
  return new Promise((resolve) => {
    const request = ask({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
    request.end();
  });
}
