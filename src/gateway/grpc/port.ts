/**
 * The port that the gRPC server listens on. It is ours and not grpc-js' own, which neither counts nor limits connections, and
 * when it is forced to stop still waits for clients that do not read.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface PortOptions {
  readonly maxConnections: number;
  connect(socket: Socket): void;
  /** told of each change */
  counted(open: number): void;
}

export class Port {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor({ maxConnections, connect, counted }: PortOptions) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      counted(this.#sockets.size);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        counted(this.#sockets.size);
      });
      connect(socket);
    });
    this.#server.maxConnections = maxConnections;
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
    // The server closes as soon as the last handle is closed, which may be before that socket's own close event.
    await Promise.all([closed, ...[...this.#sockets].map((socket) => once(socket, 'close'))]);
  }

  /** Cuts off every connection. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
