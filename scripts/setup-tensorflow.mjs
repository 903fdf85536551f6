// Installs @tensorflow/tfjs-node for HOURGLASS_ENGINE=tensorflow, beside the project's own packages: `npm ci` neither
// needs nor removes it. Its own install step is used where the bucket that this downloads from can be reached; elsewhere
// the addon is compiled from the sources in the npm package against the libtensorflow of the PyPI wheel.
//
//   npm run setup:tensorflow [-- --cuda] [--from release|wheel] [--tensorflow 2.16.2] [--force]
import { execFileSync } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import yauzl from 'yauzl';

const { values: options } = parseArgs({
  options: {
    cuda: { type: 'boolean', default: false },
    from: { type: 'string', default: 'auto' },
    tensorflow: { type: 'string', default: '2.16.2' },
    force: { type: 'boolean', default: false },
  },
});

const root = fileURLToPath(new URL('..', import.meta.url));
const target = path.join(root, '.tensorflow');
const building = path.join(root, '.tensorflow.new');
const packageName = options.cuda ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
const packageVersion = '4.22.0';
/** where tfjs-node's own install step finds libtensorflow */
const releaseUrl =
  'https://storage.googleapis.com/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz';

class SetupError extends Error {}
const say = (text) => console.log(`setup:tensorflow  ${text}`);

function run(command, args, { cwd = building, quiet = true, env = {} } = {}) {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', quiet ? 'pipe' : 'inherit'],
      maxBuffer: 2 ** 26,
    });
  } catch (error) {
    const said = `${error.stderr ?? ''}${error.stdout ?? ''}`.trim().split('\n').slice(-15).join('\n');
    throw new SetupError(`${command} ${args.slice(0, 3).join(' ')} … failed:\n${said || error.message}`);
  }
}

function works(command, args = ['--version']) {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The addon loads, computes, and shares tfjs-core with the engine. Prints the version of libtensorflow. */
function check(folder) {
  const program = `
    const util = require('node:util');
    util.isNullOrUndefined ??= (value) => value == null; // gone since Node 23, still called by tfjs-node
    const tf = require('${packageName}');
    const core = require(require.resolve('@tensorflow/tfjs-core', { paths: [${JSON.stringify(root)}] }));
    if (core.findBackend('tensorflow') == null) throw new Error('tfjs-node uses another copy of @tensorflow/tfjs-core');
    const [value] = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync();
    if (tf.getBackend() !== 'tensorflow' || value !== 3) throw new Error('matMul gave ' + value);
    const { binding } = tf.backend();
    console.log(binding.TF_Version + (binding.isUsingGpuDevice() ? ' on a GPU' : ' on the CPU'));`;
  return run(process.execPath, ['-e', program], { cwd: folder, env: { TF_CPP_MIN_LOG_LEVEL: '2' } }).trim();
}

async function installPackage() {
  await rm(building, { recursive: true, force: true });
  await mkdir(building);
  const manifest = { private: true, dependencies: { [packageName]: packageVersion, 'node-api-headers': '^1.5.0' } };
  await writeFile(path.join(building, 'package.json'), JSON.stringify(manifest));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']);
  // one tfjs-core for the engine and the addon: Node finds the project's copy one folder up
  for (const shared of ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu']) {
    await rm(path.join(building, 'node_modules', shared), { recursive: true, force: true });
  }
}

async function releaseReachable() {
  try {
    return (await fetch(releaseUrl, { method: 'HEAD', signal: AbortSignal.timeout(10_000) })).ok;
  } catch {
    return false;
  }
}

function installRelease(packageFolder) {
  say(`running the install step of ${packageName}`);
  const bin = path.join(building, 'node_modules', '.bin');
  run(process.execPath, ['scripts/install.js', options.cuda ? 'gpu' : 'cpu', 'download'], {
    cwd: packageFolder,
    env: { PATH: `${bin}${path.delimiter}${process.env.PATH}` },
  });
}

// The wheel way

const pip = () => {
  const candidates = [['python3', '-m', 'pip'], ['pip3'], ['pip']];
  const first = candidates.find(([command, ...args]) => works(command, [...args, '--version']));
  if (!first)
    throw new SetupError('pip is needed to fetch the TensorFlow wheel. Install Python 3 with pip and try again.');
  return first;
};

const compiler = () => {
  const first = [process.env.CXX, 'g++', 'c++', 'clang++'].find((name) => name && works(name));
  if (!first)
    throw new SetupError('A C++17 compiler is needed to build the addon. Install g++ (or set CXX) and try again.');
  return first;
};

function download(folder, requirement) {
  say(`fetching ${requirement}`);
  const [command, ...args] = pip();
  const platforms = [
    'manylinux_2_27_x86_64',
    'manylinux_2_17_x86_64',
    'manylinux2014_x86_64',
    'manylinux1_x86_64',
    'any',
  ];
  run(command, [
    ...[...args, 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--python-version', '3.11'],
    ...['--implementation', 'cp', ...platforms.flatMap((name) => ['--platform', name]), '--dest', folder, requirement],
  ]);
}

/** Unpacks the entries that `place` gives a file name for. */
async function unzip(file, place) {
  const zip = await promisify(yauzl.open)(file, { lazyEntries: true, autoClose: true });
  const open = promisify(zip.openReadStream.bind(zip));
  await new Promise((resolve, reject) => {
    zip.on('error', reject).on('end', resolve);
    zip.on('entry', async (entry) => {
      try {
        const to = entry.fileName.endsWith('/') ? undefined : place(entry.fileName);
        if (to) {
          await mkdir(path.dirname(to), { recursive: true });
          await pipeline(await open(entry), createWriteStream(to));
        }
        zip.readEntry();
      } catch (error) {
        reject(error);
      }
    });
    zip.readEntry();
  });
}

/** Which C header folders exist depends on the release of TensorFlow. */
const header =
  /^tensorflow\/include\/((tensorflow\/|xla\/)?(tensorflow|tsl)\/(c\/|core\/platform\/ctstring|platform\/ctstring).*)$/;
const library = /^tensorflow\/(libtensorflow_(?:cc|framework)\.so\.2)$/;
const cudaLibrary = /^(nvidia\/.*\.so[.\d]*)$/;
const metadata = /^tensorflow.*\.dist-info\/METADATA$/;

async function installWheel(packageFolder) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `The addon can be built from a wheel on linux-x64 only, this is ${process.platform}-${process.arch}. ` +
        'Here only the install step of tfjs-node itself can be used: make storage.googleapis.com reachable.',
    );
  }
  pip();
  const cxx = compiler();
  const wheels = await mkdtemp(path.join(os.tmpdir(), 'hourglass-tensorflow-'));
  try {
    const deps = path.join(packageFolder, 'deps');
    download(wheels, `${options.cuda ? 'tensorflow' : 'tensorflow-cpu'}==${options.tensorflow}`);
    const [wheel] = await readdir(wheels);
    const requirements = path.join(wheels, 'METADATA');
    await unzip(path.join(wheels, wheel), (name) => {
      if (header.test(name)) return path.join(deps, 'include', header.exec(name)[1]);
      if (library.test(name)) return path.join(deps, 'lib', library.exec(name)[1]);
      return metadata.test(name) ? requirements : undefined;
    });
    if (options.cuda) await addCuda(wheels, deps, await readFile(requirements, 'utf8'));
    await compile(cxx, packageFolder, deps);
  } finally {
    await rm(wheels, { recursive: true, force: true });
  }
}

