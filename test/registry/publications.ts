// Registries in temporary folders, small publications, and other processes that publish (publisher.mjs).
import { fork } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import { HourglassError } from '../../src/base/errors.ts';
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';

export function tempRoot(): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-registry-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

export const openRegistry = async (root: string, options?: RegistryOptions): Promise<Registry> =>
  Registry.open(await FolderBlobs.open(root), options);

/** What publisher.mjs publishes for a job: files whose content names the job, so that a mix is recognised. */
export function publicationOf(jobId: string = randomUUID()) {
  return {
    files: Object.fromEntries(
      ['encoder.onnx', 'decoder.onnx', 'report.json'].map((name) => [name, Buffer.from(`${name} of ${jobId}\n`)]),
    ),
    meta: {
      operations: ['encode' as const, 'decode' as const],
      inputShape: [28, 28, 1],
      codeShape: [32],
      inputRange: [0, 1] as [number, number],
      lineage: {
        jobId,
        spec: { model: { type: 'dense' } },
        seed: 1,
        dataset: { name: 'mnist', hash: createHash('sha256').update('mnist').digest('hex') },
        hourglass: '0.1.0',
        engine: 'onnx/cpu',
      },
      metrics: { 'test.mse': 0.01 },
    },
  };
}

export interface PublisherTask {
  readonly root: string;
  readonly name: string;
  readonly jobs: readonly string[];
  /** this error, or death, at the k-th file system call of the first publication, the k+1-th of the second and so on */
  readonly fault?: { readonly at: number; readonly action: 'SIGKILL' | 'ENOSPC' | 'EDQUOT' | 'EIO' };
}

export interface PublisherResult {
  readonly signal: NodeJS.Signals | null;
  /** per job the version, or the error's code */
  readonly outcomes: readonly (number | string)[];
  /** file system calls of the last publication */
  readonly calls: number;
}

let publisher: Promise<string> | undefined;

/** publisher.mjs with all that it imports in one file: it is started so often that loading hundreds would take most of the time. */
async function bundlePublisher(): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-publisher-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = path.join(folder, 'publisher.mjs');
  const entryPoints = [path.join(import.meta.dirname, 'publisher.mjs')];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
  return outfile;
}

/** Runs another process that publishes all jobs and waits for its end. */
export async function runPublisher(task: PublisherTask): Promise<PublisherResult> {
  publisher ??= bundlePublisher();
  const child = fork(await publisher, [JSON.stringify(task)]);
  let result: Omit<PublisherResult, 'signal'> = { outcomes: [], calls: 0 };
  child.on('message', (message) => {
    result = message as typeof result;
  });
  const signal = await new Promise<NodeJS.Signals | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, ended) => {
      if (code) reject(new Error(`the publisher ended with ${code}`));
      else resolve(ended);
    });
  });
  return { signal, ...result };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof HourglassError ? error.code : String(error);
  }
  return 'fulfilled';
}
