/**
 * What `run.sh` of the GPU pack runs: the engine's conformance on WebGPU, milliseconds of a step of the three nets beside the CPU,
 * one convolutional recipe trained and served. Writes gpu.md into the current folder. Everything together ends within 8 minutes:
 * what a slow device leaves no time for is cut down or left out, and said so.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { float32 } from '../../src/base/ndarray.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createOnnxEngine } from '../../src/engine/onnx/engine.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import { requireDevice } from '../../src/runtime/session.ts';
import { openStores } from '../../src/store/open.ts';
import { runTraining } from '../../src/worker/training.ts';
import '../../test/conformance/engine.test.ts';
import { processor, system } from '../processor.ts';
import { batch, batches, images, initialParameters, type NetName, net, optimizerFeed, pixels } from '../train/nets.ts';
import { runSuites } from './collect.ts';

const app = path.resolve(import.meta.dirname, '..');
const began = performance.now();
const limitSeconds = 8 * 60;
const elapsed = (): number => (performance.now() - began) / 1000;
/** seconds from the start until which a part may begin something new */
const until = { conformance: 150, steps: 210, training: 420 };
const threads = Math.min(8, os.availableParallelism());
const lines: string[] = [];
const say = (line = ''): void => {
  lines.push(line);
  console.log(line);
};

interface Release {
  readonly version: string;
  readonly commit: string;
}
const release = JSON.parse(readFileSync(path.join(app, 'pack.json'), 'utf8')) as Release;

/** What the system tells of its GPUs. */
function devices(): string[] {
  const { stdout = '' } = spawnSync(
    'nvidia-smi',
    ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'],
    {
      encoding: 'utf8',
    },
  );
  const cards = existsSync('/sys/class/drm')
    ? readdirSync('/sys/class/drm').filter((name) => /^card\d+$/.test(name))
    : [];
  const ids = cards.map((card) => {
    const read = (file: string): string => {
      try {
        return readFileSync(`/sys/class/drm/${card}/device/${file}`, 'utf8').trim();
      } catch {
        return '?';
      }
    };
    return `PCI ${read('vendor')}:${read('device')}`;
  });
  return [...(stdout ?? '').split('\n').filter((line) => line !== ''), ...ids];
}

function tellMachine(): void {
  say('# On a GPU');
  say();
  say(
    `Written by \`run.sh\` of the pack of Hourglass ${release.version} (${release.commit}), ${new Date().toISOString().slice(0, 10)}.`,
  );
  say();
  const { name } = processor();
  say(`- ${name}, ${system()}`);
  const found = devices();
  say(`- GPUs that the system names: ${found.length > 0 ? found.join('; ') : 'none'}`);
  for (const line of (process.env.GPU_PACK_FOUND ?? '').split('\n').filter((text) => text !== '')) say(`- ${line}`);
  say();
}

async function conformance(): Promise<boolean> {
  const start = elapsed();
  const { passed, skipped, failed } = await runSuites(
    (name) => name === 'onnx on webgpu',
    () => elapsed() < until.conformance,
  );
  say('## Conformance of the engine on WebGPU');
  say();
  say(
    `${passed} cases agree with tfjs, ${failed.length} do not, ${skipped} were left out; ${(elapsed() - start).toFixed(0)} s.`,
  );
  for (const { name, reason } of failed) say(`- ${name}: ${reason}`);
  say();
  return failed.length === 0 && passed > 100;
}

/** Milliseconds of a step, over calls of 16 steps; the median of what fits into some seconds. */
async function step(engine: Engine, name: NetName, x: Float32Array): Promise<number> {
  const { program, ...rest } = net(name);
  const executable = await engine.compile(program);
  try {
    await executable.setState({ ...(await executable.getState()), ...initialParameters({ program, ...rest }) });
    const size = batch * pixels;
    let done = 0;
    const run = async (count: number): Promise<number> => {
      const start = performance.now();
      const from = done % (batches - count + 1);
      await executable.run({
        x: float32([count, batch, pixels], x.slice(from * size, (from + count) * size)),
        optimizer: optimizerFeed(done, count),
      });
      done += count;
      return (performance.now() - start) / count;
    };
    // The first one compiles shaders. A device that is as slow as this gets no second one.
    const first = await run(1);
    if (first > 5000) return first;
    const count = (await run(1)) > 250 ? 1 : batches;
    const times: number[] = [];
    const stop = performance.now() + 5000;
    while (performance.now() < stop) times.push(await run(count));
    return times.toSorted((a, b) => a - b)[times.length >> 1] as number;
  } finally {
    await executable.dispose();
  }
}

