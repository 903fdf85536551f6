// Keys in use: rotated under load without a request that fails, and from the terminal.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newKey } from '../../src/access/api-key.ts';
import { scopes } from '../../src/base/caller.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { startGateway, type TestGateway } from '../gateway/http/harness.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { type LockedDoors, lockDoors } from './doors.ts';

let redis: TestRedis;
let first: LockedDoors;
let second: LockedDoors;
let gateways: TestGateway[];

beforeAll(async () => {
  redis = await startRedis();
  // Nobody is there: tokens cannot be verified.
  const tokens = { issuer: 'http://127.0.0.1:9', audience: 'x', jwksUrl: null, tenantClaim: null, scopeClaim: 'scope' };
  first = await lockDoors({ redisUrl: redis.url, tokens });
  second = await lockDoors({ redisUrl: redis.url });
  gateways = [await startGateway({ access: first }), await startGateway({ access: second })];
});
afterAll(async () => {
  for (const gateway of gateways ?? []) await gateway.stop();
  await first?.stop();
  await second?.stop();
  await redis?.stop();
});

it('are rotated under load on several gateways without a request that fails', async () => {
  const admin = `Bearer ${(await first.make({ scopes: [...scopes] })).key}`;
  let current = await first.make({ scopes: ['infer'] });
  let isOver = false;
  const statuses = new Map<number, number>();
  const ask = async (gateway: TestGateway): Promise<void> => {
    while (!isOver) {
      const authorization = `Bearer ${current.key}`;
      const body = { inputs: [[0, 0, 0, 0]] };
      const { status } = await gateway.rest.send('POST', '/v1/models/tiny/encode', body, { authorization });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const total = (): number => [...statuses.values()].reduce((sum, count) => sum + count, 0);
  const load = gateways.flatMap((gateway) => [ask(gateway), ask(gateway)]);
  for (let i = 0; i < 10; i++) {
    const target = `/v1/keys/${current.id}/rotate?overlapSeconds=60`;
    const rotated = await gateways[i % 2]?.rest.send('POST', target, undefined, { authorization: admin });
    expect(rotated?.status).toBe(201);
    // Clients get the new key at once and use it at whichever gateway they reach.
    current = rotated?.json as typeof current;
    const answers = total();
    await expect.poll(total, { interval: 5, timeout: 20_000 }).toBeGreaterThan(answers + 5);
  }
  isOver = true;
  await Promise.all(load);
  expect([...statuses.keys()]).toEqual([200]);
});

it('that are not valid are refused, also where small predictions take the short way, and end no process', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.AAAA`;
  for (const [credential, expected] of [
    [newKey(), 401],
    [token, 503],
  ] as const) {
    // Unknown keys are looked for in Redis, four times a second at most; this one is.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const authorization = `Bearer ${credential}`;
    const { status } = (await gateways[0]?.rest.send(
      ...(['POST', '/v1/models/tiny/encode', { inputs: [[0, 0, 0, 0]] }, { authorization }] as const),
    )) ?? { status: 0 };
    expect(status).toBe(expected);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

it('are made, listed, rotated and revoked from the terminal, of other tenants too', async () => {
  const { key: apiKey } = await first.make({ scopes: [...scopes] });
  const url = `http://127.0.0.1:${gateways[0]?.port}`;
  const run = async (...words: string[]): Promise<string> => {
    const lines: string[] = [];
    await keysCommand(words, { url, apiKey, print: (line) => lines.push(line), say: () => undefined });
    return lines.join('\n');
  };
  const made = await run('create', '--name', 'phone', '--scopes', 'infer,read', '--tenant', 'acme', '--expires', '30d');
  expect(await first.access.admit(`Bearer ${made}`, 'infer')).toMatchObject({ tenant: 'acme' });
  const list = JSON.parse(await run('list', '--json')) as { id: string; name: string }[];
  const { id = '' } = list.find(({ name }) => name === 'phone') ?? {};
  expect(await run('list')).toContain(id);
  const next = await run('rotate', id, '--overlap', '1h');
  expect(next).toMatch(/^hg_/);
  expect(next).not.toBe(made);
  await run('revoke', id);
  await expect(async () => first.access.admit(`Bearer ${made}`, 'infer')).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  expect(await first.access.admit(`Bearer ${next}`, 'read')).toMatchObject({ tenant: 'acme' });
  expect(await run('generate')).toMatch(/^hg_/);
  await expect(run('rotate', '0123456789abcdef')).rejects.toThrow();
  await expect(run('create', '--name', 'x')).rejects.toThrow('--scopes');
});
