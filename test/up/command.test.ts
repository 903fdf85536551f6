// The command line: help, version, and refusals that a person can act on, without a stack.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../helpers/redis.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
let folder: string;
let redis: TestRedis;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-command-'));
  redis = await startRedis('--maxmemory-policy', 'allkeys-lru');
});
afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (args: string[], env: Record<string, string> = {}) => {
  const all = { PATH: process.env.PATH, HOURGLASS_DATA_DIR: folder, ...env };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    env: all,
    encoding: 'utf8',
    timeout: 50_000,
  });
  return { status, stdout, stderr };
};

it('prints help with every setting, and its version', () => {
  const help = run(['--help']);
  expect(help.status).toBe(0);
  expect(help.stdout).toMatch(/hourglass up .*\n.*hourglass gateway .*\n.*hourglass worker/);
  expect(help.stdout).toContain('HOURGLASS_DATA_DIR');
  expect(help.stdout).toContain('REDIS_URL');
  expect(run(['up', '--help'])).toEqual(help);
  expect(run(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it.each([
  ['a command that is none', ['serve'], {}, /There is no command "serve"/],
  ['a command from the prototype', ['constructor'], {}, /There is no command "constructor"/],
  [
    'a setting that is none',
    ['worker'],
    { HOURGLASS_DATADIR: 'x' },
    /HOURGLASS_DATADIR is not a setting.*HOURGLASS_DATA_DIR/,
  ],
  ['a bad value', ['up'], { HOURGLASS_HTTP_PORT: '99999' }, /HOURGLASS_HTTP_PORT.*0 to 65535/],
  ['a worker without Redis', ['worker'], {}, /REDIS_URL is not set/],
  ['a gateway without Redis', ['gateway'], {}, /REDIS_URL is not set/],
])('refuses %s', (_, args, env, message) => {
  const { status, stderr } = run(args, env);
  expect(status).toBe(78);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\s+at |node:internal/);
});

it.each(['up', 'gateway', 'worker'])(
  'refuses, as %s, a Redis that may drop jobs, and does not show its password',
  (role) => {
    const { status, stderr, stdout } = run([role], { REDIS_URL: redis.url, HOURGLASS_HTTP_PORT: '0' });
    expect(status).toBe(78);
    expect(stderr).toMatch(/maxmemory-policy allkeys-lru.*noeviction/);
    expect(stderr + stdout).not.toContain(redis.password);
  },
);

it('refuses a data folder that is a file, and a port that is taken', async () => {
  const file = path.join(folder, 'file');
  writeFileSync(file, '');
  const blocked = run(['up'], { HOURGLASS_DATA_DIR: path.join(file, 'data') });
  expect(blocked.status).toBe(78);
  expect(blocked.stderr).toContain('Choose another folder for the data: HOURGLASS_DATA_DIR.');

  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const calm = await startRedis();
  const ports = { HOURGLASS_HTTP_PORT: String(port), HOURGLASS_GRPC_PORT: '0', HOURGLASS_METRICS_PORT: '0' };
  const refused = run(['gateway'], { REDIS_URL: calm.url, ...ports });
  expect(refused.status).toBe(78);
  expect(refused.stderr).toMatch(new RegExp(`EADDRINUSE.*${port}[^]*Choose other ports: HOURGLASS_HTTP_PORT`));
  await calm.stop();
  taken.close();
}, 60_000);
