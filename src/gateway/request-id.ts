/** Which request ids of clients are taken over: they come back in answers, and stand in the log, in spans and in the audit log. */

import { hideCredentials } from '../platform/secrets.ts';

const rule = /^[\w.:-]{1,100}$/;

/** Short, without anything that would need quoting, and no key or token. */
export const isHarmlessId = (given: unknown): given is string =>
  typeof given === 'string' && rule.test(given) && hideCredentials(given) === given;
