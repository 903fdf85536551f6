/** A gateway of the build as `hourglass gateway` starts it, with its logs, metrics and checks on, and one model to serve. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import type { ModelFiles } from '../../test/helpers/onnx-models.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import { metaOf } from '../../test/serve/serving.ts';
import { denseAutoencoder } from './nets.ts';

export const [values, codes] = [784, 32];

export interface Service {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  /** seconds from the start of the process to its first prediction */
  readonly firstAnswer: number;
  /** MiB of the process after that, with one model in memory and nothing to do */
  readonly idleMemory: number;
  /** of those: pages of programs on disk, which processes share */
  readonly programMemory: number;
  /** folder with the encoder's ONNX file, for peers */
  readonly folder: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export const row: readonly number[] = Array.from({ length: values }, (_, i) => (i % 97) / 96);

export interface ServiceOptions {
  /** the program of another build */
  readonly program?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** `given` are the files of the model `digits`, 784 values to 32; default: a 784-128-32 net with random weights. */
export async function startService(given?: ModelFiles, options: ServiceOptions = {}): Promise<Service> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-bench-'));
  const redis = await startRedis();
  const files = given ?? filesOf(denseAutoencoder([values, 128, codes]));
  writeFileSync(path.join(folder, 'encoder.onnx'), files['encoder.onnx']);
  const registry = await Registry.open(await FolderBlobs.open(path.join(folder, 'registry')));
  const meta = metaOf('bench', { inputShape: [28, 28, 1], codeShape: [codes] });
  await registry.publish('digits', { files: { ...files }, meta });
  const env = {
    ...process.env,
    REDIS_URL: redis.url,
    HOURGLASS_DATA_DIR: folder,
    HOURGLASS_HTTP_PORT: '0',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_DRAIN: '0s',
    ...options.environment,
  };
  const start = performance.now();
  const log = openSync(path.join(folder, 'gateway.log'), 'w');
  const program = options.program ?? 'dist/main.js';
  const child = spawn(process.execPath, [program, 'gateway'], { env, stdio: ['ignore', log, 'inherit', 'ipc'] });
  const [{ httpPort, grpcPort, metricsPort }] = (await once(child, 'message')) as [
    Pick<Service, 'httpPort' | 'grpcPort' | 'metricsPort'>,
  ];
  const answer = await fetch(`http://127.0.0.1:${httpPort}/v1/models/digits/encode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [row] }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  const firstAnswer = (performance.now() - start) / 1000;
  await sleep(2000);
  return {
    ...{ httpPort, grpcPort, metricsPort, firstAnswer, folder, pid: child.pid ?? 0 },
    idleMemory: memoryOf(child, 'VmRSS'),
    programMemory: memoryOf(child, 'RssFile'),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const filesOf = ({ encoder, decoder }: ReturnType<typeof denseAutoencoder>): ModelFiles => ({
  'encoder.onnx': encoder,
  'decoder.onnx': decoder,
});

function memoryOf({ pid }: ChildProcess, field: 'VmRSS' | 'RssFile'): number {
  const status = readText(`/proc/${pid}/status`);
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? Number.NaN) / 1024;
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};
