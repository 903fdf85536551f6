/** From the settings to access control that runs: keys with their local copy, tokens, or none of it. */

import path from 'node:path';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/log.ts';
import { type Access, GuardedAccess, openAccess } from './access.ts';
import { waysOf } from './exposure.ts';
import { KeyRing } from './key-ring.ts';
import { KeyService } from './key-service.ts';
import type { KeyStorage } from './key-storage.ts';

export interface OpenedAccess {
  readonly access: Access;
  readonly keys: KeyService;
  /** a key that was made because there was none; to be shown once */
  readonly firstKey?: string;
  close(): Promise<void>;
}

/** Keys can be made before access control is turned on. What `exposureProblem` finds must be settled before. */
export async function openAccessControl(config: Config, storage: KeyStorage, log: Logger): Promise<OpenedAccess> {
  const ways = waysOf(config);
  const file = path.join(config.dataDir, 'access', 'keys.json');
  const ring = new KeyRing({ storage, adminKey: config.adminKey, log, ...(ways.includes('keys') && { file }) });
  const keys = new KeyService(storage, ring);
  await ring.start();
  const close = () => ring.stop();
  if (ways.length === 0) return { access: openAccess, keys, close };
  const access = new GuardedAccess({
    ...(ways.includes('keys') && { keys: ring }),
    ...(ways.includes('oidc') && { tokens: await tokensOf(config) }),
  });
  const firstKey = ways.includes('keys') ? await keys.createFirst().catch(() => undefined) : undefined;
  return { access, keys, close, ...(firstKey !== undefined && { firstKey }) };
}

async function tokensOf(config: Config) {
  const { TokenVerifier } = await import('./tokens.ts');
  const { oidcIssuer, oidcAudience, oidcJwksUrl, oidcTenantClaim, oidcScopeClaim } = config;
  if (oidcIssuer === null || oidcAudience === null) throw new TypeError('exposureProblem was not asked');
  return new TokenVerifier({
    ...{ issuer: oidcIssuer, audience: oidcAudience, jwksUrl: oidcJwksUrl },
    ...{ tenantClaim: oidcTenantClaim, scopeClaim: oidcScopeClaim },
  });
}

/** For the operator's terminal. */
export const firstKeyText = (key: string): string =>
  `\nThere was no API key yet. This one may do everything and is not shown again:\n\n  export HOURGLASS_API_KEY=${key}\n\n`;
