// Certificates of an authority of our own, made by openssl in a folder that is removed at the end.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly folder: string;
  /** its own certificate, PEM */
  readonly file: string;
  readonly ca: string;
  /** A certificate for localhost and 127.0.0.1, as files. */
  issue(name: string): Pair;
  remove(): void;
}

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function createAuthority(): Authority {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-tls-'));
  const at = (name: string): string => path.join(folder, name);
  const [file, caKey] = [at('ca.pem'), at('ca-key.pem')];
  openssl('req', '-x509', ...curve, '-keyout', caKey, '-out', file, '-days', '2', '-subj', '/CN=test authority');
  const extensions = at('extensions');
  writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  return {
    folder,
    file,
    ca: readFileSync(file, 'utf8'),
    issue(name) {
      const [cert, key, request] = [at(`${name}.pem`), at(`${name}-key.pem`), at(`${name}.csr`)];
      openssl('req', ...curve, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
      const by = ['-CA', file, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
      openssl('x509', '-req', '-in', request, '-out', cert, ...by);
      return { cert, key };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
