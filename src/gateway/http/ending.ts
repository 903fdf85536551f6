/**
 * The end of an answer, however it comes. Node tells a response that its connection is gone only while it is the one that is
 * being written; those of pipelined requests behind it would never hear of it.
 */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Ended = (finished: boolean) => void;

// Kept on the objects themselves: an entry of a WeakMap for each request costs the garbage collector more than the request costs us.
const endingKey = Symbol('ending');
const openKey = Symbol('open answers');

interface EndingResponse extends ServerResponse {
  [endingKey]?: Ending;
}

interface AnsweringSocket extends Socket {
  /** endings of the answers that the connection still waits for */
  [openKey]?: Set<Ending>;
}

/** What is to be called at the end of an answer; one for each response, however many ask. */
class Ending {
  /** undefined until the answer has ended */
  #finished: boolean | undefined;
  readonly #callbacks: Ended[] = [];
  readonly #response: ServerResponse;
  readonly #open: Set<Ending>;

  constructor(response: ServerResponse, open: Set<Ending>) {
    this.#response = response;
    this.#open = open;
    open.add(this);
    response.on('close', this.end);
  }

  tell(ended: Ended): void {
    const finished = this.#finished;
    if (finished === undefined) this.#callbacks.push(ended);
    else setImmediate(() => ended(finished));
  }

  readonly end = (): void => {
    if (!this.#open.delete(this)) return;
    this.#finished = this.#response.writableFinished;
    for (const callback of this.#callbacks) callback(this.#finished);
  };
}

function openOn(socket: AnsweringSocket): Set<Ending> {
  const known = socket[openKey];
  if (known) return known;
  const open = new Set<Ending>();
  socket[openKey] = open;
  socket.once('close', () => {
    for (const ending of [...open]) ending.end();
  });
  return open;
}

/** Calls `ended` once: with true when the answer went out as a whole, with false when the client left before. */
export function whenEnded(response: EndingResponse, ended: Ended): void {
  let ending = response[endingKey];
  if (!ending) {
    const { socket } = response.req;
    ending = new Ending(response, openOn(socket));
    response[endingKey] = ending;
    if (socket.destroyed) setImmediate(ending.end);
  }
  ending.tell(ended);
}
