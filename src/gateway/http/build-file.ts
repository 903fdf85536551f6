/** Files of the build that are served as they are: pages, and the contract. Read once, as those of a running release do not change. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { HourglassError } from '../../base/errors.ts';
import { entry } from '../../platform/entry.ts';

export interface BuildFile {
  readonly bytes: Buffer;
  readonly etag: string;
}

const known = new Map<string, Promise<BuildFile>>();

/** `name` is relative to the build's folder. Throws `route-not-found` where the build has no such file. */
export function buildFile(name: string): Promise<BuildFile> {
  const reading = known.get(name) ?? read(name);
  known.set(name, reading);
  reading.catch(() => known.delete(name));
  return reading;
}

async function read(name: string): Promise<BuildFile> {
  // entry() finds the build; these files are in it under their own names
  const bytes = await readFile(new URL(`../../${name}`, entry(import.meta.url, './build-file.ts'))).catch(() => {
    throw new HourglassError('route-not-found', 'This page is not part of this build. Run: npm run build');
  });
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}
