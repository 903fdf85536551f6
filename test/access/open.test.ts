// Access control as a gateway opens it from its settings: other tenants, a first key, and streams that end with their key.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKey } from '../../src/access/api-key.ts';
import { type OpenedAccess, openAccessControl } from '../../src/access/open.ts';
import { defaultCaller } from '../../src/base/caller.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { RedisKeys } from '../../src/queue/redis-keys.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { jobSpec, quiet } from '../queue/fixtures.ts';

let redis: TestRedis;
let storage: RedisKeys;
let opened: OpenedAccess;
let gateway: TestGateway;
const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-open-'));
const config = loadConfig({ HOURGLASS_AUTH: 'keys', HOURGLASS_DATA_DIR: folder });

beforeAll(async () => {
  redis = await startRedis();
  storage = await RedisKeys.open({ url: redis.url, prefix: 'test', timeoutMs: 2000 }, quiet);
  opened = await openAccessControl(config, storage, quiet);
  gateway = await startGateway({ access: opened });
});
afterAll(async () => {
  await gateway.stop();
  await opened.close();
  storage.close();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('access control of a gateway', () => {
  it('makes a first key where there is none, and none where there is one', async () => {
    expect(await opened.access.admit(`Bearer ${opened.firstKey}`, 'admin')).toMatchObject({ tenant: 'default' });
    const again = await openAccessControl(config, storage, quiet);
    expect(again.firstKey).toBeUndefined();
    await again.close();
  });

  it('makes keys of other tenants, whose holders see nothing of this one', async () => {
    const { key } = await opened.keys.create(defaultCaller, { name: 'x', scopes: ['read'], tenant: 'acme' });
    expect(await opened.access.admit(`Bearer ${key}`, 'read')).toMatchObject({ tenant: 'acme' });
    const authorization = `Bearer ${key}`;
    const { json } = await gateway.rest.send('GET', '/v1/models', undefined, { authorization });
    expect(json).toEqual({ models: [] });
  });

  it('asks nobody and still makes keys while it is off', async () => {
    const open = await openAccessControl({ ...config, auth: null }, storage, quiet);
    expect(await open.access.admit(undefined, 'admin')).toEqual(defaultCaller);
    const { id } = await open.keys.create(defaultCaller, { name: 'for later', scopes: ['read'] });
    await open.keys.revoke(defaultCaller, id);
    await open.close();
  });

  it('takes the key of an operator who has set one', async () => {
    const adminKey = newKey();
    const own = await openAccessControl({ ...config, adminKey }, storage, quiet);
    expect(await own.access.admit(`Bearer ${adminKey}`, 'admin')).toMatchObject({ subject: 'key:admin' });
    await own.close();
  });

  it('ends the event stream of a key that is revoked', async () => {
    const { key, id } = await opened.keys.create(defaultCaller, { name: 'watcher', scopes: ['read'] });
    const job = await gateway.queue.submit(jobSpec());
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/jobs/${job.id}/events`, { headers });
    expect(response.status).toBe(200);
    const text = response.text().catch((error: unknown) => `cut off: ${String(error)}`);
    await opened.keys.revoke(defaultCaller, id);
    expect(await text).toMatch(/event: state/);
  });
});
