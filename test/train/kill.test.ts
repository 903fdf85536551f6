// A trainer that is killed again and again ends with the very weights of one that was left alone.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'killed-'));
});
afterEach(() => rm(folder, { recursive: true }));

const trainer = path.join(import.meta.dirname, 'trainer.mjs');
const start = (checkpoints: string, weights: string): ChildProcess =>
  spawn(process.execPath, [trainer, path.join(folder, checkpoints), path.join(folder, weights)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** Kills the child after so many lines of progress; false when it was done before. */
async function killedAfter(child: ChildProcess, lines: number): Promise<boolean> {
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    if (/^\d+ \d+$/.test(line) && ++seen === lines) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.signalCode === 'SIGKILL') return true;
  expect(child.exitCode).toBe(0);
  return false;
}

it('ends with the same bits after SIGKILLs', async () => {
  expect(await killedAfter(start('whole', 'whole.safetensors'), Number.POSITIVE_INFINITY)).toBe(false);
  let kills = 0;
  while (await killedAfter(start('cut', 'cut.safetensors'), 3 + kills)) kills++;
  expect(kills).toBeGreaterThanOrEqual(2);
  const [whole, cut] = [
    await readFile(path.join(folder, 'whole.safetensors')),
    await readFile(path.join(folder, 'cut.safetensors')),
  ];
  expect(cut.equals(whole)).toBe(true);
});
