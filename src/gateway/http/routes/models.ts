/** Published models: look, name by alias, delete; files of a version such as its report and its ONNX graphs. */

import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import { aliasPattern, parseVersion } from '../../../registry/reference.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { type AliasTarget, ModelParams, noContent, problem, ref, VersionParams } from '../schemas.ts';
import { sendFile } from '../send-file.ts';

const tags = ['models'];
const AliasParams = Type.Object({
  ...ModelParams.properties,
  alias: Type.String({ pattern: aliasPattern, description: 'name of an alias' }),
});
const FileParams = Type.Object({
  ...VersionParams.properties,
  file: Type.String({ description: 'as the manifest lists it' }),
});

const DeleteQuery = Type.Object(
  {
    force: Type.Optional(Type.Boolean({ default: false, description: 'although devices may still send frames of it' })),
  },
  { additionalProperties: false },
);

const contentTypes: Readonly<Record<string, string>> = {
  json: 'application/json',
  html: 'text/html; charset=utf-8',
  png: 'image/png',
  csv: 'text/csv; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
};
const otherType = 'application/octet-stream';
/** of the contract */
const fileContent = Object.fromEntries(
  [otherType, ...Object.values(contentTypes)].map((type) => [
    type.replace(/;.*/, ''),
    { schema: type.endsWith('json') ? {} : { type: 'string', format: 'binary' } },
  ]),
);

