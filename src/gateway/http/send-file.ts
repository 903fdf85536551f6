/**
 * Sends a file of a version at the pace of its reader: a few pieces of it are in memory at a time, only so many are on
 * their way at once, and a reader that takes nothing for too long is cut off.
 */

import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Manifest } from '../../registry/manifest.ts';
import type { OpenFile, Registry } from '../../registry/registry.ts';
import { clientOf } from '../places.ts';
import { whenEnded } from './ending.ts';
import type { RouteParts } from './route-parts.ts';

/** pieces that wait in front of the socket's own buffer */
const aheadBytes = 64 * 1024;

export interface Content {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** when it is known before it is read */
  readonly bytes?: number;
}

/**
 * `contentOf` may send something else than the whole file. Throws `overloaded`, `quota-exceeded` and what `Registry.openFile` and `contentOf`
 * throw.
 */
export async function sendFile(
  reply: FastifyReply,
  { registry, limits, config }: Pick<RouteParts, 'limits' | 'config'> & { readonly registry: Registry },
  manifest: Manifest,
  path: string,
  contentOf: (file: OpenFile) => Content | Promise<Content> = (file) => ({
    chunks: file.chunks(),
    bytes: file.entry.bytes,
  }),
): Promise<FastifyReply> {
  const { raw, tenant } = reply.request;
  const { socket } = raw;
  const giveBack = tenant.quota.takePlace(limits.downloads, clientOf(socket.remoteAddress));
  let file: OpenFile | undefined;
  let ended = false;
  socket.setTimeout(config.stallTimeoutMs);
  whenEnded(reply.raw, () => {
    ended = true;
    socket.setTimeout(config.idleTimeoutMs);
    giveBack();
    // Also of a file whose first piece was never asked for.
    void file?.close();
  });
  file = await registry.openFile(manifest, path);
  if (ended) await file.close();
  const { chunks, bytes } = await contentOf(file);
  if (bytes !== undefined) reply.header('content-length', bytes);
  // Fastify would read it to its end, as fast as it can, and throw it away.
  if (raw.method === 'HEAD') return reply.send(Readable.from([]));
  return reply.send(Readable.from(chunks, { objectMode: false, highWaterMark: aheadBytes }));
}
