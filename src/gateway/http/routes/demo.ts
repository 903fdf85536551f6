/** The demo page: the browser encodes, /decode decodes. Everything it loads comes from here. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import { entry } from '../../../platform/entry.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem } from '../schemas.ts';

const html = 'text/html';
const types = {
  'index.html': `${html}; charset=utf-8`,
  'demo.js': 'text/javascript; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type PageFile = keyof typeof types;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const Headers = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'ETag of a copy at hand' })),
});

export function demoRoutes(app: App, { config }: RouteParts): void {
  // somebody who typed the address alone
  app.get('/', { schema: { hide: true } }, (_request, reply) => reply.redirect(config.demo ? 'demo' : 'docs'));
  if (!config.demo) return;
  for (const name of Object.keys(types) as PageFile[]) {
    const isPage = name === 'index.html';
    app.get(
      isPage ? '/demo' : `/demo/${name}`,
      {
        config: { handlerChecks: ['headers'] },
        schema: {
          hide: !isPage,
          tags: ['service'],
          summary: 'A page that encodes pictures in the browser and shows what is decoded here',
          headers: Headers,
          response: {
            200: { description: 'The page', content: { [html]: { schema: { type: 'string' } } } },
            304: noContent('The copy at hand is the page'),
            404: problem('The page is turned off'),
          },
        },
      },
      async ({ headers }, reply) => {
        const { bytes, etag } = await pageFile(name);
        reply
          .type(types[name])
          .header('etag', etag)
          .header('cache-control', 'no-cache')
          .header('content-security-policy', policy)
          .header('permissions-policy', 'camera=(self), microphone=(), geolocation=()')
          .header('referrer-policy', 'no-referrer');
        if (headers['if-none-match'] === etag) return reply.status(304).send(undefined);
        return reply.send(bytes);
      },
    );
  }
}

interface Loaded {
  readonly bytes: Buffer;
  readonly etag: string;
}
const loaded = new Map<PageFile, Promise<Loaded>>();

/** Read once: files of a running release do not change. */
function pageFile(name: PageFile): Promise<Loaded> {
  const reading = loaded.get(name) ?? load(name);
  loaded.set(name, reading);
  reading.catch(() => loaded.delete(name));
  return reading;
}

async function load(name: PageFile): Promise<Loaded> {
  // entry() turns a neighbour's .ts into .js; these are files of the build under their own names
  const bytes = await readFile(new URL(`../../../demo/${name}`, entry(import.meta.url, './demo.ts'))).catch(() => {
    throw new HourglassError('route-not-found', 'The demo page is not part of this build. Run: npm run build');
  });
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}