export function modelRoutes(app: App, parts: RouteParts): void {
  app.get(
    '/v1/models',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'List models',
        response: { 200: ref('ModelList', 'All models by name'), 503: problem('The storage is away') },
      },
    },
    async ({ tenant: { registry } }) => {
      const names = await registry.listModels();
      const found = await Promise.allSettled(names.map((name) => registry.getModel(name)));
      return { models: found.filter((result) => result.status === 'fulfilled').map((result) => result.value) };
    },
  );

  app.get(
    '/v1/models/:model',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a model: its aliases and versions',
        params: ModelParams,
        response: {
          200: ref('ModelView', 'The model'),
          404: problem('No such model'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, tenant }) => tenant.registry.getModel(params.model),
  );

  app.delete(
    '/v1/models/:model',
    {
      config: { scope: 'publish', audit: 'model.delete', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Delete a model with all versions and aliases',
        params: ModelParams,
        querystring: DeleteQuery,
        response: {
          204: noContent('Deleted'),
          404: problem('No such model'),
          409: problem('Frames of its versions may still arrive: ?force=true deletes all the same'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, query, caller, tenant }, reply) => {
      await tenant.registry.deleteModel(params.model, { ...query, by: caller.subject });
      return reply.status(204).send(undefined);
    },
  );

  app.get(
    '/v1/models/:model/versions/:version',
    {
      config: { scope: 'read', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Show a version: shapes, lineage, held-out metrics, files',
        params: VersionParams,
        response: {
          200: ref('Manifest', 'The manifest of the version'),
          404: problem('No such model or version'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, tenant }) => tenant.registry.resolve(reference(params)),
  );

  app.delete(
    '/v1/models/:model/versions/:version',
    {
      config: { scope: 'publish', audit: 'version.delete', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Delete a version; its number is not given again',
        params: VersionParams,
        querystring: DeleteQuery,
        response: {
          204: noContent('Deleted'),
          404: problem('No such model or version'),
          409: problem(
            'An alias points to it, or frames of it may still arrive: ?force=true deletes it in the latter case',
          ),
        },
      },
    },
    async ({ params, query, tenant }, reply) => {
      await tenant.registry.deleteVersion(params.model, parseVersion(params.version), query);
      return reply.status(204).send(undefined);
    },
  );

  app.get(
    '/v1/models/:model/versions/:version/files/:file',
    {
      config: { scope: 'read', handlerChecks: ['params', 'headers'] },
      schema: {
        tags,
        summary: 'Get a file of a version, such as report.json, a picture or encoder.onnx',
        params: FileParams,
        headers: Type.Object({
          'if-none-match': Type.Optional(Type.String({ description: 'ETag of a copy at hand' })),
        }),
        response: {
          200: {
            description: 'The file; its ETag is its SHA-256',
            content: fileContent,
          },
          304: noContent('The copy at hand is the file'),
          404: problem('No such model, version or file'),
          429: problem('Too many files are being sent'),
          503: problem('The stored file is damaged, or the storage is away'),
        },
      },
    },
    async ({ params, headers, tenant: { registry } }, reply) => {
      const manifest = await registry.resolve(reference(params));
      const entry = manifest.files.find(({ path }) => path === params.file);
      const etag = entry && `"${entry.sha256}"`;
      if (etag !== undefined && matches(headers['if-none-match'], etag))
        return reply.status(304).header('etag', etag).send(undefined);
      const type = contentTypes[params.file.split('.').at(-1) ?? ''] ?? otherType;
      reply
        .header('etag', etag)
        .header('cache-control', 'private, no-cache')
        .header(
          'content-security-policy',
          "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'",
        )
        .type(type);
      return sendFile(reply, { ...parts, registry }, manifest, params.file);
    },
  );

  app.put(
    '/v1/models/:model/aliases/:alias',
    {
      config: { scope: 'publish', audit: 'alias.set', body: 'json', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Point an alias to a version',
        params: AliasParams,
        body: ref('AliasTarget'),
        response: {
          200: ref('ModelView', 'The model as it is now'),
          400: problem('The alias is not well formed, or the body is not as described'),
          404: problem('No such model or version'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, body, caller, tenant: { registry } }) => {
      const { version } = body as AliasTarget;
      await registry.setAlias(params.model, params.alias, version, caller.subject);
      return registry.getModel(params.model);
    },
  );

  app.put(
    '/v1/models/:model/shared',
    {
      config: { scope: 'publish', audit: 'model.share', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Let all other tenants read a model and ask it',
        params: ModelParams,
        response: {
          200: ref('ModelView', 'The model as it is now'),
          403: problem('Only the tenant `default` shares its models'),
          404: problem('No such model'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, tenant: { registry } }) => {
      await registry.share(params.model, true);
      return registry.getModel(params.model);
    },
  );

  app.delete(
    '/v1/models/:model/shared',
    {
      config: { scope: 'publish', audit: 'model.unshare', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Share a model no longer',
        params: ModelParams,
        response: {
          204: noContent('Other tenants see it no longer'),
          403: problem('Only the tenant `default` shares its models'),
          404: problem('No such model'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, tenant }, reply) => {
      await tenant.registry.share(params.model, false);
      return reply.status(204).send(undefined);
    },
  );

  app.delete(
    '/v1/models/:model/aliases/:alias',
    {
      config: { scope: 'publish', audit: 'alias.delete', body: 'none', handlerChecks: ['params'] },
      schema: {
        tags,
        summary: 'Delete an alias',
        params: AliasParams,
        response: {
          204: noContent('Deleted'),
          404: problem('No such model or alias'),
          503: problem('The storage is away'),
        },
      },
    },
    async ({ params, caller, tenant }, reply) => {
      await tenant.registry.deleteAlias(params.model, params.alias, caller.subject);
      return reply.status(204).send(undefined);
    },
  );
}

/** The path's own separators are no way around it: `digits@2` is not the name of a model. */
function reference({ model, version }: { model: string; version: string }): string {
  if (/[@:]/.test(model)) {
    throw new HourglassError(
      'invalid-reference',
      'The path names a model and a version, such as /v1/models/digits/versions/2.',
      {
        field: 'model',
        expected: 'the name of a model alone',
        found: model.slice(0, 100),
      },
    );
  }
  return `${model}@${parseVersion(version)}`;
}

const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag));
