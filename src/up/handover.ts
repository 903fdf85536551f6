/**
 * node:cluster forgets a connection that it has sent to a process which ends before it takes it: it is neither closed nor given
 * to another, and its peer waits for ever (Node.js 20 to 24). Here such connections go to another process, or are closed.
 *
 * This relies on two messages of node:cluster between its processes: `{cmd: 'NODE_CLUSTER', act: 'newconn', seq}`, with the
 * connection, and its answer `{cmd: 'NODE_CLUSTER', ack: seq, accepted}`, after which the connection is taken or offered to
 * another process.
 */

import cluster, { type Worker } from 'node:cluster';

interface ClusterMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

/** @param anotherListens whether another process of the group can take a connection */
export function keepConnectionsOf(worker: Worker, anotherListens: () => boolean): void {
  const { process: child } = worker;
  /** sent, and neither taken nor refused yet */
  const offered = new Map<unknown, { close(): void }>();
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]): boolean => {
    const [message, connection] = args as [ClusterMessage, { close(): void } | undefined];
    if (message.cmd === 'NODE_CLUSTER' && message.act === 'newconn' && connection) offered.set(message.seq, connection);
    return send(...args);
  };
  child.on('internalMessage', ({ cmd, ack }: ClusterMessage) => {
    if (cmd === 'NODE_CLUSTER') offered.delete(ack);
  });
  // Not 'disconnect': a process that ends while a connection is on its way to it does not emit that. node:cluster may then
  // still hold it for alive, and would offer it the connection again.
  child.once('close', () => {
    if (cluster.workers?.[worker.id]) child.emit('disconnect');
    for (const [ack, connection] of [...offered]) {
      if (anotherListens()) child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false });
      else connection.close();
    }
    offered.clear();
  });
}
