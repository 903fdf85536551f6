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
  /** sent in the clear to a client that speaks without encryption, before it is cut off */
  plainAnswer(): string | Buffer;
  /** told of such clients, once in ten minutes at most */
  plain(address: string | undefined): void;
  /** `raw` is the connection as it was accepted */
  secured(socket: TLSSocket, raw: Socket): void;
}

/** For the log. */
export const plainWarning = 'a client spoke without TLS to a port that needs it, and was refused';

/** What OpenSSL says of a first record that is none of TLS: of GET, HEAD, POST and PUT, and of anything else. */
const plainCodes = ['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER'];
const tellEveryMs = 600_000;

export class TlsPort {
  readonly #server: TlsServer;
  readonly #stopWatching: () => void;
  /** connections that have not finished their handshake, by the client's address and port */
  readonly #handshakes = new Map<string, Socket>();

  readonly #plainAnswer: TlsPortOptions['plainAnswer'];
  readonly #plain: TlsPortOptions['plain'];
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ files, protocol, handshakeMs, turnsAway, plainAnswer, plain, secured }: TlsPortOptions) {
    this.#plainAnswer = plainAnswer;
    this.#plain = plain;
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
    // Others than plain clients cannot be told: a scanner, one that does not trust the certificate, one that came without its own.
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const raw = this.#handshakes.get(peerOf(socket));
      if (raw && plainCodes.includes(error.code ?? '')) this.#refusePlain(raw);
      else socket.destroy();
    });
  }

  accept(raw: Socket): void {
    const key = peerOf(raw);
    this.#handshakes.set(key, raw);
    raw.once('close', () => {
      if (this.#handshakes.get(key) === raw) this.#handshakes.delete(key);
    });
    this.#server.emit('connection', raw);
  }

  /** Node destroys the connection when this is done; what is written here has left by then. */
  #refusePlain(raw: Socket): void {
    raw.end(this.#plainAnswer());
    if (performance.now() - this.#toldAt < tellEveryMs) return;
    this.#toldAt = performance.now();
    this.#plain(raw.remoteAddress);
  }

  /** Ends the handshakes in progress. Open connections are the server's. */
  close(): void {
    this.#stopWatching();
    for (const raw of this.#handshakes.values()) raw.destroy();
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
