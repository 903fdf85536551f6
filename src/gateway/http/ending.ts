/**
 * The end of an answer, however it comes. Node tells a response that its connection is gone only while it is the one that is
 * being written; those of pipelined requests behind it would never hear of it.
 */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Ended = (finished: boolean) => void;

/** What is to be called at the end of an answer; one for each response, however many ask. */
interface Ending {
  readonly callbacks: Ended[];
  readonly end: () => void;
}

const endings = new WeakMap<ServerResponse, Ending>();
/** endings of the answers that a connection still waits for */
const open = new WeakMap<Socket, Set<() => void>>();

function openOn(socket: Socket): Set<() => void> {
  const known = open.get(socket);
  if (known) return known;
  const ends = new Set<() => void>();
  open.set(socket, ends);
  socket.once('close', () => {
    for (const end of [...ends]) end();
  });
  return ends;
}

/** Calls `ended` once: with true when the answer went out as a whole, with false when the client left before. */
export function whenEnded(response: ServerResponse, ended: Ended): void {
  const known = endings.get(response);
  if (known) {
    known.callbacks.push(ended);
    return;
  }
  const { socket } = response.req;
  const ends = openOn(socket);
  const callbacks = [ended];
  const end = (): void => {
    if (!ends.delete(end)) return;
    endings.delete(response);
    const finished = response.writableFinished;
    for (const callback of callbacks) callback(finished);
  };
  endings.set(response, { callbacks, end });
  ends.add(end);
  response.once('close', end);
  if (socket.destroyed) setImmediate(end);
}
