/** What a request is called in the log, in answers and in problem documents. */

import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isHarmlessId } from '../request-id.ts';

/** The client's id when it is a harmless one, else a new one. */
export function requestIdOf({ headers }: { readonly headers: IncomingHttpHeaders }): string {
  const given = headers['x-request-id'];
  return isHarmlessId(given) ? given : randomUUID();
}
