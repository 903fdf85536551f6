/** Lets a request in or not, before anything of its body is read: who asks, whether they may call this route, and how often. */

import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Access } from '../../access/access.ts';
import { defaultCaller, type Identity, stranger } from '../../base/caller.ts';
import { identify } from '../identify.ts';
import type { Tenant, Tenants } from '../tenants.ts';

/** For the hook `onRoute`. Throws Error for a route that does not say what a caller needs: the server then does not start. */
export function requireScope({ method, url, config }: RouteOptions): void {
  if (config?.scope === undefined) {
    throw new Error(`the route ${String(method)} ${url} has no scope: say in its config what a caller needs`);
  }
}

/** A caller until it is known who asks; for good where nobody is asked. `span` is the request's own position in its trace. */
export function arrive(request: FastifyRequest, { isOn }: Access, span: string | undefined): void {
  request.caller = identify(isOn ? stranger : defaultCaller, request.ip, span ?? request.headers.traceparent);
}

/** Calls `done` with nothing, or with what refuses the request. */
export function admit(
  request: FastifyRequest,
  { access, tenants }: { readonly access: Access; readonly tenants: Tenants },
  done: (error?: Error) => void,
): void {
  const { scope } = request.routeOptions.config;
  // Without a scope there is nothing here: 404 and 405 are said to everybody.
  if (scope === undefined) return done();
  const enter = (identity: Identity): void => {
    if (access.isOn) {
      const { address, traceparent } = request.caller;
      request.caller = { ...identity, ...(address !== undefined && { address }), ...(traceparent && { traceparent }) };
    }
    // What everybody may see is nobody's.
    if (scope === 'open' || scope === 'known') return done();
    const meet = (tenant: Tenant): void => {
      request.tenant = tenant;
      try {
        tenant.quota.takeRequest();
      } catch (error) {
        return done(error as Error);
      }
      done();
    };
    const tenant = tenants.of(identity.tenant);
    if (tenant instanceof Promise) tenant.then(meet, done);
    else meet(tenant);
  };
  if (!access.isOn) return enter(request.caller);
  let found: Identity | Promise<Identity>;
  try {
    found = access.admit(request.headers.authorization, scope);
  } catch (error) {
    return done(error as Error);
  }
  if (found instanceof Promise) found.then(enter, done);
  else enter(found);
}

/** RFC 6750: how to say who one is. */
export function challenge(reply: FastifyReply, hasCredential: boolean): void {
  reply.header('www-authenticate', `Bearer realm="hourglass"${hasCredential ? ', error="invalid_token"' : ''}`);
}
