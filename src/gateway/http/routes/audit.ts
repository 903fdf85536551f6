/** The audit log: who changed what. */

import { AuditQuery } from '../../../access/audit-entry.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { problem, ref } from '../schemas.ts';

export function auditRoutes(app: App, { audit }: RouteParts): void {
  app.get(
    '/v1/audit',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Show who changed what: jobs, data sets, models, aliases, keys',
        querystring: AuditQuery,
        response: {
          200: ref('AuditPage', 'A page of changes, newest first'),
          400: problem('An unknown parameter, or one out of bounds'),
          403: problem(
            'The caller lacks the scope admin, or asks for another tenant and is not of the tenant `default`',
          ),
          503: problem('The store of the entries cannot be reached; Retry-After says when to come back'),
        },
      },
    },
    async ({ caller, query }, reply) => {
      reply.header('cache-control', 'no-store');
      return audit.list(caller, query);
    },
  );
}
