// API keys on a real redis-server: made, found by every gateway's copy, rotated, revoked, and still valid without Redis.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isKey, keyPattern, newKey } from '../../src/access/api-key.ts';
import { type Caller, defaultCaller } from '../../src/base/caller.ts';
import { HourglassError } from '../../src/base/errors.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { until } from '../queue/fixtures.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

const acme: Caller = { ...defaultCaller, tenant: 'acme' };
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no error',
    (error: unknown) => (error instanceof HourglassError ? error.code : error),
  );

describe('the form of a key', () => {
  it('has 256 random bits and a checksum that scanners can check', () => {
    const keys = Array.from({ length: 200 }, newKey);
    expect(new Set(keys).size).toBe(200);
    for (const key of keys) {
      expect(key).toMatch(new RegExp(`^${keyPattern}$`));
      expect(isKey(key)).toBe(true);
    }
  });

  it('refuses a key with one other character anywhere', () => {
    const key = newKey();
    for (let i = 0; i < key.length; i++) {
      const other = key[i] === 'a' ? 'b' : 'a';
      expect(isKey(key.slice(0, i) + other + key.slice(i + 1))).toBe(false);
    }
  });

  it('can be made by the shell commands of its documentation', () => {
    const script =
      'key=hg_$(od -An -N32 -tx1 /dev/urandom | tr -d " \\n"); echo "$key$(printf %s "$key" | sha256sum | cut -c1-8)"';
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(isKey(stdout.trim())).toBe(true);
  });
});

