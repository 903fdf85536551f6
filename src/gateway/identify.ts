/** From the headers or metadata of a request to its caller: the one way for every transport. */

import { type Caller, defaultCaller } from '../base/caller.ts';
import { clientOf } from './places.ts';

/** version, trace id, parent id, flags */
const traceparentRule = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * `address` is the peer's, with or without its port. `traceparent` is the header or metadata of that name; one that is not
 * well formed is ignored, as the standard wants it.
 */
export function identify(address: string, traceparent: unknown): Caller {
  const caller = { ...defaultCaller, address: clientOf(withoutPort(address)) };
  if (typeof traceparent !== 'string' || !traceparentRule.test(traceparent)) return caller;
  return { ...caller, traceparent };
}

/** `192.0.2.1:443` and `[2001:db8::1]:443` without the port. */
const withoutPort = (address: string): string => address.replace(/^\[(.*)\]:\d+$/, '$1').replace(/^([^:]+):\d+$/, '$1');
