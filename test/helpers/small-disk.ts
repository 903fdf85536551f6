// A disk of a few hundred kilobytes, for tests of what happens when it is full. Needs root on Linux.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Mounts an empty file system of so many kilobytes on a folder, which is made. */
export function mountSmallDisk(folder: string, kilobytes: number): { unmount(): void } {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder], { stdio: 'ignore' });
  return { unmount: () => execFileSync('umount', ['-l', folder], { stdio: 'ignore' }) };
}

export function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-mount-'));
  try {
    mountSmallDisk(folder, 64).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes to a file until nothing more fits. */
export function fillUp(file: string): void {
  for (let size = 2 ** 16; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size, 1), { flag: 'a' });
    } catch {
      // a smaller piece may still fit
    }
  }
}
