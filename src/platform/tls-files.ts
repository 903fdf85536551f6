/**
 * A certificate with its key, and the authorities of clients, as files that somebody renews: looked at every few seconds, and taken
 * over once they fit each other. Reads files only; the ports that use them are elsewhere (gateway/tls-port.ts).
 */

import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from './config.ts';
import type { Logger } from './log.ts';

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  /** absent: clients need no certificate */
  readonly clientCa?: string;
}

/** What could not be used, for the one who starts the service. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
}

const lookEveryMs = 2000;

export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #listeners = new Set<(options: SecureContextOptions) => void>();
  readonly #timer: NodeJS.Timeout;
  #current: SecureContextOptions;
  #seen: string;
  #looking = false;
  #failure: string | undefined;

  /**
   * `failed` is told once of each state of the files that cannot be used; the last one that could stays in use. Throws TlsError when
   * there is none.
   */
  constructor(paths: TlsPaths, failed: (reason: string) => void) {
    this.#paths = paths;
    try {
      this.#current = usable(namesOf(paths).map((file) => readFileSync(file)));
    } catch (error) {
      throw new TlsError(`HOURGLASS_TLS_CERT and HOURGLASS_TLS_KEY cannot be used: ${(error as Error).message}`);
    }
    this.#seen = digestOf(this.#current);
    this.#timer = setInterval(() => void this.#look(failed), lookEveryMs).unref();
  }

  get current(): SecureContextOptions {
    return this.#current;
  }

  get needsClientCertificates(): boolean {
    return this.#paths.clientCa !== undefined;
  }

  /** when the certificate ends, seconds since 1970 */
  get expiresAt(): number {
    return Date.parse(new X509Certificate(this.#current.cert as Buffer).validTo) / 1000;
  }

  /** Calls at each change. The result ends that. */
  onChange(listener: (options: SecureContextOptions) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(failed: (reason: string) => void): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const failure = await this.#renew().catch((error: Error) => error.message);
    this.#looking = false;
    if (failure !== undefined && failure !== this.#failure) failed(failure);
    this.#failure = failure;
  }

  /** Certificate and key are replaced one after the other: until they fit each other the old ones stay. */
  async #renew(): Promise<undefined> {
    const contents = await Promise.all(namesOf(this.#paths).map((file) => readFile(file)));
    const digest = digestOf(optionsOf(contents));
    if (digest === this.#seen) return;
    this.#seen = digest;
    this.#current = usable(contents);
    for (const listener of this.#listeners) listener(this.#current);
  }
}

type TlsConfig = Pick<Config, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>;

/** One line that says what is missing; undefined when the settings fit each other. */
export function tlsProblem({ tlsCert, tlsKey, tlsClientCa }: TlsConfig): string | undefined {
  if ((tlsCert === null) !== (tlsKey === null))
    return 'HOURGLASS_TLS_CERT and HOURGLASS_TLS_KEY are set together or not at all.';
  if (tlsClientCa === null || tlsCert !== null) return undefined;
  return 'HOURGLASS_TLS_CLIENT_CA needs HOURGLASS_TLS_CERT and HOURGLASS_TLS_KEY.';
}

/** Undefined where there is no certificate. What `tlsProblem` finds must be settled before. */
export function tlsPathsOf({ tlsCert, tlsKey, tlsClientCa }: TlsConfig): TlsPaths | undefined {
  if (tlsCert === null || tlsKey === null) return undefined;
  return { cert: tlsCert, key: tlsKey, ...(tlsClientCa !== null && { clientCa: tlsClientCa }) };
}

/** Of the metrics port. */
export const metricsTlsOf = (config: TlsConfig & Pick<Config, 'metricsTls'>): TlsPaths | undefined =>
  config.metricsTls ? tlsPathsOf(config) : undefined;

/** Undefined where connections are not encrypted. Throws TlsError. */
export function openTls(config: TlsConfig, log: Logger): TlsFiles | undefined {
  const paths = tlsPathsOf(config);
  const failed = (reason: string) => log.warn({ reason }, 'the new certificate cannot be used; the old one stays');
  return paths && new TlsFiles(paths, failed);
}

const namesOf = ({ cert, key, clientCa }: TlsPaths): string[] => [
  cert,
  key,
  ...(clientCa === undefined ? [] : [clientCa]),
];

const optionsOf = ([cert, key, ca]: readonly Buffer[]): SecureContextOptions => ({ cert, key, ...(ca && { ca }) });

/** Throws what OpenSSL says of files that are no PEM, or of a key that is another certificate's. */
function usable(contents: readonly Buffer[]): SecureContextOptions {
  const options = optionsOf(contents);
  createSecureContext(options);
  return options;
}

function digestOf({ cert, key, ca }: SecureContextOptions): string {
  const hash = createHash('sha256');
  for (const part of [cert, key, ca] as (Buffer | undefined)[]) hash.update(`${part?.length ?? 0} `).update(part ?? '');
  return hash.digest('hex');
}
