/** What a device needs to encode for a model: one archive, made when the version was published, or a part of it. */

import { Readable, type Writable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { Type } from 'typebox';
import { HourglassError } from '../../../base/errors.ts';
import type { OpenFile } from '../../../registry/registry.ts';
import type { App, RouteParts } from '../route-parts.ts';
import { noContent, problem, ReferenceParams } from '../schemas.ts';
import { type Content, sendFile } from '../send-file.ts';

const file = 'bundle.tar';
const tar = 'application/x-tar';

/** Files of the archive that an encoder of these weights does without. */
const needless = {
  float32: ['encoder.int8.onnx', 'golden.int8.json'],
  int8: ['encoder.onnx', 'golden.json'],
} as const;
type Weights = keyof typeof needless;

export function bundleRoutes(app: App, parts: RouteParts): void {
  app.get(
    '/v1/models/:model/bundle',
    {
      config: { scope: 'infer', handlerChecks: ['params', 'headers'] },
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
          429: problem('Too many files are being sent'),
          503: problem('The stored file is damaged, or the storage is away'),
        },
      },
    },
    async ({ caller, params, headers, query, tenant: { predictions, registry } }, reply) => {
      const weights = query.weights as Weights | undefined;
      const codec = await predictions.pictures.find(caller, params.model);
      const { name: model, version } = codec ?? named(await predictions.resolve(caller, 'encode', params.model));
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
      reply.type(tar);
      return weights
        ? sendFile(reply, { ...parts, registry }, manifest, file, (archive) => partOf(archive, weights, reference))
        : sendFile(reply, { ...parts, registry }, manifest, file);
    },
  );
}

const named = ({ model, version }: { readonly model: string; readonly version: number }) => ({ name: model, version });

/** A stretch of the archive: the header and the content of one file. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

const blockBytes = 512;

/** where the content of a file begins */
type ArchiveHeader = Header & { readonly byteOffset: number };

/** The archive for one kind of weights: stretches of the whole one. Throws `operation-not-supported` when it has none. */
async function partOf(archive: OpenFile, weights: Weights, reference: string): Promise<Content> {
  const kept: Stretch[] = [];
  let encoders = 0;
  let end = 0;
  for (const { name, size = 0, byteOffset } of await listArchive(archive)) {
    const start = end;
    end = byteOffset + Math.ceil(size / blockBytes) * blockBytes;
    if ((needless[weights] as readonly string[]).includes(name)) continue;
    if (name.startsWith('encoder.')) encoders++;
    kept.push({ start, end });
  }
  if (encoders === 0) {
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
  // An archive ends with two empty blocks.
  kept.push({ start: end, end: end + 2 * blockBytes });
  return {
    chunks: stretchesOf(archive.chunks(), kept),
    bytes: kept.reduce((sum, stretch) => sum + stretch.end - stretch.start, 0),
  };
}

/** Reads the archive once; only the headers are kept. */
async function listArchive(archive: OpenFile): Promise<ArchiveHeader[]> {
  const headers: ArchiveHeader[] = [];
  const source = Readable.from(archive.chunks(), { objectMode: false });
  const parser = extract();
  source.on('error', (error) => parser.destroy(error));
  for await (const entry of source.pipe(parser as unknown as Writable) as unknown as typeof parser) {
    headers.push(entry.header as ArchiveHeader);
    entry.resume();
  }
  return headers;
}

/** `stretches` are in ascending order. */
async function* stretchesOf(
  chunks: AsyncIterable<Uint8Array>,
  stretches: readonly Stretch[],
): AsyncGenerator<Uint8Array> {
  let at = 0;
  let i = 0;
  for await (const chunk of chunks) {
    for (let stretch = stretches[i]; stretch && stretch.start < at + chunk.length; stretch = stretches[i]) {
      const piece = chunk.subarray(Math.max(0, stretch.start - at), stretch.end - at);
      if (piece.length > 0) yield piece;
      if (stretch.end > at + chunk.length) break;
      i++;
    }
    at += chunk.length;
  }
}
