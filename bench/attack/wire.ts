// What the attacks write: sockets and HTTP/2 connections from several addresses, gRPC messages, raw HTTP/2 frames.
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';

/** Attackers come from this many loopback addresses, none of which is the well-behaved client's. */
const addresses = 8;
let turn = 0;
const nextAddress = (): string => `127.0.0.${10 + (turn++ % addresses)}`;

/** Never reads unless it is resumed. Resolves also when it is refused. */
export function open(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: nextAddress() });
    socket.pause();
    socket.on('error', () => resolve(socket)).once('connect', () => resolve(socket));
  });
}

export async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += 100) {
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, count - at) }, () => open(port)))));
  }
  return sockets;
}

export function openSession(port: number, settings: http2.Settings = {}): Promise<ClientHttp2Session> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`, {
      settings,
      createConnection: () => connect({ port, host: '127.0.0.1', localAddress: nextAddress() }),
    });
    session.on('error', () => resolve(session)).once('remoteSettings', () => resolve(session));
  });
}

export function call(
  session: ClientHttp2Session,
  method: string,
  headers: Record<string, string> = {},
): ClientHttp2Stream | undefined {
  if (session.destroyed || session.closed) return undefined;
  const stream = session.request({
    ':method': 'POST',
    ':path': `/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  return stream.on('error', () => {});
}

/** One gRPC message. */
export function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export const frameType = { headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;

/** One HTTP/2 frame. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(frameType.settings, 0, 0),
]);

/** The headers of a call, each as a literal that is not indexed (RFC 7541, section 6.2.2). */
export const callHeaders = Buffer.concat(
  Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/hourglass.v1.InferenceService/Encode',
    ':authority': 'x',
    'content-type': 'application/grpc',
    te: 'trailers',
  }).flatMap(([name, value]) => [
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]),
);
