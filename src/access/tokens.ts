/**
 * Tokens of an OpenID Connect provider (JWT): signature by the provider's published keys, issuer, audience, times; claims give
 * tenant and scopes. The only user of jose. A token that was verified is believed for a minute at most, so that a request costs
 * a look-up and a signing key that the provider withdraws stops counting.
 */

import { createHash } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { defaultTenant, type Identity, type Scope, scopes, tenantPattern } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';

export interface TokenSettings {
  readonly issuer: string;
  readonly audience: string;
  /** null: as the issuer's discovery document says */
  readonly jwksUrl: string | null;
  /** claim that names the tenant; null: every token belongs to the tenant `default` */
  readonly tenantClaim: string | null;
  /** claim with the scopes: text with spaces between them, or a list */
  readonly scopeClaim: string;
}

/** Signatures with a public key only: with a shared secret, whoever can check a token could make one. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const clockToleranceSeconds = 30;
const believedMs = 60_000;
const maxRemembered = 10_000;
const fetchTimeoutMs = 5000;

interface Verified {
  readonly identity: Identity;
  /** ms since 1970 */
  readonly until: number;
}

export class TokenVerifier {
  readonly #settings: TokenSettings;
  readonly #verified = new Map<string, Verified>();
  #keys: Promise<JWTVerifyGetKey> | undefined;

  constructor(settings: TokenSettings) {
    this.#settings = settings;
  }

  /** Undefined for a token that is not valid. Rejects with `access-unavailable` when the provider's keys cannot be had. */
  find(token: string): Identity | undefined | Promise<Identity | undefined> {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known && known.until > Date.now()) return known.identity;
    this.#verified.delete(digest);
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Identity | undefined> {
    const { issuer, audience } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, await this.#keySet(), {
        ...{ issuer, audience, algorithms },
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub'],
      });
      const identity = this.#identityOf(payload);
      const expires = ((payload.exp ?? 0) + clockToleranceSeconds) * 1000;
      this.#remember(digest, { identity, until: Math.min(Date.now() + believedMs, expires) });
      return identity;
    } catch (error) {
      if (error instanceof HourglassError) throw error;
      // jose says by its own classes what is wrong with the token; anything else is the way to the provider's keys.
      if (
        error instanceof errors.JOSEError &&
        !(error instanceof errors.JWKSTimeout) &&
        error.code !== 'ERR_JOSE_GENERIC'
      ) {
        return undefined;
      }
      throw providerAway(error);
    }
  }

  #identityOf(payload: JWTPayload): Identity {
    const { tenantClaim, scopeClaim } = this.#settings;
    return {
      tenant: tenantClaim === null ? defaultTenant : tenantOf(payload[tenantClaim], tenantClaim),
      scopes: new Set(scopesOf(payload[scopeClaim])),
      subject: `token:${String(payload.sub).slice(0, 200)}`,
    };
  }

  #remember(digest: string, verified: Verified): void {
    this.#verified.set(digest, verified);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > maxRemembered && oldest !== undefined) this.#verified.delete(oldest);
  }

  #keySet(): Promise<JWTVerifyGetKey> {
    this.#keys ??= this.#openKeySet().catch((error: unknown) => {
      this.#keys = undefined;
      throw providerAway(error);
    });
    return this.#keys;
  }

  /** jose fetches the keys anew when a token names an unknown one, but not more often than every 30 s. */
  async #openKeySet(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUrl } = this.#settings;
    const url = jwksUrl ?? (await discover(issuer));
    return createRemoteJWKSet(new URL(url), { timeoutDuration: fetchTimeoutMs, cacheMaxAge: 10 * 60_000 });
  }
}

/** OpenID Connect Discovery 1.0: the document must name the issuer that was asked, and where its keys are. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(fetchTimeoutMs), redirect: 'error' });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const document = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (document.issuer !== issuer || typeof document.jwks_uri !== 'string') {
    throw new Error(`${url} is not the document of ${issuer}`);
  }
  return document.jwks_uri;
}

const tenantRule = new RegExp(tenantPattern);

function tenantOf(claim: unknown, name: string): string {
  if (typeof claim === 'string' && tenantRule.test(claim)) return claim;
  throw new HourglassError(
    'forbidden',
    `The token has no usable tenant in its claim "${name}": lower-case letters, digits and dashes are allowed, at most 39.`,
    { field: 'Authorization', expected: tenantPattern },
  );
}

/** `infer` or `hourglass:infer`; other scopes are other services' business. */
function scopesOf(claim: unknown): Scope[] {
  const words: unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  const names = new Set(words.map((word) => String(word).replace(/^hourglass:/, '')));
  return scopes.filter((scope) => names.has(scope));
}

const providerAway = (cause: unknown): HourglassError =>
  new HourglassError(
    'access-unavailable',
    'The keys of the identity provider cannot be fetched, so the token cannot be checked. Try again in a few seconds.',
    { retryAfter: 5 },
    { cause },
  );