describe('keys', () => {
  let redis: TestRedis;
  let here: LockedDoors;
  let elsewhere: LockedDoors;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-keys-'));
  const file = path.join(folder, 'keys.json');

  beforeAll(async () => {
    redis = await startRedis();
    here = await lockDoors({ redisUrl: redis.url, file });
    elsewhere = await lockDoors({ redisUrl: redis.url });
  });
  afterAll(async () => {
    await here.stop();
    await elsewhere.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('open what their scopes say, on other gateways at once', async () => {
    const { key, id } = await here.make({ scopes: ['infer', 'read'], tenant: 'acme' });
    const identity = await elsewhere.access.admit(`Bearer ${key}`, 'infer');
    expect(identity).toMatchObject({ tenant: 'acme', subject: `key:${id}` });
    expect(() => here.access.admit(`Bearer ${key}`, 'train')).toThrow(/needs the scope train; yours has infer, read/);
  });

  it.each([undefined, '', 'Bearer', 'Bearer hg_short', `Bearer ${newKey()}`, `Basic ${newKey()}`, 7, ['Bearer x']])(
    'are asked for where %s was sent',
    async (authorization) => {
      const admit = async () => here.access.admit(authorization, 'read');
      expect(await codeOf(admit())).toBe('unauthenticated');
    },
  );

  it('never lie in Redis or in the local copy as such', async () => {
    const { key } = await here.make({});
    const dump = readFileSync(path.join(redis.dir, 'appendonlydir', 'appendonly.aof.1.incr.aof'), 'utf8');
    expect(dump).toContain('"digest"');
    for (const text of [dump, readFileSync(file, 'utf8')]) expect(text).not.toContain(key.slice(3, 40));
  });

  it('are refused everywhere once they are revoked, and end what is open', async () => {
    const { key, id } = await here.make({});
    const identity = await elsewhere.access.admit(`Bearer ${key}`, 'infer');
    await here.keys.revoke(defaultCaller, id);
    await until(
      async () =>
        (await codeOf((async () => elsewhere.access.admit(`Bearer ${key}`, 'infer'))())) === 'unauthenticated',
    );
    expect(identity.revoked?.aborted).toBe(true);
    expect(await codeOf(here.keys.revoke(defaultCaller, id))).toBe('key-not-found');
  });

  it('expire', async () => {
    const { key } = await here.make({ expiresInSeconds: 1 });
    expect(await here.access.admit(`Bearer ${key}`, 'infer')).toBeDefined();
    await until(
      async () => (await codeOf((async () => here.access.admit(`Bearer ${key}`, 'infer'))())) === 'unauthenticated',
    );
  });

  it('overlap when they are rotated', async () => {
    const old = await here.make({ name: 'phone', scopes: ['infer'] });
    const next = await here.keys.rotate(defaultCaller, old.id, 600);
    expect(next).toMatchObject({ name: 'phone', scopes: ['infer'], tenant: 'default' });
    for (const { key } of [old, next]) expect(await elsewhere.access.admit(`Bearer ${key}`, 'infer')).toBeDefined();
    const last = await here.keys.rotate(defaultCaller, next.id, 0);
    expect(await codeOf((async () => here.access.admit(`Bearer ${next.key}`, 'infer'))())).toBe('unauthenticated');
    expect(await here.access.admit(`Bearer ${last.key}`, 'infer')).toBeDefined();
    expect(await codeOf(here.keys.rotate(defaultCaller, next.id))).toBe('key-not-found');
  });

  it('say when they were last used', async () => {
    const { key, id } = await here.make({});
    expect((await here.keys.get(defaultCaller, id)).lastUsedAt).toBeUndefined();
    await here.access.admit(`Bearer ${key}`, 'infer');
    const other = await lockDoors({ redisUrl: redis.url });
    await other.access.admit(`Bearer ${key}`, 'infer');
    await other.stop(); // writes what it has noted
    expect(Date.parse((await here.keys.get(defaultCaller, id)).lastUsedAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  it('of other tenants are not there for an admin of one', async () => {
    const theirs = await here.make({ tenant: 'other' });
    const own = await here.keys.create(acme, { name: 'own', scopes: ['read'] });
    expect(own.tenant).toBe('acme');
    expect((await here.keys.list(acme)).every(({ tenant }) => tenant === 'acme')).toBe(true);
    for (const call of [
      here.keys.get(acme, theirs.id),
      here.keys.rotate(acme, theirs.id),
      here.keys.revoke(acme, theirs.id),
    ]) {
      expect(await codeOf(call)).toBe('key-not-found');
    }
    expect(await codeOf(here.keys.create(acme, { name: 'x', scopes: ['read'], tenant: 'other' }))).toBe('forbidden');
    expect((await here.keys.list(defaultCaller)).map(({ id }) => id)).toEqual(
      expect.arrayContaining([theirs.id, own.id]),
    );
  });

  it('are bounded for each tenant, rotated ones too, so that none takes the places of others', async () => {
    const bounded: Caller = { ...defaultCaller, tenant: 'bounded' };
    const few = await lockDoors({ redisUrl: redis.url, limits: { all: 10_000, tenant: 2 } });
    const request = { name: 'a', scopes: ['infer' as const], expiresInSeconds: 1 };
    await few.keys.create(bounded, request);
    const second = await few.keys.create(bounded, { ...request, expiresInSeconds: 3600 });
    expect(await codeOf(few.keys.create(bounded, request))).toBe('quota-exceeded');
    expect(await codeOf(few.keys.rotate(bounded, second.id))).toBe('quota-exceeded');
    await few.keys.create({ ...defaultCaller, tenant: 'globex' }, request);
    await few.make({});
    // The first has expired by now and makes room.
    await new Promise((resolve) => setTimeout(resolve, 1050));
    await few.keys.rotate(bounded, second.id);
    await few.stop();
  });

  it('stay valid while Redis is away, also for a gateway that starts then', async () => {
    const { key } = await here.make({});
    const unknown = newKey();
    await redis.kill();
    try {
      const started = await lockDoors({ redisUrl: redis.url, file, timeoutMs: 200 });
      const blind = await lockDoors({ redisUrl: redis.url, timeoutMs: 200 });
      for (const doors of [here, started]) {
        expect(await doors.access.admit(`Bearer ${key}`, 'infer')).toBeDefined();
        expect(await codeOf((async () => doors.access.admit(`Bearer ${unknown}`, 'infer'))())).toBe('unauthenticated');
      }
      // It has never seen a key, so it cannot say that this one is wrong.
      expect(await codeOf((async () => blind.access.admit(`Bearer ${key}`, 'infer'))())).toBe('access-unavailable');
      await started.stop();
      await blind.stop();
    } finally {
      await redis.start();
    }
  });

  it('begin with one that may do everything, made by one gateway only', async () => {
    const fresh = await startRedis();
    const doors = await Promise.all([1, 2, 3].map(() => lockDoors({ redisUrl: fresh.url })));
    const made = (await Promise.all(doors.map(({ keys }) => keys.createFirst()))).filter((key) => key !== undefined);
    expect(made).toHaveLength(1);
    expect(await doors[2]?.access.admit(`Bearer ${made[0]}`, 'admin')).toBeDefined();
    expect(await doors[0]?.keys.createFirst()).toBeUndefined();
    const operated = await lockDoors({ redisUrl: fresh.url, adminKey: newKey() });
    expect(await operated.keys.createFirst()).toBeUndefined();
    for (const { stop } of [...doors, operated]) await stop();
    await fresh.stop();
  });

  it('take an operator who has set one at its word', async () => {
    const adminKey = newKey();
    const doors = await lockDoors({ redisUrl: redis.url, adminKey });
    expect(await doors.access.admit(`Bearer ${adminKey}`, 'admin')).toMatchObject({ subject: 'key:admin' });
    expect((await doors.keys.list(defaultCaller)).map(({ id }) => id)).not.toContain('admin');
    await doors.stop();
  });
});
