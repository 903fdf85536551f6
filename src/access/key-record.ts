/** What is kept of an API key, and what is shown of it. */

import { type Static, Type } from 'typebox';
import { scopes, tenantPattern } from '../base/caller.ts';

/** Also kept in the gateways' local copies: fields are added, never renamed. */
export const KeyRecord = Type.Object({
  id: Type.String(),
  name: Type.String(),
  tenant: Type.String(),
  scopes: Type.Array(Type.Enum([...scopes])),
  /** SHA-256 of the key in hexadecimal */
  digest: Type.String(),
  createdAt: Type.Integer(),
  /** ms since 1970; absent: never */
  expiresAt: Type.Optional(Type.Integer()),
});
export type KeyRecord = Static<typeof KeyRecord>;

export const keyIdPattern = '^[0-9a-f]{16}$';

export const KeyView = Type.Object({
  id: Type.String({ pattern: keyIdPattern, description: 'names the key; no secret' }),
  name: Type.String({ description: 'for people' }),
  tenant: Type.String({ description: 'whose models, data sets and jobs it opens' }),
  scopes: Type.Array(Type.Enum([...scopes]), { description: 'what it may do' }),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
  lastUsedAt: Type.Optional(Type.String({ format: 'date-time', description: 'to within a minute' })),
  isExpired: Type.Boolean(),
});
export type KeyView = Static<typeof KeyView>;

const longestLifeSeconds = 10 * 366 * 24 * 3600;

export const KeyRequest = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\x00-\\x1f\\x7f]+$', description: 'for people' }),
    scopes: Type.Array(Type.Enum([...scopes]), { minItems: 1, maxItems: scopes.length, description: 'what it may do' }),
    tenant: Type.Optional(
      Type.String({ pattern: tenantPattern, description: "default: the caller's; another only from tenant default" }),
    ),
    expiresInSeconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: longestLifeSeconds, description: 'default: it does not expire' }),
    ),
  },
  { additionalProperties: false },
);
export type KeyRequest = Static<typeof KeyRequest>;

export const RotateRequest = Type.Object(
  {
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 24 * 3600,
        default: 3600,
        description: 'for so long the old key is still valid beside the new one',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RotateRequest = Static<typeof RotateRequest>;

const iso = (ms: number): string => new Date(ms).toISOString();

export function viewOf(record: KeyRecord, lastUsed: number | undefined, now = Date.now()): KeyView {
  const { id, name, tenant, scopes: allowed, createdAt, expiresAt } = record;
  return {
    ...{ id, name, tenant, scopes: allowed },
    createdAt: iso(createdAt),
    ...(expiresAt !== undefined && { expiresAt: iso(expiresAt) }),
    ...(lastUsed !== undefined && { lastUsedAt: iso(lastUsed) }),
    isExpired: expiresAt !== undefined && expiresAt <= now,
  };
}
