/** /livez, /readyz and /v1/info. */

import { Type } from 'typebox';
import { reportFor } from '../../readiness.ts';
import { json } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { type Info, ref } from '../schemas.ts';

export function healthRoutes(app: App, { readiness, config, version }: RouteParts): void {
  app.get(
    '/livez',
    {
      schema: {
        tags: ['service'],
        summary: 'Is the process alive?',
        response: { 200: { description: 'It is', content: { 'text/plain': { schema: { type: 'string' } } } } },
      },
    },
    async (_request, reply) => reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send('ok\n'),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags: ['service'],
        summary: 'Can it serve and queue? Each part by name',
        querystring: Type.Object(
          {
            for: Type.Optional(Type.Enum(['inference'], { description: 'leave the queue out: predictions need none' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref('Readiness', 'Ready'), 503: ref('Readiness', 'Not ready: no work shall be sent here') },
      },
    },
    async (request, reply) => {
      const report = reportFor(await readiness.report(), request.query.for);
      return reply
        .status(report.ready ? 200 : 503)
        .type(json)
        .header('cache-control', 'no-store')
        .send(report);
    },
  );

  app.get(
    '/v1/info',
    { schema: { tags: ['service'], summary: 'Versions and limits', response: { 200: ref('Info', 'What runs here') } } },
    async (): Promise<Info> => ({
      name: 'hourglass',
      version,
      node: process.version,
      api: 'v1',
      uptimeSeconds: Math.round(process.uptime()),
      defaultModel: config.defaultModel,
      store: config.store === null ? 'folder' : 's3',
      pages: [...(config.console ? ['console'] : []), ...(config.demo ? ['demo'] : [])],
      limits: {
        bodyBytes: config.maxBodyBytes,
        uploadBytes: config.maxUploadBytes,
        batchRows: config.maxBatch,
        imagePixels: config.maxImagePixels,
      },
    }),
  );
}