/** The convolutional one, which decides how much the recipe may do, comes first. */
const nets = ['conv', 'mlp', 'deep'] as const satisfies readonly NetName[];

async function steps(): Promise<number | undefined> {
  say('## Milliseconds of a training step');
  say();
  say(`A minibatch of ${batch}; medians. CPU: ${threads} threads of ONNX Runtime with the update beside it.`);
  say();
  say('| net | WebGPU | CPU | CPU / WebGPU |');
  say('| --- | ---: | ---: | ---: |');
  const x = images();
  let convolutional: number | undefined;
  const [gpu, cpu] = [createOnnxEngine({ device: 'webgpu' }), createOnnxEngine({ threads })];
  for (const name of nets) {
    if (elapsed() > until.steps) {
      say(`| ${name} | no time left | | |`);
      continue;
    }
    const [onGpu, onCpu] = [await step(gpu, name, x), await step(cpu, name, x)];
    if (name === 'conv') convolutional = onGpu;
    say(`| ${name} | ${onGpu.toFixed(2)} | ${onCpu.toFixed(2)} | ${(onCpu / onGpu).toPrecision(2)} |`);
  }
  await gpu.dispose();
  await cpu.dispose();
  say();
  return convolutional;
}

/** The first rows of an idx file, whose head says how many there are. */
function part(role: 'rows' | 'labels' | 'test-rows' | 'test-labels', file: string, rows: number) {
  const [head, size] = role.endsWith('labels') ? [8, 1] : [16, pixels];
  const bytes = Buffer.from(readFileSync(path.join(app, 'data', file)));
  const kept = Math.min(rows, bytes.readUInt32BE(4));
  bytes.writeUInt32BE(kept, 4);
  const content = (async function* () {
    yield bytes.subarray(0, head + kept * size);
  })();
  return { role, fileName: file, content };
}

/** What the recipe is cut down to where a single step of it takes many seconds: Vulkan in software. */
const tiny = { rows: 96, testRows: 16, batchSize: 16, epochs: 1 };

/** The recipe as it stands, on as many rows as there is time for. */
async function train(dataDir: string, msPerStep: number) {
  const { datasets: files } = await openStores({ dataDir });
  const datasets = createDatasetStore({ files });
  const recipe = JSON.parse(readFileSync(path.join(app, 'recipes/convolutional.json'), 'utf8')).jobs.main;
  const given = recipe.training as { epochs: number; batchSize: number };
  // The recipe's net costs some three times the step that was measured; evaluation and publication want their share.
  const stepsThatFit = ((until.training - elapsed()) * 0.4 * 1000) / (3 * msPerStep * given.epochs);
  const isTiny = stepsThatFit < 10;
  const wanted = isTiny ? tiny : { rows: Number.POSITIVE_INFINITY, testRows: Number.POSITIVE_INFINITY, ...given };
  const { rows, testRows, epochs, batchSize } = wanted;
  const info = await datasets.create('digits', {
    parts: [
      part('rows', 'train-images-idx3-ubyte', rows),
      part('labels', 'train-labels-idx1-ubyte', rows),
      part('test-rows', 't10k-images-idx3-ubyte', testRows),
      part('test-labels', 't10k-labels-idx1-ubyte', testRows),
    ],
  });
  const all = Math.floor(info.rows.train * 0.95);
  const maxSamples = isTiny ? all : Math.min(all, Math.floor(stepsThatFit) * batchSize);
  const training = { ...recipe.training, epochs, batchSize, ...(maxSamples < all && { maxSamples }) };
  const { spec } = resolveJobSpec({ ...recipe, dataset: 'digits', training }, { dataset: info });
  const start = performance.now();
  let samplesPerSecond = 0;
  const done = await runTraining({
    assignment: {
      ...{
        id: 'gpu-pack',
        attempt: 1,
        run: 1,
        spec,
        stores: { dataDir },
        isTrial: false,
        checkpointSeconds: 600,
        mostModelBytes: null,
      },
      ...{ checkpoints: { job: 'gpu-pack', run: 1 }, release: release.version },
      engine: { engine: 'onnx', device: 'webgpu', threads },
    },
    signal: new AbortController().signal,
    tell: (message) => {
      if (message.type === 'progress') samplesPerSecond = message.progress.samplesPerSecond ?? samplesPerSecond;
    },
  });
  if (done.type !== 'done') throw new Error('nothing was published');
  const { metrics } = done.published;
  say('## A recipe, trained and served');
  say();
  say(
    `recipes/convolutional.json on ${maxSamples} digits, ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}, on WebGPU${isTiny ? ' (cut down, as a step takes so long)' : ''}: ${((performance.now() - start) / 1000).toFixed(0)} s with evaluation and report, ${samplesPerSecond.toFixed(0)} samples/s.`,
  );
  const shown = ['test.bce', 'test.sse', 'test.pca.sse'].filter((name) => metrics[name] !== undefined);
  say(`Figures: ${shown.map((name) => `${name} ${metrics[name]?.toFixed(4)}`).join(', ')}.`);
  return spec.name;
}

