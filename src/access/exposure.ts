/** Whether what was configured is safe to start: nobody shall be open to the network without having said so. */

import { isIP } from 'node:net';
import type { Config } from '../platform/config.ts';
import { isKey } from './api-key.ts';

export type ExposureConfig = Pick<Config, 'host' | 'auth' | 'adminKey' | 'oidcIssuer' | 'oidcAudience'>;

/** How callers say who they are; empty: access control is off. */
export function waysOf({ auth }: Pick<Config, 'auth'>): readonly ('keys' | 'oidc')[] {
  return auth === null || auth === 'off' ? [] : (auth.split(',') as ('keys' | 'oidc')[]);
}

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return isIP(name) === 4 ? name.startsWith('127.') : name === '::1' || name === '::ffff:127.0.0.1';
}

/** One line that says what to set; undefined when it may start. */
export function exposureProblem(config: ExposureConfig): string | undefined {
  const { host, auth, adminKey, oidcIssuer, oidcAudience } = config;
  if (auth === null && !isLoopback(host)) {
    return `HOURGLASS_HOST=${host} can be reached from other machines, and it is not said who may come in: set HOURGLASS_AUTH=keys (or oidc), or HOURGLASS_AUTH=off to let everybody do everything.`;
  }
  const ways = waysOf(config);
  if (ways.includes('oidc') && (oidcIssuer === null || oidcAudience === null)) {
    return 'HOURGLASS_AUTH=oidc needs HOURGLASS_OIDC_ISSUER and HOURGLASS_OIDC_AUDIENCE.';
  }
  if (adminKey !== null && !isKey(adminKey)) {
    return 'HOURGLASS_ADMIN_KEY is not a key: make one with `hourglass keys generate`, or leave it out and one is made and printed.';
  }
  return undefined;
}
