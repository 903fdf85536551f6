// The lock of a data folder between real processes: one owner, a clear refusal, and a dead owner's lock is taken over.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataLockError, lockDataFolder } from '../../src/up/data-lock.ts';

let folder: string;
let children: ChildProcess[];
const module = new URL('../../dist/up/data-lock.js', import.meta.url).href;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-lock-'));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => end(child)));
  rmSync(folder, { recursive: true, force: true });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** A process that takes the lock and keeps it; its first line says `mine` or the refusal. */
function contender(): { child: ChildProcess; said: Promise<string> } {
  const code = `import { lockDataFolder } from '${module}';
    try { lockDataFolder(${JSON.stringify(folder)}); console.log('mine'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.name + ': ' + error.message); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const said = new Promise<string>((resolve) => createInterface({ input: child.stdout! }).once('line', resolve));
  return { child, said };
}

it('refuses a second owner with the reason, and is free again after release', async () => {
  const release = lockDataFolder(folder);
  expect(await contender().said).toMatch(
    new RegExp(`^DataLockError: Another hourglass is using ${folder} \\(process ${process.pid} .*HOURGLASS_DATA_DIR`),
  );
  release();
  expect(existsSync(path.join(folder, 'hourglass.lock'))).toBe(false);
  expect(await contender().said).toBe('mine');
});

it('gives the lock of a killed owner to exactly one of many', async () => {
  const first = contender();
  expect(await first.said).toBe('mine');
  await end(first.child);
  const answers = await Promise.all(Array.from({ length: 6 }, () => contender().said));
  expect(answers.filter((answer) => answer === 'mine')).toHaveLength(1);
});

it('does not take a later process of the same number for the owner', () => {
  const file = path.join(folder, 'hourglass.lock');
  writeFileSync(file, JSON.stringify({ host: os.hostname(), pid: process.pid, startedAt: '1' }));
  lockDataFolder(folder)();
});

it('believes the owner on another machine as long as its file is fresh', () => {
  const file = path.join(folder, 'hourglass.lock');
  writeFileSync(file, JSON.stringify({ host: 'elsewhere', pid: 1, startedAt: '1' }));
  expect(() => lockDataFolder(folder)).toThrow(DataLockError);
  const old = new Date(Date.now() - 60_000);
  utimesSync(file, old, old);
  const release = lockDataFolder(folder);
  expect(readFileSync(file, 'utf8')).toContain(os.hostname());
  release();
});
