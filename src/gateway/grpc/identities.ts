/** Who has made a call, from where it was let in to where it is handled. */

import type { Metadata } from '@grpc/grpc-js';
import { type Identity, stranger } from '../../base/caller.ts';

/** By the metadata of their calls, which handlers get as the same object. */
const identities = new WeakMap<Metadata, Identity>();

export const rememberIdentity = (metadata: Metadata, identity: Identity): void => {
  identities.set(metadata, identity);
};

/** A stranger where nobody was let in. */
export const identityOf = (metadata: Metadata): Identity => identities.get(metadata) ?? stranger;
