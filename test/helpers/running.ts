// `hourglass up` as its user starts it, on free ports, an empty data folder and a redis-server that tests can look into.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts } from './ports.ts';
import { startRedis, type TestRedis } from './redis.ts';

const root = path.resolve(import.meta.dirname, '../..');

export interface Running {
  readonly url: string;
  readonly port: number;
  readonly redis: TestRedis;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

export async function startUp(settings: Readonly<Record<string, string>> = {}): Promise<Running> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'hourglass-up-'));
  const redis = await startRedis();
  const [http = 0, grpc = 0, metrics = 0] = await freePorts(3);
  const up = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'up'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      REDIS_URL: redis.url,
      HOURGLASS_DATA_DIR: dataDir,
      HOURGLASS_HTTP_PORT: String(http),
      HOURGLASS_GRPC_PORT: String(grpc),
      HOURGLASS_METRICS_PORT: String(metrics),
      HOURGLASS_STARTER: 'off',
      HOURGLASS_DRAIN: '0s',
      HOURGLASS_TRAINING_THREADS: '1',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const url = `http://127.0.0.1:${http}`;
  while ((await fetch(`${url}/readyz`).catch(() => undefined))?.status !== 200) {
    if (up.exitCode !== null) throw new Error(`hourglass stopped with ${up.exitCode}:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    ...{ url, port: http, redis, process: up },
    async stop() {
      const ended = new Promise((resolve) => up.once('exit', resolve));
      up.kill('SIGTERM');
      const force = setTimeout(() => up.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(force);
      await redis.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
