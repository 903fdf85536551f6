/** The header fields RateLimit-Policy and RateLimit: which quotas hold for the caller's tenant, and what is left of them. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { QuotaPolicy } from '../../base/errors.ts';
import { policyItem, serviceItem, type TenantQuota } from '../quotas.ts';
import type { Tenant } from '../tenants.ts';

const policyHeader = 'ratelimit-policy';
const limitHeader = 'ratelimit';

/** Names and values in turn; none where no rate is limited. */
export const rateHeaders = ({ policies, rateLimit }: TenantQuota): string[] =>
  policies === undefined ? [] : [policyHeader, policies, limitHeader, rateLimit];

/** On every answer to a tenant with rates, the refusals too. */
export function tellRates(request: FastifyRequest, reply: FastifyReply): void {
  // What is open to everybody, and what is refused before it is known who asks, has no tenant.
  const { tenant } = request as { readonly tenant?: Tenant };
  if (tenant?.quota.policies === undefined || reply.hasHeader(limitHeader)) return;
  reply.header(policyHeader, tenant.quota.policies).header(limitHeader, tenant.quota.rateLimit);
}

/** On the refusal of what is bounded in number or bytes: the quota that is used up. */
export function tellPolicy(reply: FastifyReply, policy: QuotaPolicy | undefined, retrySeconds: number): void {
  if (policy === undefined || policy.windowSeconds !== undefined) return;
  reply.header(policyHeader, policyItem(policy)).header(limitHeader, serviceItem(policy.name, 0, retrySeconds));
}
