/**
 * Who may come in: from the credential of a request to an identity, for every transport alike.
 *
 *   Authorization: Bearer … ─┬─ hg_…    ─► KeyRing (local copy)
 *                            └─ a JWT   ─► TokenVerifier (cached)          ─► identity ─► scope of the route
 *
 * Costs one SHA-256 and one look-up in a map; nothing where access control is off.
 */

import { defaultCaller, type Identity, type Scope, stranger } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { looksLikeKey } from './api-key.ts';
import type { KeyRing } from './key-ring.ts';
import type { TokenVerifier } from './tokens.ts';

/** What a route or an RPC asks for: a scope; `open` to everybody; `known` tells more to those who say who they are. */
export type Demanded = Scope | 'open' | 'known';

export interface Access {
  /** off: everybody may do everything */
  readonly isOn: boolean;
  /** how callers can say who they are; empty when off */
  readonly ways: readonly ('keys' | 'oidc')[];
  /**
   * `authorization` is the header or metadata of that name. Throws, or rejects with, `unauthenticated`, `forbidden` and
   * `access-unavailable`.
   */
  admit(authorization: unknown, demanded: Demanded): Identity | Promise<Identity>;
}

/** Whether something is shown to everybody: `auto` only where everybody may do everything anyway. */
export const isShown = (setting: 'auto' | 'on' | 'off', { isOn }: Pick<Access, 'isOn'>): boolean =>
  setting === 'auto' ? !isOn : setting === 'on';

/** Ends what a key or token that is not valid any more has begun. */
export const keyRevoked = (): HourglassError =>
  new HourglassError('unauthenticated', 'The key was revoked or has expired. Ask your administrator for a new one.', {
    field: 'Authorization',
  });

const everybody: Identity = defaultCaller;

export const openAccess: Access = { isOn: false, ways: [], admit: () => everybody };

export interface GuardedParts {
  readonly keys?: KeyRing;
  readonly tokens?: TokenVerifier;
}

export class GuardedAccess implements Access {
  readonly isOn = true;
  readonly ways: readonly ('keys' | 'oidc')[];
  readonly #parts: GuardedParts;

  constructor(parts: GuardedParts) {
    this.#parts = parts;
    this.ways = [...(parts.keys ? ['keys' as const] : []), ...(parts.tokens ? ['oidc' as const] : [])];
  }

  admit(authorization: unknown, demanded: Demanded): Identity | Promise<Identity> {
    if (demanded === 'open' || (demanded === 'known' && authorization === undefined)) return stranger;
    const found = this.#find(authorization);
    if (!(found instanceof Promise)) return this.#allow(found, demanded);
    return found.then((identity) => this.#allow(identity, demanded));
  }

  #find(authorization: unknown): Identity | undefined | Promise<Identity | undefined> {
    const credential = this.#credentialOf(authorization);
    const { keys, tokens } = this.#parts;
    if (looksLikeKey(credential)) return keys?.find(credential);
    return tokens?.find(credential);
  }

  #allow(identity: Identity | undefined, demanded: Demanded): Identity {
    if (!identity) throw this.#refusal();
    if (demanded === 'known' || demanded === 'open' || identity.scopes.has(demanded)) return identity;
    const has = [...identity.scopes];
    throw new HourglassError(
      'forbidden',
      `This call needs the scope ${demanded}; yours ${has.length === 0 ? 'has none' : `has ${has.join(', ')}`}. Ask your administrator for another key.`,
      { field: 'Authorization', expected: demanded, found: has },
    );
  }

  /** Says nothing about what was wrong: unknown, revoked and expired keys are alike. */
  #refusal(): HourglassError {
    if (this.#parts.keys && !this.#parts.keys.isKnown) {
      return new HourglassError('access-unavailable', 'Keys cannot be checked yet. Try again in a few seconds.', {
        retryAfter: 2,
      });
    }
    return new HourglassError(
      'unauthenticated',
      'The key or token is not valid: unknown, revoked or expired. Ask your administrator for a new one.',
      { field: 'Authorization' },
    );
  }

  #credentialOf(authorization: unknown): string {
    const found =
      typeof authorization === 'string' ? /^Bearer +([\w.~+/=-]{1,8192})$/i.exec(authorization)?.[1] : undefined;
    if (found !== undefined) return found;
    throw new HourglassError(
      'unauthenticated',
      `Say who you are: Authorization: Bearer ${this.#parts.keys ? 'hg_…' : '…'}${authorization === undefined ? '' : '; what was sent is not of this form'}.`,
      { field: 'Authorization', expected: 'Bearer and a key or token' },
    );
  }
}
