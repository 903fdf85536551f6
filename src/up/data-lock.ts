/**
 * One `hourglass up` per data folder: a lock file that names its owner. The file of an owner that died is taken over.
 * On this machine that is seen from its process; for another machine that shares the folder, from the file's age.
 */

import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

interface Owner {
  readonly host: string;
  readonly pid: number;
  /** tells a process from a later one with the same number; empty where the system does not tell */
  readonly startedAt: string;
}

/** For the terminal. */
export class DataLockError extends Error {
  override readonly name = 'DataLockError';
}

const refreshMs = 2000;
const abandonedMs = 15_000;

/** Takes the lock of a folder that exists; returns how to release it. Throws DataLockError when another one runs there. */
export function lockDataFolder(folder: string): () => void {
  const file = path.join(folder, 'hourglass.lock');
  const self: Owner = { host: os.hostname(), pid: process.pid, startedAt: startOf(process.pid) };
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify(self));
  try {
    for (;;) {
      try {
        linkSync(own, file); // atomic: one of many succeeds
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const text = readIfThere(file);
      if (text === undefined) continue;
      const owner = parseOwner(text);
      if (owner && isRunning(owner, file)) throw refusal(folder, owner);
      setAside(file, own, text);
    }
  } finally {
    rmSync(own, { force: true });
  }
  const refresh = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date());
    } catch {
      // the folder is gone; there is nothing left to protect
    }
  }, refreshMs);
  refresh.unref();
  return () => {
    clearInterval(refresh);
    rmSync(file, { force: true });
  };
}

/** Two that find the same dead owner must not remove each other's new lock: what is moved away has to be the old one. */
function setAside(file: string, own: string, dead: string): void {
  const aside = `${own}.old`;
  try {
    renameSync(file, aside);
  } catch {
    return; // another one was faster
  }
  try {
    if (readFileSync(aside, 'utf8') !== dead) linkSync(aside, file);
  } catch {
    // a third one has the lock meanwhile
  } finally {
    rmSync(aside, { force: true });
  }
}

function isRunning(owner: Owner, file: string): boolean {
  if (owner.host !== os.hostname()) {
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    return age < abandonedMs;
  }
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return owner.startedAt === '' || startOf(owner.pid) === owner.startedAt;
}

const refusal = (folder: string, owner: Owner): DataLockError =>
  new DataLockError(
    `Another hourglass is using ${folder} (process ${owner.pid} on ${owner.host}). Stop it, or give this one a folder of its own: HOURGLASS_DATA_DIR=…`,
  );

function parseOwner(text: string): Owner | undefined {
  try {
    const { host, pid, startedAt } = JSON.parse(text) as Partial<Owner>;
    return typeof host === 'string' && typeof pid === 'number' && typeof startedAt === 'string'
      ? { host, pid, startedAt }
      : undefined;
  } catch {
    return undefined; // half-written by a machine that lost power
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Clock ticks between boot and the start of a process (field 22 of its stat). */
function startOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
