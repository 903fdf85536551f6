/** /livez, /readyz and /v1/info. */

import { Type } from 'typebox';
import { isShown } from '../../../access/access.ts';
import { defaultTenant } from '../../../base/caller.ts';
import { type ReadinessReport, reportFor } from '../../readiness.ts';
import { json } from '../media.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { type Info, ref } from '../schemas.ts';

export function healthRoutes(app: App, { readiness, config, version, access }: RouteParts): void {
  app.get(
    '/livez',
    {
      config: { scope: 'open' },
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
      config: { scope: 'open' },
      schema: {
        tags: ['service'],
        summary: 'Can it serve and queue? Each part by name',
        querystring: Type.Object(
          {
            // no list of values: `for` is a keyword, of which openapi-generator makes no name for one in Kotlin
            for: Type.Optional(
              Type.String({
                pattern: '^inference$',
                description: 'inference: leave the queue out, predictions need none',
              }),
            ),
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
        .send(access.isOn ? withoutDetails(report) : report);
    },
  );

  app.get(
    '/v1/info',
    {
      config: { scope: 'known' },
      schema: {
        tags: ['service'],
        summary: 'Versions, limits, and who the caller is; less for strangers where access control is on',
        response: { 200: ref('Info', 'What runs here') },
      },
    },
    async ({ caller }): Promise<Info> => {
      const pages = [...(config.console ? ['console'] : []), ...(config.demo ? ['demo'] : [])];
      const common = {
        name: 'hourglass',
        api: 'v1',
        access: access.isOn ? access.ways.join(',') : 'off',
        pages,
      } as const;
      if (caller.scopes.size === 0 && !isShown(config.infoDetails, access)) return common;
      return {
        ...common,
        version,
        node: process.version,
        uptimeSeconds: Math.round(process.uptime()),
        // The setting names a model of the tenant `default`.
        defaultModel: caller.tenant === defaultTenant ? config.defaultModel : null,
        store: config.store === null ? 'folder' : 's3',
        limits: {
          bodyBytes: config.maxBodyBytes,
          uploadBytes: config.maxUploadBytes,
          batchRows: config.maxBatch,
          imagePixels: config.maxImagePixels,
        },
        ...(access.isOn && caller.scopes.size > 0 && { caller: { tenant: caller.tenant, scopes: [...caller.scopes] } }),
      };
    },
  );
}

/** The names of models and what is wrong with a store are not for strangers; the port of the metrics tells them. */
function withoutDetails({ ready, parts }: ReadinessReport): ReadinessReport {
  const short = Object.entries(parts).map(([name, part]) => [name, { ready: part.ready, detail: '' }] as const);
  return { ready, parts: Object.fromEntries(short) as unknown as ReadinessReport['parts'] };
}
