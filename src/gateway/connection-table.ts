/**
 * The open connections of a port. When it is full, the connection that has been without a request for the longest time
 * makes room for the new one; when none is idle, the new one is closed.
 */

import type { Socket } from 'node:net';

export class ConnectionTable {
  readonly #limit: number;
  readonly #changed: (open: number) => void;
  /** requests in progress by connection */
  readonly #open = new Map<Socket, number>();
  /** connections without a request, the one idle for the longest time first */
  readonly #idle = new Set<Socket>();

  /** `changed` is told of each change of their number. */
  constructor(limit: number, changed: (open: number) => void = () => {}) {
    this.#limit = limit;
    this.#changed = changed;
  }

  get sockets(): Iterable<Socket> {
    return this.#open.keys();
  }

  /** False when there was no room; the connection is closed then. */
  add(socket: Socket): boolean {
    if (this.#open.size >= this.#limit) {
      const [longest] = this.#idle;
      (longest ?? socket).destroy();
      if (longest === undefined) return false;
      this.#remove(longest);
    }
    this.#open.set(socket, 0);
    this.#idle.add(socket);
    this.#changed(this.#open.size);
    socket.once('close', () => this.#remove(socket));
    return true;
  }

  /** The same connection under another name: what was read of it is decrypted from now on. */
  replace(raw: Socket, socket: Socket): void {
    const requests = this.#open.get(raw);
    if (requests === undefined) return;
    this.#open.delete(raw);
    this.#idle.delete(raw);
    this.#open.set(socket, requests);
    if (requests === 0) this.#idle.add(socket);
    socket.once('close', () => this.#remove(socket));
  }

  requests(socket: Socket): number {
    return this.#open.get(socket) ?? 0;
  }

  begin(socket: Socket): void {
    const requests = this.#open.get(socket);
    if (requests === undefined) return;
    this.#open.set(socket, requests + 1);
    if (requests === 0) this.#idle.delete(socket);
  }

  end(socket: Socket): void {
    const requests = this.#open.get(socket);
    if (requests === undefined) return;
    this.#open.set(socket, requests - 1);
    if (requests === 1) this.#idle.add(socket);
  }

  #remove(socket: Socket): void {
    this.#idle.delete(socket);
    if (this.#open.delete(socket)) this.#changed(this.#open.size);
  }
}
