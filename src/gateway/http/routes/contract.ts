/** The contract itself: as a document for programs and as a page for people. The build makes it (contract-text.ts). */

import { buildFile } from '../build-file.ts';
import type { Contract } from '../contract.ts';
import { contractPage } from '../contract-page.ts';
import { exampleDigit } from '../example-picture.ts';
import type { App } from '../route-parts.ts';
import { problem } from '../schemas.ts';

const hidden = { 404: problem('This server keeps its contract to itself: HOURGLASS_DOCS') };

export function contractRoutes(app: App): void {
  app.get(
    '/openapi.yaml',
    {
      config: { scope: 'open' },
      schema: {
        tags: ['service'],
        summary: 'This contract as an OpenAPI 3.1 document',
        response: {
          200: {
            description: 'The document',
            content: { 'application/yaml': { schema: {} } },
          },
          ...hidden,
        },
      },
    },
    async (_request, reply) => {
      const { bytes } = await buildFile('openapi.yaml');
      return reply.type('application/yaml; charset=utf-8').send(bytes);
    },
  );

  app.get(
    '/openapi.json',
    {
      config: { scope: 'open' },
      schema: {
        tags: ['service'],
        summary: 'The same as JSON',
        response: {
          200: { description: 'The document', content: { 'application/json': { schema: {} } } },
          ...hidden,
        },
      },
    },
    async (_request, reply) => {
      const { bytes } = await buildFile('openapi.json');
      return reply.type('application/json').header('cache-control', 'no-cache').send(bytes);
    },
  );

  app.get(
    '/docs',
    {
      config: { scope: 'open' },
      schema: {
        tags: ['service'],
        summary: 'This contract as a page to read',
        response: {
          200: { description: 'The page', content: { 'text/html': { schema: { type: 'string' } } } },
          ...hidden,
        },
      },
    },
    async ({ protocol, host }, reply) => {
      const { bytes } = await buildFile('openapi.json');
      const page = contractPage(JSON.parse(bytes.toString()) as Contract, `${protocol}://${host}`);
      return reply
        .type('text/html; charset=utf-8')
        .header(
          'content-security-policy',
          "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
        .header('permissions-policy', 'camera=(), microphone=(), geolocation=()')
        .header('cross-origin-opener-policy', 'same-origin')
        .header('referrer-policy', 'no-referrer')
        .send(page);
    },
  );

  // relative, as the page may lie behind a prefix
  app.get('/docs/', { config: { scope: 'open' }, schema: { hide: true } }, (_request, reply) =>
    reply.redirect('../docs', 308),
  );
  app.get('/docs/digit.png', { config: { scope: 'open' }, schema: { hide: true } }, (_request, reply) =>
    reply.type('image/png').send(exampleDigit),
  );
}
