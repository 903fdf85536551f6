// Access control for gateways under test: none, or keys on a real redis-server.
import { type Access, GuardedAccess, openAccess } from '../../src/access/access.ts';
import { AuditLog } from '../../src/access/audit-log.ts';
import type { KeyRequest } from '../../src/access/key-record.ts';
import { KeyRing } from '../../src/access/key-ring.ts';
import { type KeyLimits, KeyService, type NewKey } from '../../src/access/key-service.ts';
import { type TokenSettings, TokenVerifier } from '../../src/access/tokens.ts';
import { defaultCaller } from '../../src/base/caller.ts';
import type { Logger } from '../../src/platform/log.ts';
import { RedisAudit } from '../../src/queue/redis-audit.ts';
import { RedisKeys } from '../../src/queue/redis-keys.ts';
import { quiet } from '../queue/fixtures.ts';

export interface Doors {
  readonly access: Access;
  readonly keys: KeyService;
  readonly audit: AuditLog;
}

/** Everybody may do everything; there is no store of keys. */
export const openDoors: Doors = {
  access: openAccess,
  keys: new Proxy({} as KeyService, {
    get: () => {
      throw new Error('this test has no keys');
    },
  }),
  audit: new AuditLog({ append: async () => {}, read: async () => ({ entries: [], hasMore: false }) }, quiet),
};

export interface LockedDoors extends Doors {
  readonly ring: KeyRing;
  /** as the operator */
  make(request: Partial<KeyRequest>): Promise<NewKey>;
  stop(): Promise<void>;
}

export interface LockOptions {
  readonly redisUrl: string;
  readonly tokens?: TokenSettings;
  readonly file?: string;
  readonly adminKey?: string;
  readonly timeoutMs?: number;
  readonly log?: Logger;
  readonly limits?: KeyLimits;
}

export async function lockDoors({
  redisUrl,
  tokens,
  file,
  adminKey,
  timeoutMs = 2000,
  log = quiet,
  limits,
}: LockOptions): Promise<LockedDoors> {
  const storage = await RedisKeys.open({ url: redisUrl, prefix: 'test', timeoutMs }, quiet);
  const auditSettings = { url: redisUrl, prefix: 'test', timeoutMs, keepEntries: 1000 };
  const auditStorage = await RedisAudit.open(auditSettings, quiet);
  const audit = new AuditLog(auditStorage, log);
  const ring = new KeyRing({ storage, log: quiet, ...(file && { file }), ...(adminKey && { adminKey }) });
  await ring.start();
  const keys = new KeyService(storage, ring, limits);
  const access = new GuardedAccess({ keys: ring, ...(tokens && { tokens: new TokenVerifier(tokens) }) });
  return {
    ...{ access, keys, ring, audit },
    make: (request) => keys.create(defaultCaller, { name: 'test', scopes: ['infer'], ...request }),
    async stop() {
      await ring.stop();
      await audit.close();
      auditStorage.close();
      storage.close();
    },
  };
}
