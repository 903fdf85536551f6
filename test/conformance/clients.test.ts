// Triton's own Python client against a real gateway, where `npm run conformance:clients` has made an environment with it, or
// CLIENTS_PYTHON names one. The traps of the wire are in test/gateway/oip as well and hold without Python.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const python = process.env.CLIENTS_PYTHON ?? path.join(root, 'node_modules/.cache/hourglass-clients/bin/python');
const hasClient =
  existsSync(python) && spawnSync(python, ['-c', 'import tritonclient.http, tritonclient.grpc']).status === 0;
if (!hasClient) {
  console.warn('SKIPPED: no Python with tritonclient is here. `npm run conformance:clients` makes one and tries it.');
}

it.skipIf(!hasClient)('tritonclient reads every form of answer over REST and gRPC', { timeout: 120_000 }, () => {
  const options = ['--import', 'tsx', 'bench/clients.ts', '--only', 'triton', '--dry'];
  const env = { ...process.env, CLIENTS_PYTHON: python };
  const { status, stdout, stderr } = spawnSync(process.execPath, options, { cwd: root, env, encoding: 'utf8' });
  expect(stdout.split('\n').filter((line) => line.startsWith('FAIL'))).toEqual([]);
  expect({ status, passed: /^(\d+) of \1 checks passed$/m.test(stdout) }, stderr).toEqual({ status: 0, passed: true });
});
