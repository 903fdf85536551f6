/** What a device needs to encode for a model: one archive, made when the version was published. */

import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import type { App, RouteParts } from '../parts.ts';
import { noContent, problem } from '../schemas.ts';

const file = 'bundle.tar';
const tar = 'application/x-tar';

export function bundleRoutes(app: App, { predictor, registry }: RouteParts): void {
  app.get(
    '/v1/models/:model/bundle',
    {
      schema: {
        tags: ['models'],
        summary: 'Get what a device needs to encode: encoder, codec tables, golden vectors, hashes',
        params: Type.Object({ model: Type.String({ description: 'digits (newest), digits@2 or digits:stable' }) }),
        headers: Type.Object({
          'if-none-match': Type.Optional(Type.String({ description: 'ETag of a bundle at hand' })),
        }),
        response: {
          200: {
            description: 'A tar archive; its ETag is its SHA-256, X-Hourglass-Model its version',
            content: { [tar]: { schema: { type: 'string', format: 'binary' } } },
          },
          304: noContent('The bundle at hand is the one'),
          400: problem('The reference is not well formed'),
          404: problem('No such model, version or alias'),
          409: problem('No frames can be made for this version'),
          503: problem('The stored file is damaged'),
        },
      },
    },
    async ({ params, headers }, reply) => {
      const { model, version } = await predictor.resolve('encode', params.model);
      const reference = `${model}@${version}`;
      const manifest = await registry.resolve(reference);
      const entry = manifest.files.find(({ path }) => path === file);
      if (!entry) {
        throw new HourglassError(
          'operation-not-supported',
          `${reference} has no bundle: no frames can be made for it. Its encoder is at /v1/models/${model}/versions/${version}/files/encoder.onnx.`,
        );
      }
      const etag = `"${entry.sha256}"`;
      reply
        .header('etag', etag)
        // names and aliases move on to newer versions
        .header('cache-control', 'no-cache')
        .header('x-hourglass-model', reference);
      const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
      if (known.includes(etag) || known.includes('*')) return reply.status(304).send(undefined);
      const bytes = await registry.readFile(manifest, file);
      return reply.type(tar).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    },
  );
}
