/** From the headers or metadata of a request to its caller: the one way for every transport. */

import { type Caller, defaultCaller } from '../base/caller.ts';

/** version, trace id, parent id, flags */
const traceparentRule = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `traceparent` is the header or metadata of that name; one that is not well formed is ignored, as the standard wants it. */
export function identify(traceparent: unknown): Caller {
  if (typeof traceparent !== 'string' || !traceparentRule.test(traceparent)) return defaultCaller;
  return { ...defaultCaller, traceparent };
}
