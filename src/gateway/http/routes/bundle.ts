/** What a device needs to encode for a model: one archive, made when the version was published, or a part of it. */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem, ReferenceParams } from '../schemas.ts';

const file = 'bundle.tar';
const tar = 'application/x-tar';

/** Files of the archive that an encoder of these weights does without. */
const needless = {
  float32: ['encoder.int8.onnx', 'golden.int8.json'],
  int8: ['encoder.onnx', 'golden.json'],
} as const;
type Weights = keyof typeof needless;

export function bundleRoutes(app: App, { predictions, registry }: RouteParts): void {
  app.get(
    '/v1/models/:model/bundle',
    {
      config: { handlerChecks: ['params', 'headers'] },
      schema: {
        tags: ['models'],
        summary: 'Get what a device needs to encode: encoder, codec tables, golden vectors, hashes',
        params: ReferenceParams,
        querystring: Type.Object(
          {
            weights: Type.Optional(
              Type.Enum(Object.keys(needless), { description: 'leave out the encoder of other weights; default both' }),
            ),
          },
          { additionalProperties: false },
        ),
        headers: Type.Object({
          'if-none-match': Type.Optional(Type.String({ description: 'ETag of a bundle at hand' })),
        }),
        response: {
          200: {
            description: 'A tar archive; the same ETag is the same archive, X-Hourglass-Model is its version',
            content: { [tar]: { schema: { type: 'string', format: 'binary' } } },
          },
          304: noContent('The bundle at hand is the one'),
          400: problem('The reference is not well formed'),
          404: problem('No such model, version or alias'),
          409: problem('No frames can be made for this version, or not with these weights'),
          503: problem('The stored file is damaged, or the storage is away'),
        },
      },
    },
    async ({ caller, params, headers, query }, reply) => {
      const weights = query.weights as Weights | undefined;
      const { model, version } = await predictions.resolve(caller, 'encode', params.model);
      const reference = `${model}@${version}`;
      const manifest = await registry.resolve(reference);
      const entry = manifest.files.find(({ path }) => path === file);
      if (!entry) {
        throw new HourglassError(
          'operation-not-supported',
          `${reference} has no bundle: no frames can be made for it. Its encoder is at /v1/models/${model}/versions/${version}/files/encoder.onnx.`,
        );
      }
      const etag = `"${entry.sha256}${weights ? `-${weights}` : ''}"`;
      reply
        .header('etag', etag)
        // names and aliases move on to newer versions
        .header('cache-control', 'no-cache')
        .header('x-hourglass-model', reference);
      const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
      if (known.includes(etag) || known.includes('*')) return reply.status(304).send(undefined);
      const bytes = await registry.readFile(manifest, file);
      const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return reply.type(tar).send(weights ? await partOf(whole, weights, reference) : whole);
    },
  );
}

/** The archive for one kind of weights. Throws `operation-not-supported` when it has none. */
async function partOf(archive: Buffer, weights: Weights, reference: string): Promise<Buffer> {
  const part = pack();
  const whole = buffer(part);
  let encoders = 0;
  for await (const entry of Readable.from([archive]).pipe(extract())) {
    const content = await buffer(entry);
    const { name } = entry.header;
    if ((needless[weights] as readonly string[]).includes(name)) continue;
    if (name.startsWith('encoder.')) encoders++;
    part.entry(entry.header, content);
  }
  part.finalize();
  if (encoders > 0) return whole;
  throw new HourglassError(
    'operation-not-supported',
    `${reference} has no encoder of ${weights} weights. Ask for float32.`,
    {
      field: '?weights',
      expected: ['float32'],
      found: weights,
    },
  );
}
