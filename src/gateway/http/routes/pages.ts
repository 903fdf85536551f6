/** The pages for people: the console at / and the demo. Everything that they load comes from here, as their policy says. */

import { Type } from 'typebox';
import { isShown } from '../../../access/access.ts';
import { buildFile } from '../build-file.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem } from '../schemas.ts';

const html = 'text/html';
const types: Readonly<Record<string, string>> = {
  html: `${html}; charset=utf-8`,
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  json: 'application/json',
};

interface Page {
  /** where its files are in the build, and below which path they are served */
  readonly folder: 'console' | 'demo';
  readonly path: string;
  /** file of the page itself */
  readonly page: string;
  readonly summary: string;
  readonly files: readonly string[];
}

const consolePage: Page = {
  folder: 'console',
  path: '/',
  page: 'index.html',
  summary: 'The console: a page to watch and steer jobs, data sets and models',
  files: ['console.js', 'style.css', 'icon.svg', 'recipes.json'],
};
const demoPage: Page = {
  folder: 'demo',
  path: '/demo',
  page: 'index.html',
  summary: 'A page that encodes pictures in the browser and shows what is decoded here',
  files: ['demo.js', 'style.css', 'icon.svg'],
};

const photosPage: Page = {
  folder: 'demo',
  path: '/photos',
  page: 'photos.html',
  summary: 'A page that encodes photographs in the browser, beside JPEG and WebP',
  files: ['photos.js', 'photo-worker.js'],
};

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

export function pageRoutes(app: App, { config, access }: RouteParts): void {
  const home = config.demo ? 'demo' : isShown(config.docs, access) ? 'docs' : 'v1/info';
  if (config.console) addPage(app, consolePage);
  // somebody who typed the address alone
  else app.get('/', { config: { scope: 'open' }, schema: { hide: true } }, (_request, reply) => reply.redirect(home));
  if (!config.demo) return;
  addPage(app, demoPage);
  addPage(app, photosPage);
}

function addPage(app: App, page: Page): void {
  for (const file of [page.page, ...page.files]) {
    const isPage = file === page.page;
    const name = `${page.folder}/${file}`;
    app.get(
      isPage ? page.path : `/${name}`,
      {
        config: { scope: 'open', handlerChecks: ['headers'] },
        schema: {
          hide: !isPage || page.path === '/',
          tags: ['service'],
          summary: page.summary,
          headers: Headers,
          response: {
            200: { description: 'The page', content: { [html]: { schema: { type: 'string' } } } },
            304: noContent('The copy at hand is the page'),
            404: problem('The page is turned off'),
          },
        },
      },
      async ({ headers }, reply) => {
        const { bytes, etag } = await buildFile(name);
        reply
          .type(types[name.replace(/^.*\./, '')] ?? 'application/octet-stream')
          .header('etag', etag)
          .header('cache-control', 'no-cache')
          .header('content-security-policy', policy)
          .header('permissions-policy', 'camera=(self), microphone=(), geolocation=()')
          .header('cross-origin-opener-policy', 'same-origin')
          .header('referrer-policy', 'no-referrer');
        if (headers['if-none-match'] === etag) return reply.status(304).send(undefined);
        return reply.send(bytes);
      },
    );
  }
}
