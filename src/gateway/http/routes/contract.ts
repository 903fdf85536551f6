/** The contract itself: as a document for programs and as a page for people. */

import { type Contract, contractOf, contractYaml } from '../contract.ts';
import { contractPage } from '../contract-page.ts';
import type { App } from '../route-parts.ts';

export function contractRoutes(app: App): void {
  let yaml: string | undefined;
  let page: string | undefined;

  app.get(
    '/openapi.yaml',
    {
      schema: {
        tags: ['service'],
        summary: 'This contract as an OpenAPI 3.1 document',
        response: {
          200: {
            description: 'The document',
            content: { 'application/yaml': { schema: {} } },
          },
        },
      },
    },
    async (_request, reply) => {
      yaml ??= contractYaml(app);
      return reply.type('application/yaml; charset=utf-8').send(yaml);
    },
  );

  app.get(
    '/docs',
    {
      schema: {
        tags: ['service'],
        summary: 'This contract as a page to read',
        response: { 200: { description: 'The page', content: { 'text/html': { schema: { type: 'string' } } } } },
      },
    },
    async (_request, reply) => {
      page ??= contractPage(contractOf(app) satisfies Contract);
      return reply
        .type('text/html; charset=utf-8')
        .header(
          'content-security-policy',
          "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        )
        .send(page);
    },
  );
}
