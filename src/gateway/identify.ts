/** From what is known of who asks, and the request that they sent, to its caller: the one way for every transport. */

import type { Caller, Identity } from '../base/caller.ts';
import { readTraceparent } from '../base/traceparent.ts';
import { clientOf } from './places.ts';

/**
 * `peer` is the client's address, with or without its port. `given` is the header or metadata `traceparent`; one that is not
 * well formed is ignored, as the standard wants it.
 */
export function identify(identity: Identity, peer: string, given: unknown): Caller {
  const { tenant, scopes, subject, revoked } = identity;
  // Spelled out: this runs for every request, and a spread costs some times as much.
  const caller: Caller = { tenant, scopes, subject, ...(revoked && { revoked }), address: addressOf(peer) };
  if (given === undefined) return caller;
  const traceparent = readTraceparent(given);
  return traceparent === undefined ? caller : { ...caller, traceparent };
}

/** For the log: which key or token asked; nothing where nobody had to say who they are. */
export const asker = ({ subject }: Identity): { readonly caller?: string } =>
  /^(?:key|token):/.test(subject) ? { caller: subject } : {};

/** Peers of the last requests and what their addresses are; one client sends many. */
const addresses = new Map<string, string>();
const addressesKept = 1000;

function addressOf(peer: string): string {
  const known = addresses.get(peer);
  if (known !== undefined) return known;
  const address = clientOf(withoutPort(peer));
  if (addresses.size >= addressesKept) addresses.clear();
  addresses.set(peer, address);
  return address;
}

/** `192.0.2.1:443` and `[2001:db8::1]:443` without the port. */
const withoutPort = (address: string): string => address.replace(/^\[(.*)\]:\d+$/, '$1').replace(/^([^:]+):\d+$/, '$1');
