/** What a request is called in the log, in answers and in problem documents. */

import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const requestIdRule = /^[\w.:-]{1,100}$/;

/** The client's id when it is a harmless one, else a new one. */
export function requestIdOf({ headers }: { readonly headers: IncomingHttpHeaders }): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && requestIdRule.test(given) ? given : randomUUID();
}
