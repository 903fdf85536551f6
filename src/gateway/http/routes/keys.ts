/** API keys: make, list, rotate, revoke. A key is shown once, when it is made. */

import { Type } from 'typebox';
import { type KeyRequest, keyIdPattern, RotateRequest } from '../../../access/key-record.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem, ref } from '../schemas.ts';

const tags = ['access'];
const KeyParams = Type.Object({ id: Type.String({ pattern: keyIdPattern, description: 'id of a key' }) });
const away = problem('The store of the keys cannot be reached; Retry-After says when to come back');

export function keyRoutes(app: App, { keys }: RouteParts): void {
  app.post(
    '/v1/keys',
    {
      config: { scope: 'admin', audit: 'key.create', body: 'json' },
      schema: {
        tags,
        summary: 'Make a key; the answer is the only one that shows it',
        body: ref('KeyRequest'),
        response: {
          201: ref('NewKey', 'It is valid from now on; Location names it'),
          400: problem('The body is not JSON, or has unknown or missing fields'),
          429: problem('There are as many keys as can be'),
          503: away,
        },
      },
    },
    async (request, reply) => {
      const made = await keys.create(request.caller, request.body as KeyRequest);
      request.changed = { id: made.id, tenant: made.tenant };
      return reply.status(201).header('location', `/v1/keys/${made.id}`).header('cache-control', 'no-store').send(made);
    },
  );

  app.get(
    '/v1/keys',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        summary: 'List keys',
        response: { 200: ref('KeyList', 'Without the keys themselves'), 503: away },
      },
    },
    async ({ caller }) => ({ keys: await keys.list(caller) }),
  );

  app.get(
    '/v1/keys/:id',
    {
      config: { scope: 'admin', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a key: scopes, expiry, last use',
        params: KeyParams,
        response: { 200: ref('KeyView', 'Without the key itself'), 404: problem('No such key'), 503: away },
      },
    },
    async ({ caller, params }) => keys.get(caller, params.id),
  );

  app.post(
    '/v1/keys/:id/rotate',
    {
      config: { scope: 'admin', audit: 'key.rotate', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Make a new key in place of an old one, which stays valid for a while',
        params: KeyParams,
        querystring: RotateRequest,
        response: { 201: ref('NewKey', 'The new key'), 404: problem('No such key'), 503: away },
      },
    },
    async (request, reply) => {
      const { caller, params, query } = request;
      const made = await keys.rotate(caller, params.id, query.overlapSeconds);
      request.changed = { newId: made.id, tenant: made.tenant };
      return reply.status(201).header('location', `/v1/keys/${made.id}`).header('cache-control', 'no-store').send(made);
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { scope: 'admin', audit: 'key.revoke', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Revoke a key: it opens nothing any more, on every gateway within five seconds',
        params: KeyParams,
        response: { 204: noContent('Revoked'), 404: problem('No such key'), 503: away },
      },
    },
    async (request, reply) => {
      const { tenant } = await keys.revoke(request.caller, request.params.id);
      request.changed = { tenant };
      return reply.status(204).send(undefined);
    },
  );
}
