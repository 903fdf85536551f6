/** What the registry checks before it acts, with the errors that say what is wrong, and the reading of files against their checksums. */

import { createHash } from 'node:crypto';
import { defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { OpenBlob } from '../store/contract.ts';
import type { FileEntry, Manifest } from './manifest.ts';

export const readOnly = (name: string): HourglassError =>
  new HourglassError(
    'model-read-only',
    `The model ${name} belongs to another tenant, which shares it: it can be read and asked, not changed.`,
    { field: 'model', found: name },
  );

export const notForSharing = (): HourglassError =>
  new HourglassError('forbidden', `Only the tenant ${defaultTenant} shares its models with others.`, {
    field: 'model',
    expected: defaultTenant,
  });

/** Throws `file-not-found`. */
export function entryOf({ name, version, files }: Manifest, path: string): FileEntry {
  const entry = files.find((file) => file.path === path);
  if (entry) return entry;
  const there = files.map((file) => file.path);
  throw new HourglassError('file-not-found', `${name}@${version} has no such file; it has ${there.join(', ')}.`, {
    expected: there,
  });
}

/** The pieces, of which the last is held back until the checksum of all is compared. */
export async function* checked(
  blob: OpenBlob,
  entry: FileEntry,
  damaged: () => HourglassError,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let last: Uint8Array | undefined;
  let bytes = 0;
  for await (const chunk of blob.chunks()) {
    hash.update(chunk);
    bytes += chunk.length;
    if (last) yield last;
    last = chunk;
  }
  if (bytes !== entry.bytes || hash.digest('hex') !== entry.sha256) throw damaged();
  if (last) yield last;
}

export function sameOrRefuse(earlier: Manifest, files: readonly FileEntry[]): Manifest {
  const show = (entries: readonly FileEntry[]) =>
    entries
      .map((entry) => `${entry.path} ${entry.sha256}`)
      .sort()
      .join();
  if (show(earlier.files) === show(files)) return earlier;
  throw new HourglassError(
    'version-exists',
    `The job has already published ${earlier.name}@${earlier.version}, with other content. A job has one version.`,
    { found: earlier.version },
  );
}

/** Files whose checksum was compared, by file and stamp. */
export class VerifiedFiles {
  readonly #compared = new Map<string, Promise<void>>();

  /** Concurrent calls share one comparison; a failed one is not kept. */
  async once(key: string, compare: () => Promise<void>): Promise<void> {
    const known = this.#compared.get(key);
    if (known) return known;
    const running = compare();
    this.#compared.set(key, running);
    const oldest = this.#compared.size > maxVerified ? this.#compared.keys().next().value : undefined;
    if (oldest !== undefined) this.#compared.delete(oldest);
    try {
      await running;
    } catch (error) {
      this.#compared.delete(key);
      throw error;
    }
  }
}

const maxVerified = 4096;
