// The file of the embedded queue when it is damaged: an end that was cut off is left away, counted and told; damage in the
// middle is refused, the file is kept as it is, and models go on answering until a person has decided.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { descendants, isAlive } from '../../bench/faults/fleet.ts';
import { embeddedRedis } from '../../src/queue/embedded-redis.ts';
import { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { freePorts } from '../helpers/ports.ts';
import { jobSpec, queueSettings, quiet, until } from '../queue/fixtures.ts';
import { metaOf, times } from '../serve/serving.ts';

const program = path.resolve(import.meta.dirname, '../../dist/main.js');
let folder: string;
let child: ChildProcess | undefined;
let output: string;
let address: string;
let metrics: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-queue-file-'));
  output = '';
});
afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    const parts = await descendants(child.pid as number);
    child.kill('SIGKILL');
    await until(() => !parts.some(isAlive));
  }
  child = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function up(): Promise<{ ended: Promise<number | null> }> {
  const [http = 0, grpc = 0, metricsPort = 0] = await freePorts(3);
  address = `http://127.0.0.1:${http}`;
  metrics = `http://127.0.0.1:${metricsPort}/metrics`;
  const started = spawn(process.execPath, [program, 'up'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOURGLASS_DATA_DIR: folder,
      HOURGLASS_STARTER: 'off',
      HOURGLASS_HTTP_PORT: String(http),
      HOURGLASS_GRPC_PORT: String(grpc),
      HOURGLASS_METRICS_PORT: String(metricsPort),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  for (const stream of [started.stdout, started.stderr]) stream?.on('data', (chunk) => (output += chunk));
  return { ended: new Promise((resolve) => started.once('exit', resolve)) };
}

const readiness = async () => {
  const answer = await fetch(`${address}/readyz`).catch(() => undefined);
  return answer && { status: answer.status, body: (await answer.json()) as { parts: Record<string, unknown> } };
};
const isReady = async (): Promise<boolean> => (await readiness())?.status === 200;

function queueFile(): string {
  const files = path.join(folder, 'redis/appendonlydir');
  return path.join(files, readdirSync(files).find((file) => file.includes('.incr.')) as string);
}

/** Fills the queue's file with jobs that no worker of `up` sees. Returns their ids. */
async function fill(jobs: number): Promise<string[]> {
  const redis = await embeddedRedis(folder, quiet);
  const server = await redis.launch();
  const queue = await RedisJobQueue.open(queueSettings(redis.url), quiet);
  const ids: string[] = [];
  for (let i = 0; i < jobs; i++) ids.push((await queue.submit(jobSpec(`job-${i}`))).id);
  await queue.close();
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
  return ids;
}

/** Breaks one command in the middle of the file. Returns how to mend it. */
function damage(): () => void {
  const file = queueFile();
  const bytes = readFileSync(file);
  const at = bytes.indexOf('\r\n*', Math.floor(bytes.length / 2)) + 2;
  const write = (letter: string): void => {
    const open = openSync(file, 'r+');
    writeSync(open, letter, at);
    closeSync(open);
  };
  write('X');
  return () => write('*');
}

it('starts from a queue whose end was cut off, says so and counts it', async () => {
  await fill(20);
  truncateSync(queueFile(), statSync(queueFile()).size - 13);
  await up();
  await until(isReady);
  expect(output).toContain("the end of the queue's append-only file was cut off");
  const page = await until(async () => {
    // The gateways are ready a moment before this port is open.
    const text = await fetch(metrics).then(
      (answer) => answer.text(),
      () => '',
    );
    return text.includes('hourglass_queue_truncated_total') && text;
  });
  expect(page).toMatch(/^hourglass_queue_truncated_total\{process="up"\} 1$/m);
}, 60_000);

it('refuses to start on a queue that is damaged in the middle, says what to do, and leaves the file as it is', async () => {
  await fill(20);
  damage();
  const bytes = readFileSync(queueFile());
  const { ended } = await up();
  expect(await ended).toBe(78);
  expect(output).toMatch(/append-only file in .* is damaged, so it was not loaded; it is kept as it is/);
  expect(output).toContain('redis-check-aof --fix');
  expect(output).not.toMatch(/\n\s+at /);
  expect(readFileSync(queueFile()).equals(bytes)).toBe(true);
}, 60_000);

it('is not ready while the queue cannot be loaded again, answers for models all the same, and is well once it is mended', async () => {
  await fill(20);
  const registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'registry')));
  await registry.publish('digits', { files: { ...times(2) }, meta: metaOf('job-1') });
  await up();
  await until(isReady);
  const mend = damage();
  for (const pid of await descendants(child?.pid as number)) {
    if (/^redis-server/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))) process.kill(pid, 'SIGKILL');
  }
  await until(() => output.includes('is damaged, so it was not loaded'));
  const bytes = readFileSync(queueFile());
  const { body } = await until(async () => {
    const answer = await readiness();
    return answer?.status === 503 && answer; // what is known of the queue may be a second old
  });
  expect(body?.parts).toMatchObject({ queue: { ready: false }, models: { ready: true }, server: { ready: true } });
  const answer = await fetch(`${address}/encode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"inputs":[[1,2,3,4]]}',
  });
  expect(await answer.json()).toMatchObject({ model: 'digits', codes: [[2, 4]] });
  expect((await fetch(`${address}/v1/jobs`)).status).toBe(503);
  expect(readFileSync(queueFile()).equals(bytes)).toBe(true);
  mend();
  await until(isReady);
}, 90_000);
