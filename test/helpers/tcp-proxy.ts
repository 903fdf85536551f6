// A TCP proxy between a client and a server, to do to their connections what networks and load balancers do: send new ones
// elsewhere, delay what goes through, stop forwarding without closing, cut.
import { createServer, connect as openSocket, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface TcpProxy {
  readonly port: number;
  /** connections that are open */
  readonly open: number;
  /** From now on nothing goes through, over old and new connections; nobody is told. */
  stall(): void;
  /** New connections go through again. Those from before stay dead, as behind a firewall that has forgotten them. */
  flow(): void;
  /** Delays every piece by so many milliseconds, each way. */
  slow(ms: number): void;
  close(): Promise<void>;
}

/** `target` names the port for each new connection. */
export async function startProxy(target: () => number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let stalled = false;
  let slowness = 0;
  let epoch = 0;

  const pass = (from: Socket, to: Socket, born: number): void => {
    let line: Promise<unknown> = Promise.resolve();
    const isDead = (): boolean => stalled || born !== epoch;
    from.on('data', (chunk) => {
      const due = slowness > 0 ? delay(slowness) : undefined;
      line = line.then(() => due).then(() => isDead() || to.destroyed || to.write(chunk));
    });
    from.on('end', () => line.then(() => isDead() || to.end()));
    from.on('error', () => isDead() || to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      if (!isDead()) to.destroySoon();
    });
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = openSocket({ port: target(), host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, upstream]) sockets.add(socket.setNoDelay(true));
    pass(client, upstream, epoch);
    pass(upstream, client, epoch);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();

  return {
    port: typeof address === 'object' && address ? address.port : 0,
    get open() {
      return sockets.size;
    },
    stall() {
      stalled = true;
      epoch++;
    },
    flow() {
      stalled = false;
      epoch++;
    },
    slow(ms) {
      slowness = ms;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
