/**
 * The end of an answer, however it comes. Node tells a response that its connection is gone only while it is the one that is
 * being written; those of pipelined requests behind it would never hear of it.
 */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const open = new WeakMap<Socket, Set<() => void>>();

function listenersOf(socket: Socket): Set<() => void> {
  const known = open.get(socket);
  if (known) return known;
  const listeners = new Set<() => void>();
  open.set(socket, listeners);
  socket.once('close', () => {
    for (const end of [...listeners]) end();
  });
  return listeners;
}

/** Calls `ended` once: with true when the answer went out as a whole, with false when the client left before. */
export function whenEnded(response: ServerResponse, ended: (finished: boolean) => void): void {
  const { socket } = response.req;
  const listeners = listenersOf(socket);
  const end = (): void => {
    if (listeners.delete(end)) ended(response.writableFinished);
  };
  listeners.add(end);
  response.once('close', end);
  if (socket.destroyed) setImmediate(end);
}
