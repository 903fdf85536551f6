/**
 * TLS between a port that listens and the server that handles its connections, for REST, gRPC and metrics alike. New connections get
 * the newest certificate; those that are open keep theirs.
 *
 *   raw connection ─► accept ─► handshake, in time ─► secured ─► server
 */

import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { TlsFiles } from '../platform/tls-files.ts';

export interface TlsPortOptions {
  readonly files: TlsFiles;
  /** what is spoken inside: `h2`, `http/1.1` */
  readonly protocol: string;
  /** longest time for a handshake */
  readonly handshakeMs: number;
  /** where clients need certificates: whether one without is turned away, or let in as `authorized: false` */
  readonly turnsAway: boolean;
  /** `raw` is the connection as it was accepted */
  secured(socket: TLSSocket, raw: Socket): void;
}

export class TlsPort {
  readonly #server: TlsServer;
  readonly #stopWatching: () => void;
  /** connections that have not finished their handshake, by the client's address and port */
  readonly #handshakes = new Map<string, Socket>();

  constructor({ files, protocol, handshakeMs, turnsAway, secured }: TlsPortOptions) {
    this.#server = createServer({
      ...files.current,
      ALPNProtocols: [protocol],
      handshakeTimeout: handshakeMs,
      requestCert: files.needsClientCertificates,
      rejectUnauthorized: turnsAway,
    });
    this.#stopWatching = files.onChange((options) => this.#server.setSecureContext(options));
    this.#server.on('secureConnection', (socket) => {
      const key = peerOf(socket);
      const raw = this.#handshakes.get(key);
      this.#handshakes.delete(key);
      if (raw) secured(socket, raw);
      else socket.destroy();
    });
    // Nobody is there to be told: a scanner, a client that does not trust the certificate, one that came without its own.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  accept(raw: Socket): void {
    const key = peerOf(raw);
    this.#handshakes.set(key, raw);
    raw.once('close', () => {
      if (this.#handshakes.get(key) === raw) this.#handshakes.delete(key);
    });
    this.#server.emit('connection', raw);
  }

  /** Ends the handshakes in progress. Open connections are the server's. */
  close(): void {
    this.#stopWatching();
    for (const raw of this.#handshakes.values()) raw.destroy();
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
