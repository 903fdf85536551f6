// Set-up before the first start: node packages, redis-server, the build; with --tests also a browser. Plain Node without
// dependencies, because nothing is installed yet. Does nothing and says nothing when all of it is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from './build.mjs';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const forTests = process.argv.includes('--tests');
const say = (line) => console.log(`set-up: ${line}`);

class SetupError extends Error {}

function onPath(...programs) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const program of programs) {
      const file = path.join(folder, program);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** Runs quietly; what it printed is shown only when it failed. */
function run(command, args, { env = {}, cwd = root } = {}) {
  const result = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8' });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? `${result.error.message}\n` : ''}`;
  return { ok: result.status === 0, output };
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new SetupError(
      `Node ${process.versions.node} is too old. Node 20.9 or newer is needed; 22 and 24 are supported.`,
    );
  }
}

/** True when every package of the lock file is installed in its version; optional ones may be missing. */
function packagesAreInstalled() {
  const read = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8')).packages;
  if (!existsSync(path.join(root, 'node_modules/.package-lock.json'))) return false;
  const installed = read('node_modules/.package-lock.json');
  return Object.entries(read('package-lock.json')).every(([name, { version, optional, devOptional }]) => {
    const found = installed[name];
    return name === '' || (found ? found.version === version : Boolean(optional || devOptional));
  });
}

function installPackages() {
  if (packagesAreInstalled()) return;
  say('installing node packages …');
  // No package of ours needs its install script: native parts come as packages of their own.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev'];
  const npm = process.env.npm_execpath?.endsWith('.js')
    ? [process.execPath, [process.env.npm_execpath, 'ci', ...flags]]
    : ['npm', ['ci', ...flags]];
  const { ok, output } = run(...npm);
  if (!ok) throw new SetupError(`npm ci failed:\n${output}`);
}

const packageManagers = [
  {
    program: 'apt-get',
    packages: { redis: 'redis-server', chromium: 'chromium' },
    install: ['install', '-y', '--no-install-recommends'],
    refresh: ['update'],
  },
  { program: 'dnf', packages: { redis: 'redis', chromium: 'chromium' }, install: ['install', '-y'] },
  { program: 'apk', packages: { redis: 'redis', chromium: 'chromium' }, install: ['add', '--no-cache'] },
  { program: 'pacman', packages: { redis: 'redis', chromium: 'chromium' }, install: ['-S', '--noconfirm', '--needed'] },
  { program: 'zypper', packages: { redis: 'redis', chromium: 'chromium' }, install: ['--non-interactive', 'install'] },
  { program: 'brew', packages: { redis: 'redis' }, install: ['install'], asUser: true },
];

/** Installs with the system's package manager where that is allowed without asking; returns why not otherwise. */
function installFromSystem(what) {
  const manager = packageManagers.find(({ program, packages }) => packages[what] && onPath(program));
  if (!manager) return { line: undefined, reason: 'no known package manager is here' };
  const name = manager.packages[what];
  const isRoot = process.getuid?.() === 0;
  const sudo = manager.asUser || isRoot ? [] : ['sudo'];
  const line = [...sudo, manager.program, ...manager.install, name].join(' ');
  if (sudo.length > 0 && !(onPath('sudo') && run('sudo', ['-n', 'true']).ok)) {
    return { line, reason: 'this user may not install system packages' };
  }
  say(`installing ${name} with ${manager.program} …`);
  const prefix = sudo.length > 0 ? ['sudo', '-n', 'env'] : ['env'];
  const call = (args) =>
    run(prefix[0], [...prefix.slice(1), 'DEBIAN_FRONTEND=noninteractive', manager.program, ...args]);
  if (manager.refresh) call(manager.refresh);
  const { ok, output } = call([...manager.install, name]);
  return ok
    ? undefined
    : { line, reason: `${manager.program} failed:\n${output.trim().split('\n').slice(-5).join('\n')}` };
}

function provideRedis() {
  if (process.env.REDIS_URL && !forTests) return;
  if (onPath('redis-server', 'valkey-server')) return;
  const failure = installFromSystem('redis');
  if (!failure && onPath('redis-server', 'valkey-server')) return;
  throw new SetupError(
    [
      `redis-server is missing and was not installed: ${failure?.reason ?? 'it is not on the PATH after the installation'}.`,
      'Three ways on:',
      `  1. install it:      ${failure?.line ?? 'sudo apt-get install -y redis-server'}`,
      '  2. in a container:  docker run -d -p 127.0.0.1:6379:6379 redis:7 redis-server --appendonly yes',
      '                      REDIS_URL=redis://127.0.0.1:6379 npm start',
      '  3. use one you have: REDIS_URL=redis://user:password@host:6379 npm start',
      ...(forTests ? ['The tests start and stop servers of their own: they need the first way.'] : []),
    ].join('\n'),
  );
}

function provideBrowser() {
  if (onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')) return;
  const failure = installFromSystem('chromium');
  if (!failure) return;
  say(`no Chromium (${failure.reason.split('\n')[0]}): the tests that need a browser are skipped.`);
  if (failure.line) say(`to install it: ${failure.line}`);
}

function buildSources() {
  try {
    build(() => say('building …'));
  } catch (error) {
    throw new SetupError(error.message);
  }
}

/** One set-up at a time per checkout: several instances may be started at once. */
function withLock(work) {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const file = path.join(os.tmpdir(), `hourglass-setup-${process.getuid?.() ?? 0}-${name}`);
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(Number(readIfThere(file)))) rmSync(file, { force: true });
    else if (waited === 0) say('waiting for another set-up of this folder …');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    work();
  } finally {
    rmSync(file, { force: true });
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

try {
  checkNode();
  withLock(() => {
    provideRedis(); // first: it may fail, and quickly
    installPackages();
    buildSources();
    if (forTests) provideBrowser();
  });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 1;
}
