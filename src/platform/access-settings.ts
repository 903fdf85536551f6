/** Settings of access control: the part of the table that says who may come in and what is shown to strangers. */

import { groupOf } from './setting-groups.ts';
import { choice, integer, optional, pattern, url } from './setting-kinds.ts';

const access = groupOf('access');
const claim = pattern(/^[\w.:/-]{1,200}$/, 'the name of a claim');
const exposure = choice('auto', 'on', 'off');

export const accessSettings = {
  auth: access(
    'HOURGLASS_AUTH',
    optional(choice('off', 'keys', 'oidc', 'keys,oidc', 'oidc,keys')),
    null,
    'who may come in: holders of API keys, of tokens of an OpenID provider, or everybody; must be said for other hosts than loopback',
  ),
  adminKey: access(
    'HOURGLASS_ADMIN_KEY',
    optional(pattern(/^\S{1,200}$/, 'a key as `hourglass keys generate` makes it')),
    null,
    'a key that may do everything; without it and without any other key one is made and printed',
    true,
  ),
  oidcIssuer: access(
    'HOURGLASS_OIDC_ISSUER',
    optional(url('https:', 'http:')),
    null,
    'the OpenID provider, as its tokens name it',
  ),
  oidcAudience: access(
    'HOURGLASS_OIDC_AUDIENCE',
    optional(pattern(/^\S{1,500}$/, 'text without spaces')),
    null,
    'what tokens for this service name as their audience',
  ),
  oidcJwksUrl: access(
    'HOURGLASS_OIDC_JWKS_URL',
    optional(url('https:', 'http:')),
    null,
    "the provider's public keys; without it as its discovery document says",
  ),
  oidcTenantClaim: access(
    'HOURGLASS_OIDC_TENANT_CLAIM',
    optional(claim),
    null,
    'claim of a token that names its tenant; without it all tokens belong to the tenant default',
  ),
  oidcScopeClaim: access('HOURGLASS_OIDC_SCOPE_CLAIM', claim, 'scope', 'claim of a token with its scopes'),
  auditHistory: access(
    'HOURGLASS_AUDIT_HISTORY',
    integer(100, 10_000_000),
    '10000',
    'changes that /v1/audit keeps of each tenant, about; the log has them all',
  ),
  docs: access(
    'HOURGLASS_DOCS',
    exposure,
    'auto',
    'the contract at /docs and /openapi.yaml; auto: only without access control',
  ),
  reflection: access('HOURGLASS_REFLECTION', exposure, 'auto', 'gRPC reflection; auto: only without access control'),
  infoDetails: access(
    'HOURGLASS_INFO_DETAILS',
    exposure,
    'auto',
    'release and limits in /v1/info for everybody; auto: only without access control, else for callers who say who they are',
  ),
} as const;
