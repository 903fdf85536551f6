/** Passes TCP connections on: to a server on loopback from where containers can reach it, or to whichever container is there. */

import { connect, createServer, type Server } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/** `target` is asked for each connection; without one the connection is closed. Port 0: any that is free. */
export async function startRelay(host: string, port: number, target: () => Target | undefined): Promise<Relay> {
  const open = new Set<{ destroy(): void }>();
  const server: Server = createServer((incoming) => {
    const to = target();
    if (!to) return void incoming.destroy();
    const outgoing = connect(to.port, to.host);
    for (const socket of [incoming, outgoing]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    incoming.pipe(outgoing);
    outgoing.pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