/** A gateway, which needs no queue to predict, answers a test digit's code and decodes it again. */
async function serve(dataDir: string, name: string): Promise<void> {
  const gateway: ChildProcess = spawn(process.execPath, [path.join(app, 'dist/main.js'), 'gateway'], {
    env: {
      PATH: process.env.PATH,
      HOURGLASS_DATA_DIR: dataDir,
      REDIS_URL: 'redis://127.0.0.1:1',
      ...{ HOURGLASS_HTTP_PORT: '0', HOURGLASS_GRPC_PORT: '0', HOURGLASS_METRICS_PORT: '0', HOURGLASS_DRAIN: '0s' },
      HOURGLASS_LOG_LEVEL: 'silent',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const [{ httpPort }] = (await once(gateway, 'message')) as [{ httpPort: number }];
    const ask = async (operation: string, body: object): Promise<{ codes: number[][]; outputs: number[][] }> => {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/v1/models/${name}/${operation}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as { codes: number[][]; outputs: number[][] };
    };
    const test = readFileSync(path.join(app, 'data/t10k-images-idx3-ubyte'));
    const digit = Array.from(test.subarray(16, 16 + pixels), (byte) => byte / 255);
    const { codes } = await ask('encode', { inputs: [digit] });
    const start = performance.now();
    const { outputs } = await ask('decode', { codes });
    const ms = performance.now() - start;
    const error = digit.reduce((sum, value, i) => sum + (value - (outputs[0]?.[i] ?? 0)) ** 2, 0) / pixels;
    const psnr = -10 * Math.log10(error);
    if (!(psnr > 3)) throw new Error(`the decoded digit has ${psnr} dB`);
    say(
      `Served: \`/encode\` gives ${codes[0]?.length} numbers for a test digit, \`/decode\` of them ${psnr.toFixed(1)} dB in ${ms.toFixed(1)} ms.`,
    );
  } finally {
    gateway.kill('SIGTERM');
    await once(gateway, 'exit');
  }
}

async function main(): Promise<boolean> {
  tellMachine();
  try {
    requireDevice('webgpu');
  } catch (error) {
    say(`WebGPU does not start: ${(error as Error).message}`);
    return false;
  }
  const agrees = await conformance();
  const msPerStep = await steps();
  if (msPerStep === undefined || elapsed() > until.training - 30) {
    say('The recipe was left out: there was no time for it.');
    return false;
  }
  const dataDir = mkdtempSync(path.join(os.tmpdir(), 'hourglass-gpu-'));
  try {
    await serve(dataDir, await train(dataDir, msPerStep));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
  return agrees;
}

let ok = false;
try {
  ok = await main();
} catch (error) {
  say();
  say(`Failed: ${(error as Error).stack ?? error}`);
}
say();
say(
  `${ok ? 'Passed' : 'Not passed'} after ${elapsed().toFixed(0)} s${elapsed() > limitSeconds ? ', more than the 480 that it should take' : ''}.`,
);
writeFileSync('gpu.md', `${lines.join('\n')}\n`);
console.log(`\n${path.resolve('gpu.md')} is written.`);
process.exit(ok ? 0 : 1);
