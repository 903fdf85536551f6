/**
 * Records what a release leaves behind, for the next one to read (previous.test.ts): jobs in every state, a sweep, a data set, a
 * version, a job that its worker left in the middle with a checkpoint, and answers.
 *
 *   node --import tsx test/compatibility/record.ts FOLDER_OF_A_BUILD
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { descendants } from '../../bench/faults/fleet.ts';
import { freePorts } from '../helpers/ports.ts';
import { startRedis } from '../helpers/redis.ts';
import { until } from '../queue/fixtures.ts';
import { readRedis } from './redis-content.ts';

const build = path.resolve(process.argv[2] ?? path.resolve(import.meta.dirname, '../..'));
const target = path.join(import.meta.dirname, 'previous');
const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-record-'));
const redis = await startRedis();
const children: ChildProcess[] = [];
const [http = 0, grpc = 0, ...metrics] = await freePorts(4);
const url = `http://127.0.0.1:${http}`;

function start(role: string, metricsPort: number | undefined): ChildProcess {
  const child = spawn(process.execPath, [path.join(build, 'dist/main.js'), role], {
    env: {
      PATH: process.env.PATH,
      ...{ HOURGLASS_DATA_DIR: folder, REDIS_URL: redis.url, HOURGLASS_CHECKPOINT_INTERVAL: '100ms' },
      ...{ HOURGLASS_HTTP_PORT: `${http}`, HOURGLASS_GRPC_PORT: `${grpc}`, HOURGLASS_METRICS_PORT: `${metricsPort}` },
      ...{ HOURGLASS_DRAIN: '0s', HOURGLASS_LOG_LEVEL: 'warn' },
    },
    stdio: 'inherit',
  });
  children.push(child);
  return child;
}

async function ask<T>(method: string, route: string, body?: unknown, type = 'application/json'): Promise<T> {
  const answer = await fetch(url + route, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  });
  if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly progress?: { readonly epoch: number };
}
const model = { type: 'denoising', hidden: [12], code: 3, corruption: { type: 'gaussian', sigma: 0.2 } };
const submit = (name: string, training: object, more: object = {}): Promise<Job> =>
  ask('POST', '/v1/jobs', { name, dataset: 'waves', model, training: { batchSize: 8, seed: 1, ...training }, ...more });
const reached = (route: string, state: string): Promise<Job> =>
  until(async () => {
    const job = await ask<Job>('GET', route);
    if (job.state === 'failed' && state !== 'failed') throw new Error(`${route} failed`);
    return job.state === state && job;
  });

try {
  const gateway = start('gateway', metrics[0]);
  const worker = start('worker', metrics[1]);
  await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok);
  const rows = Array.from({ length: 256 }, (_, row) =>
    Array.from({ length: 16 }, (_, i) => (0.5 + 0.5 * Math.sin(i * (0.3 + ((row * 7) % 64) / 64) + row)).toFixed(4)),
  );
  await ask('POST', '/v1/datasets?name=waves', rows.map((row) => row.join(',')).join('\n'), 'text/csv');

  const trained = await submit('trained', { epochs: 3 });
  await reached(`/v1/jobs/${trained.id}`, 'succeeded');
  const sweep = await ask<Job>('POST', '/v1/sweeps', {
    job: { name: 'swept', dataset: 'waves', model, training: { epochs: 1, batchSize: 32 } },
    search: { type: 'grid', parameters: { '/model/code': [2, 3] } },
  });
  await reached(`/v1/sweeps/${sweep.id}`, 'succeeded');
  const failed = await submit('failed', { epochs: 1 }, { deadlineSeconds: 0.001 });
  await reached(`/v1/jobs/${failed.id}`, 'failed');
  const interrupted = await submit('interrupted', { epochs: 150 });
  const waiting = await submit('waiting', { epochs: 1 });
  const cancelled = await submit('cancelled', { epochs: 1 });
  await ask('POST', `/v1/jobs/${cancelled.id}/cancel`);
  await until(async () => ((await ask<Job>('GET', `/v1/jobs/${interrupted.id}`)).progress?.epoch ?? 0) > 5);
  for (const pid of [worker.pid as number, ...(await descendants(worker.pid as number))]) process.kill(pid, 'SIGKILL');

  const row = rows[0]?.map(Number);
  const { codes } = await ask<{ codes: number[][] }>('POST', '/v1/models/trained/encode', { inputs: [row] });
  const { outputs } = await ask<{ outputs: number[][] }>('POST', '/v1/models/trained/decode', { codes });
  const version = JSON.parse(readFileSync(path.join(build, 'package.json'), 'utf8')).version as string;
  const ids = { trained, sweep, failed, interrupted, waiting, cancelled };
  const facts = {
    release: version,
    ids: Object.fromEntries(Object.entries(ids).map(([name, { id }]) => [name, id])),
    answer: { row, codes, outputs },
  };
  gateway.kill('SIGKILL');
  await once(gateway, 'exit');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  writeFileSync(path.join(target, 'facts.json'), `${JSON.stringify(facts, null, 2)}\n`);
  writeFileSync(path.join(target, 'redis.json'), `${JSON.stringify(await readRedis(redis.url), null, 2)}\n`);
  for (const part of ['registry', 'datasets', 'jobs'])
    cpSync(path.join(folder, part), path.join(target, 'data', part), { recursive: true });
  console.log(`${target} is written.`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
