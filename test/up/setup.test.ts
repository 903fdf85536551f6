// The set-up script where it cannot finish by itself: what it says, and that the lock file suits every platform.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const script = path.join(root, 'scripts/setup.mjs');
let bare: string;
let withApt: string;

/** Folders for PATH in which neither redis-server nor sudo is. */
beforeAll(() => {
  bare = mkdtempSync(path.join(os.tmpdir(), 'hourglass-path-'));
  withApt = mkdtempSync(path.join(os.tmpdir(), 'hourglass-path-'));
  symlinkSync('/bin/true', path.join(withApt, 'apt-get'));
  chmodSync(withApt, 0o755);
});
afterAll(() => {
  for (const folder of [bare, withApt]) rmSync(folder, { recursive: true, force: true });
});

const setup = (PATH: string, args: string[] = [], as?: number) =>
  spawnSync(process.execPath, [script, ...args], {
    cwd: os.tmpdir(),
    env: { PATH },
    encoding: 'utf8',
    ...(as !== undefined && { uid: as, gid: as }),
  });

it('names the three ways on when redis-server is missing and cannot be installed', () => {
  const { status, stderr } = setup(bare);
  expect(status).toBe(1);
  expect(stderr).toContain('redis-server is missing');
  expect(stderr).toMatch(/1\. install it: +sudo apt-get install/);
  expect(stderr).toMatch(/2\. in a container: +docker run/);
  expect(stderr).toMatch(/3\. use one you have: REDIS_URL=redis:\/\//);
  expect(setup(bare, ['--tests']).stderr).toContain('need the first way');
});

it.skipIf(process.getuid?.() !== 0)(
  'gives a user without rights the line for the package manager that is there',
  () => {
    const { status, stderr } = setup(withApt, [], 65_534);
    expect(status).toBe(1);
    expect(stderr).toContain('this user may not install system packages');
    expect(stderr).toContain('sudo apt-get install -y --no-install-recommends redis-server');
  },
);

it('has a lock file that names the packages of every platform', () => {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !resolves(packages, from, name)),
  );
  expect(missing).toEqual([]);
});

/** As Node looks for a package: below the folder itself, then below each one above. */
function resolves(packages: Record<string, unknown>, from: string, name: string): boolean {
  const parents = from.split('/node_modules/').map((_, i, parts) => parts.slice(0, i + 1).join('/node_modules/'));
  return ['', ...parents].some((folder) => `${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages);
}