/** The CUDA libraries of the wheel's own `and-cuda` extra, where its run path looks for them: deps/nvidia. */
async function addCuda(wheels, deps, requirements) {
  const pinned = [
    ...requirements.matchAll(/^Requires-Dist: (nvidia-[\w-]+) ?\(?(==[\d.]+)\)?.*extra == ['"]and-cuda['"]/gm),
  ];
  if (pinned.length === 0) throw new SetupError(`tensorflow ${options.tensorflow} names no CUDA libraries.`);
  for (const [, name, version] of pinned) {
    const folder = path.join(wheels, name);
    await mkdir(folder);
    download(folder, `${name}${version}`);
    const [wheel] = await readdir(folder);
    await unzip(path.join(folder, wheel), (entry) => (cudaLibrary.test(entry) ? path.join(deps, entry) : undefined));
    await rm(folder, { recursive: true });
  }
}

async function compile(cxx, packageFolder, deps) {
  say('compiling the addon');
  const lib = path.join(deps, 'lib');
  for (const name of await readdir(lib)) await chmod(path.join(lib, name), 0o755);
  await symlink('libtensorflow_cc.so.2', path.join(lib, 'libtensorflow.so'));
  await symlink('libtensorflow_framework.so.2', path.join(lib, 'libtensorflow_framework.so'));
  const sources = (await readdir(path.join(packageFolder, 'binding'))).filter((name) => name.endsWith('.cc'));
  const out = path.join(packageFolder, 'lib', 'napi-v8');
  await mkdir(out, { recursive: true });
  run(
    cxx,
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'],
      ...['-DNODE_GYP_MODULE_NAME=tfjs_binding', `-I${path.join(building, 'node_modules/node-api-headers/include')}`],
      ...[`-I${path.join(deps, 'include')}`, ...sources.map((name) => path.join('binding', name))],
      ...['-o', path.join(out, 'tfjs_binding.node'), `-L${lib}`, '-ltensorflow', '-ltensorflow_framework'],
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
    ],
    { cwd: packageFolder },
  );
}

async function installLibrary(packageFolder) {
  if (options.from === 'wheel' || (options.from === 'auto' && !(await releaseReachable()))) {
    return installWheel(packageFolder);
  }
  try {
    installRelease(packageFolder);
    check(building);
  } catch (error) {
    if (options.from === 'release' || !(error instanceof SetupError)) throw error;
    say(`the install step of ${packageName} did not work here: ${error.message.split('\n').pop()}`);
    await rm(path.join(packageFolder, 'deps'), { recursive: true, force: true });
    await installWheel(packageFolder);
  }
}

async function main() {
  if (!['auto', 'release', 'wheel'].includes(options.from)) {
    throw new SetupError(`--from is auto, release or wheel, not ${options.from}.`);
  }
  if (existsSync(target) && !options.force) {
    try {
      say(`already there: libtensorflow ${check(target)}. Use --force to install it again.`);
      return;
    } catch (error) {
      say(`what is there does not work and is replaced (${error.message.split('\n').pop()})`);
    }
  }
  say(`fetching ${packageName} ${packageVersion}`);
  await installPackage();
  const packageFolder = path.join(building, 'node_modules', packageName);
  await installLibrary(packageFolder);
  const version = check(building);
  await rm(target, { recursive: true, force: true });
  await rename(building, target);
  say(`ready: ${packageName} ${packageVersion}, libtensorflow ${version}. Use it with HOURGLASS_ENGINE=tensorflow.`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup:tensorflow  ${error.message}`);
  process.exitCode = 1;
} finally {
  await rm(building, { recursive: true, force: true });
}
