/** Writing so that a crash leaves the old state or the new one: into a folder of its own, synced, then renamed. */

import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HourglassError } from '../../base/errors.ts';

/** Names that begin like this are unfinished work; data set names cannot. */
const unfinished = '.unfinished-';
const staleAfterMs = 24 * 3600 * 1000;
/** Looking at every unfinished folder costs more, the more uploads are in progress: not at each of them. */
const sweepEveryMs = 3600 * 1000;
/** when each folder was last looked through */
const sweptAt = new Map<string, number>();

const codeOf = (thrown: unknown): unknown => (thrown instanceof Error && 'code' in thrown ? thrown.code : undefined);

export const isMissing = (thrown: unknown): boolean => codeOf(thrown) === 'ENOENT';

export const isFull = (thrown: unknown): boolean => codeOf(thrown) === 'ENOSPC' || codeOf(thrown) === 'EDQUOT';

/** A full disk becomes `storage-full`; anything else stays what it is. */
export function diskError(thrown: unknown): unknown {
  if (!isFull(thrown)) return thrown;
  return new HourglassError(
    'storage-full',
    'The disk of the server is full. Add space to it, or delete data sets or models that it holds.',
  );
}

/** Makes an empty folder beside the finished ones. Now and then also removes what crashed processes left a day ago or earlier. */
export async function makeUnfinished(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  if (Date.now() - (sweptAt.get(parent) ?? 0) > sweepEveryMs) {
    sweptAt.set(parent, Date.now());
    await removeStale(parent);
  }
  const folder = path.join(parent, `${unfinished}${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(folder);
  return folder;
}

export const isUnfinished = (name: string): boolean => name.startsWith(unfinished);

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!isUnfinished(name)) continue;
    const folder = path.join(parent, name);
    const age = Date.now() - (await stat(folder).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > staleAfterMs) await rm(folder, { recursive: true, force: true });
  }
}

/** Renames a synced folder to its final name. False when something has that name already. */
export async function publish(folder: string, target: string): Promise<boolean> {
  await syncFolder(folder);
  try {
    await rename(folder, target);
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return false;
    throw thrown;
  }
  await syncFolder(path.dirname(target));
  return true;
}

/** Takes a folder out of sight at once, then deletes it. False when it is not there. */
export async function unpublish(target: string): Promise<boolean> {
  const grave = path.join(path.dirname(target), `${unfinished}${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    await rename(target, grave);
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
  await syncFolder(path.dirname(target));
  await rm(grave, { recursive: true, force: true });
  return true;
}

export async function writeSynced(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(file, content, { flush: true });
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
