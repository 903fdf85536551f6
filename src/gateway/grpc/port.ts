/**
 * The port that the gRPC server listens on. It is ours and not grpc-js' own, which neither counts nor limits connections,
 * and which waits for clients that do not read even when it is forced to stop.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TlsFiles } from '../../platform/tls-files.ts';
import type { ConnectionTable } from '../connection-table.ts';
import { TlsPort } from '../tls-port.ts';

export interface PortOptions {
  readonly connections: ConnectionTable;
  /** absent: connections are not encrypted */
  readonly tls?: TlsFiles | undefined;
  /** longest time for a handshake */
  readonly handshakeMs: number;
  /** told of clients that speak without encryption where it is needed */
  plain(address: string | undefined): void;
  connect(socket: Socket): void;
}

/** Of HTTP/2: SETTINGS, then GOAWAY with INADEQUATE_SECURITY and a text that clients show. */
const plainGoaway = (): Buffer => {
  const text = Buffer.from('This port speaks TLS: use channel credentials with TLS.');
  const payload = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 0x0c]), text]);
  const frame = (type: number, length: number): Buffer => Buffer.from([0, 0, length, type, 0, 0, 0, 0, 0]);
  return Buffer.concat([frame(4, 0), frame(7, payload.length), payload]);
};

export class Port {
  readonly #server: Server;
  readonly #connections: ConnectionTable;
  readonly #tls: TlsPort | undefined;

  constructor({ connections, tls: files, handshakeMs, plain, connect }: PortOptions) {
    this.#connections = connections;
    this.#server = createServer({ noDelay: true }, (socket) => {
      if (!connections.add(socket)) return;
      if (this.#tls) this.#tls.accept(socket);
      else connect(socket);
    });
    this.#tls =
      files &&
      new TlsPort({
        ...{ files, protocol: 'h2', handshakeMs, turnsAway: true, plainAnswer: plainGoaway, plain },
        secured(socket, raw) {
          connections.replace(raw, socket);
          connect(socket);
        },
      });
  }

  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no more connections; resolves when the last one is gone and no longer counted. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#tls?.close();
    // The server closes as soon as the last handle is closed, which may be before that socket's own close event.
    await Promise.all([closed, ...[...this.#connections.sockets].map((socket) => once(socket, 'close'))]);
  }

  /** Cuts off every connection. */
  destroy(): void {
    for (const socket of [...this.#connections.sockets]) socket.destroy();
  }
}
