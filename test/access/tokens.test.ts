// Tokens of an OpenID provider that runs here: signatures, times, claims, keys that change, and a provider that is away.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GuardedAccess } from '../../src/access/access.ts';
import { TokenVerifier } from '../../src/access/tokens.ts';
import { HourglassError } from '../../src/base/errors.ts';

const audience = 'hourglass';
let server: Server;
let issuer = '';
let keys: {
  readonly kid: string;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  readonly jwk: object;
}[] = [];
let fetches = 0;

async function newSigner(kid: string): Promise<(typeof keys)[number]> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

beforeAll(async () => {
  keys = [await newSigner('one')];
  server = createServer((request, response) => {
    fetches++;
    const document = { issuer, jwks_uri: `${issuer}/keys` };
    const answer = request.url === '/keys' ? { keys: keys.map(({ jwk }) => jwk) } : document;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

interface Wishes {
  readonly claims?: JWTPayload;
  readonly expires?: number | string;
  readonly by?: (typeof keys)[number];
}

const sign = ({ claims = {}, expires = '5m', by = keys[0] as (typeof keys)[number] }: Wishes = {}): Promise<string> =>
  new SignJWT({ scope: 'openid infer hourglass:read', ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: by.kid })
    .setIssuer((claims.iss as string) ?? issuer)
    .setAudience((claims.aud as string) ?? audience)
    .setSubject('ada')
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(by.privateKey);

const open = (changes = {}) =>
  new GuardedAccess({
    tokens: new TokenVerifier({ issuer, audience, jwksUrl: null, tenantClaim: null, scopeClaim: 'scope', ...changes }),
  });

const codeOf = async (access: GuardedAccess, token: string): Promise<string> => {
  try {
    await access.admit(`Bearer ${token}`, 'infer');
    return 'admitted';
  } catch (error) {
    return error instanceof HourglassError ? error.code : String(error);
  }
};

describe('a token', () => {
  it('of the provider gives tenant and scopes by its claims', async () => {
    const access = open({ tenantClaim: 'org' });
    const identity = await access.admit(`Bearer ${await sign({ claims: { org: 'acme' } })}`, 'infer');
    expect(identity).toMatchObject({ tenant: 'acme', subject: 'token:ada' });
    expect([...identity.scopes]).toEqual(['infer', 'read']);
    expect(await codeOf(access, await sign())).toBe('forbidden');
    expect(await codeOf(access, await sign({ claims: { org: '../up' } }))).toBe('forbidden');
    expect(await codeOf(access, await sign({ claims: { org: 'acme', scope: ['read'] } }))).toBe('forbidden');
  });

  it('is verified once, then believed without asking anybody', async () => {
    const access = open();
    const token = await sign();
    expect(await codeOf(access, token)).toBe('admitted');
    const before = fetches;
    expect(access.admit(`Bearer ${token}`, 'infer')).not.toBeInstanceOf(Promise);
    expect(fetches).toBe(before);
  });

  it('with anything wrong about it is not valid', async () => {
    const access = open();
    const forger = await newSigner('one');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign()).split('.')[1]}.`;
    const secret = new TextEncoder().encode(JSON.stringify(keys[0]?.jwk));
    const shared = await new SignJWT({ scope: 'infer' })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('ada')
      .setExpirationTime('5m')
      .sign(secret);
    const [head, body, signature = ''] = (await sign()).split('.');
    const wrong = {
      expired: await sign({ expires: Math.floor(Date.now() / 1000) - 60 }),
      'another issuer': await sign({ claims: { iss: 'https://evil.example' } }),
      'another audience': await sign({ claims: { aud: 'other' } }),
      'another key': await sign({ by: forger }),
      'no signature': unsigned,
      'a shared secret': shared,
      changed: `${head}.${body}x.${signature}`,
      'no token': 'abc.def.ghi',
    };
    for (const [what, token] of Object.entries(wrong))
      expect([what, await codeOf(access, token)]).toEqual([what, 'unauthenticated']);
  });

  it('cannot be checked while the provider is away, which is not its fault', async () => {
    const access = open({ jwksUrl: 'http://127.0.0.1:9/keys' });
    expect(await codeOf(access, await sign())).toBe('access-unavailable');
  });

  it('of a discovery document that names another issuer is not checked against its keys', async () => {
    const access = open({ issuer: `${issuer}/other` });
    expect(await codeOf(access, await sign({ claims: { iss: `${issuer}/other` } }))).toBe('access-unavailable');
  });

  it('signed with a key that the provider has just begun to use is taken, and one of a key that it withdrew is not', async () => {
    const access = open();
    const [before] = keys;
    const old = await sign();
    expect(await codeOf(access, old)).toBe('admitted');
    const next = await newSigner('two');
    keys = [next];
    // The keys are fetched again for an unknown one, but not more often than every 30 s; and a token is believed for a minute.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 70_000 });
    try {
      expect(await codeOf(access, await sign({ by: next }))).toBe('admitted');
      expect(await codeOf(access, old)).toBe('unauthenticated');
    } finally {
      vi.useRealTimers();
      keys = before ? [before] : keys;
    }
  });
});
