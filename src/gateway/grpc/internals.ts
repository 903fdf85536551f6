/**
 * The parts of grpc-js that are not its public API and that limits need: its interceptors see whole messages only, so
 * nothing public counts bytes that have arrived, or bounds what a message decompresses to. Each part is checked when it is
 * taken; the version is pinned in package.json.
 */

import type { Http2Server, ServerHttp2Stream } from 'node:http2';
import type { Metadata, Server, ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** The innermost call, which reads and writes the stream. */
export interface InnermostCall extends ServerInterceptingCallInterface {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  /** splits the stream into messages, each with the five bytes in front of it; throws when one is too long */
  decoder: { write(data: Buffer): Buffer[] };
  /** of a message once decompressed */
  maxReceiveMessageSize: number;
  /** rejects with a status */
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

export function innermost(call: ServerInterceptingCallInterface): InnermostCall {
  const { stream, metadata, decoder, decompressMessage, maxReceiveMessageSize } = call as Partial<InnermostCall>;
  const known =
    typeof stream?.respond === 'function' &&
    typeof metadata?.get === 'function' &&
    typeof decoder?.write === 'function' &&
    typeof decompressMessage === 'function' &&
    typeof maxReceiveMessageSize === 'number';
  if (!known) throw new TypeError('this version of @grpc/grpc-js has other internals');
  return call as InnermostCall;
}

/** The HTTP/2 server behind the last connection injector that was made. */
export function http2ServerOf(server: Server): Http2Server {
  const servers = (server as unknown as { http2Servers?: Map<Http2Server, unknown> }).http2Servers;
  const last = servers instanceof Map ? [...servers.keys()].at(-1) : undefined;
  if (last?.listenerCount('stream') !== 1) {
    throw new TypeError('this version of @grpc/grpc-js has other internals');
  }
  return last;
}
