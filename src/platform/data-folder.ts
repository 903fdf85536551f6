/** The folder for everything that is kept on this machine: for its user alone. */

import { chmodSync, mkdirSync, statSync } from 'node:fs';
import type { Config } from './config.ts';

/** Folders of earlier releases were readable for everybody; one of another user, or one that all share as /tmp, stays as it is. */
export function openDataFolder({ dataDir }: Pick<Config, 'dataDir'>): void {
  mkdirSync(dataDir, { recursive: true });
  const sticky = 0o1000;
  if (statSync(dataDir).mode & sticky) return;
  try {
    chmodSync(dataDir, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}
