/** From what is known of who asks, and the request that they sent, to its caller: the one way for every transport. */

import type { Caller, Identity } from '../base/caller.ts';
import { readTraceparent } from '../base/traceparent.ts';
import { clientOf } from './places.ts';

/**
 * `address` is the peer's, with or without its port. `given` is the header or metadata `traceparent`; one that is not
 * well formed is ignored, as the standard wants it.
 */
export function identify(identity: Identity, address: string, given: unknown): Caller {
  const caller = { ...identity, address: clientOf(withoutPort(address)) };
  if (given === undefined) return caller;
  const traceparent = readTraceparent(given);
  return traceparent === undefined ? caller : { ...caller, traceparent };
}

/** For the log: which key or token asked; nothing where nobody had to say who they are. */
export const asker = ({ subject }: Identity): { readonly caller?: string } =>
  /^(?:key|token):/.test(subject) ? { caller: subject } : {};

/** `192.0.2.1:443` and `[2001:db8::1]:443` without the port. */
const withoutPort = (address: string): string => address.replace(/^\[(.*)\]:\d+$/, '$1').replace(/^([^:]+):\d+$/, '$1');
