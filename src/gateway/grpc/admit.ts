/** Lets a call in or not, before its messages are read: who asks, whether they may call this method, and how often. */

import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import type { Access, Demanded } from '../../access/access.ts';
import type { Identity } from '../../base/caller.ts';
import { normaliseError } from '../../base/errors.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { requestIdOf } from './call.ts';
import { toStatus } from './errors.ts';
import { rememberCall } from './identities.ts';

/** `demands` gives what a caller needs for a path; a method that is not there is answered by grpc-js. */
export function admitCallers(
  access: Access,
  tenants: Tenants,
  demands: ReadonlyMap<string, Demanded>,
): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const demanded = demands.get(path) ?? 'open';
            const accept = (identity: Identity): void => {
              // What everybody may see is nobody's.
              if (demanded === 'open') {
                rememberCall(metadata, { identity });
                return proceed(metadata);
              }
              const meet = (tenant: Tenant): void => {
                rememberCall(metadata, { identity, tenant });
                try {
                  tenant.quota.takeRequest();
                } catch (error) {
                  return refuse(error);
                }
                proceed(metadata);
              };
              const tenant = tenants.of(identity.tenant);
              if (tenant instanceof Promise) tenant.then(meet, refuse);
              else meet(tenant);
            };
            const refuse = (thrown: unknown): void =>
              call.sendStatus(toStatus(normaliseError(thrown), requestIdOf(metadata)));
            try {
              const found = access.admit(metadata.get('authorization')[0], demanded);
              if (found instanceof Promise) found.then(accept, refuse);
              else accept(found);
            } catch (error) {
              refuse(error);
            }
          },
        }),
    });
}
