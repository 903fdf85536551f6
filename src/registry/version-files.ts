/**
 * The files of a version that are the registry's own: `manifest.json`, and `SHA256SUMS` over all files, in the form that
 * `sha256sum --check` reads. The manifest vouches for the others, SHA256SUMS for the manifest.
 */

import { Value } from 'typebox/value';
import { HourglassError } from '../base/errors.ts';
import { type FileEntry, Manifest, manifestSchemaVersion, Operation } from './manifest.ts';

export const manifestFile = 'manifest.json';
export const checksumFile = 'SHA256SUMS';
export const ownFiles: readonly string[] = [manifestFile, checksumFile];

export const corrupt = (what: string, cause?: unknown): HourglassError =>
  new HourglassError(
    'model-corrupt',
    `${what} is damaged. Use another version, or train and publish it again.`,
    {},
    cause === undefined ? undefined : { cause },
  );

export const manifestBytes = (manifest: Manifest): Uint8Array => Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);

export const checksumBytes = (files: readonly FileEntry[]): Uint8Array =>
  Buffer.from(files.map((file) => `${file.sha256}  ${file.path}\n`).join(''));

/** Off this thread when there is much to read. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('hex');
}

/**
 * Reads and checks a stored manifest that must be the one of `name` and `version`.
 * Throws `model-corrupt`, and `unsupported-schema` for one that another release wrote.
 */
export async function parseManifest(
  name: string,
  version: number,
  bytes: Uint8Array<ArrayBuffer> | undefined,
  checksums: Uint8Array | undefined,
): Promise<Manifest> {
  const damaged = (cause?: unknown) => corrupt(`The manifest of ${name}@${version}`, cause);
  if (!bytes || !checksums) throw damaged();
  const line = `${await sha256(bytes)}  ${manifestFile}`;
  if (!Buffer.from(checksums).toString('latin1').split('\n').includes(line)) throw damaged();
  let manifest: unknown;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(cause);
  }
  const schema =
    typeof manifest === 'object' && manifest !== null && 'schema' in manifest ? manifest.schema : undefined;
  if (typeof schema === 'number' && schema !== manifestSchemaVersion) {
    throw new HourglassError(
      'unsupported-schema',
      `${name}@${version} has a manifest of schema ${schema}; this release reads ${manifestSchemaVersion}. Use the release that published it, or publish it again.`,
      { expected: manifestSchemaVersion, found: schema },
    );
  }
  leaveOutUnknownOperations(manifest);
  if (!Value.Check(Manifest, manifest) || manifest.name !== name || manifest.version !== version) throw damaged();
  return manifest;
}

/** The next release may have taught the version to answer more than this one knows of. */
function leaveOutUnknownOperations(manifest: unknown): void {
  if (typeof manifest !== 'object' || manifest === null || !('operations' in manifest)) return;
  const { operations } = manifest;
  if (!Array.isArray(operations)) return;
  manifest.operations = operations.filter(
    (operation) => typeof operation !== 'string' || Value.Check(Operation, operation),
  );
}
