/** Which routes change something, and the entry that each change leaves in the audit log. */

import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { AuditAction } from '../../access/audit-entry.ts';
import type { AuditLog } from '../../access/audit-log.ts';
import { changingScopes, recordChange } from '../audit.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** what a handler adds to the entry of its change; false: nothing was changed */
    changed: Readonly<Record<string, unknown>> | false | undefined;
  }
  interface FastifyContextConfig {
    /** what the route does; each route that changes something says it (requireAudit) */
    audit?: AuditAction;
  }
}

/** For the hook `onRoute`. Throws Error for a route that changes something and does not say what: the server then does not start. */
export function requireAudit({ method, url, config }: RouteOptions): void {
  if (method === 'GET' || method === 'HEAD' || !changingScopes.has(config?.scope) || config?.audit !== undefined)
    return;
  throw new Error(`the route ${String(method)} ${url} changes something: say in its config what, for the audit log`);
}

/** For the hook `onSend`: the handler is done, whether or not the client still wants to know. */
export function noteChange(request: FastifyRequest, { statusCode }: FastifyReply, audit: AuditLog): void {
  const { audit: action } = request.routeOptions.config;
  if (action === undefined) return;
  const { caller, params, body, query, changed, failure, id: requestId } = request;
  const isUnknown = failure === 'outcome-unknown';
  if (changed === false || (statusCode >= 300 && !isUnknown)) return;
  const members = { ...(body as object | undefined), ...(query as object), ...(params as object), ...changed };
  const outcome = isUnknown ? 'unknown' : 'done';
  recordChange(audit, { caller, action, members, outcome, requestId, transport: 'rest' });
}
