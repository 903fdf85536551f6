/** Who has made a call and what belongs to its tenant, from where it was let in to where it is handled. */

import type { Metadata } from '@grpc/grpc-js';
import { type Identity, stranger } from '../../base/caller.ts';
import type { Tenant } from '../tenants.ts';

export interface Admitted {
  readonly identity: Identity;
  /** absent for a stranger, who may call what is nobody's */
  readonly tenant?: Tenant;
}

/** By the metadata of their calls, which handlers get as the same object. */
const calls = new WeakMap<Metadata, Admitted>();

export const rememberCall = (metadata: Metadata, admitted: Admitted): void => {
  calls.set(metadata, admitted);
};

/** A stranger where nobody was let in. */
export const admittedOf = (metadata: Metadata): Admitted => calls.get(metadata) ?? { identity: stranger };
