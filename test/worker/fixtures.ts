// A small real data set, worker settings and job specifications for the tests of the worker.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { RandomStream } from '../../src/base/random.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { JobSpec } from '../../src/spec/job.ts';
import { resolveJobSpec } from '../../src/spec/resolve.ts';
import type { WorkerSettings } from '../../src/worker/worker.ts';
import { consumerSettings } from '../queue/fixtures.ts';

export interface DataFolder {
  readonly path: string;
  readonly datasets: string;
  readonly registry: string;
  readonly jobs: string;
  remove(): void;
}

/** A data folder with one uploaded set, `waves`: 256 rows of 16 values in [0, 1]. */
export async function dataFolder(): Promise<DataFolder> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-worker-'));
  const at = (name: string): string => path.join(folder, name);
  const random = new RandomStream(3, 'waves');
  const phases = random.uniform(new Float32Array(512));
  const rows = Array.from({ length: 256 }, (_, row) =>
    Array.from({ length: 16 }, (_, i) => {
      const wave = Math.sin(i * (0.3 + (phases[2 * row] ?? 0)) + 6.3 * (phases[2 * row + 1] ?? 0));
      return (0.5 + 0.5 * wave).toFixed(4);
    }).join(','),
  );
  const content = (async function* () {
    yield Buffer.from(`${rows.join('\n')}\n`);
  })();
  await createDatasetStore({ folder: at('datasets') }).create('waves', {
    parts: [{ role: 'rows', fileName: 'waves.csv', content }],
  });
  return {
    path: folder,
    datasets: at('datasets'),
    registry: at('registry'),
    jobs: at('jobs'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const openWaves = (folder: DataFolder): Promise<Dataset> =>
  createDatasetStore({ folder: folder.datasets }).open('waves');

/** `name` is the model's name; about 30 steps an epoch. */
export const waveSpec = (name: string, epochs = 3, seed = 1): JobSpec =>
  resolveJobSpec({
    name,
    dataset: 'waves',
    model: { type: 'denoising', hidden: [12], code: 3, corruption: { type: 'gaussian', sigma: 0.2 } },
    training: { epochs, batchSize: 8, seed },
  }).spec;

export function workerSettings(url: string, folder: DataFolder, changes: Partial<WorkerSettings> = {}): WorkerSettings {
  return {
    queue: consumerSettings(url),
    datasetFolder: folder.datasets,
    registryFolder: folder.registry,
    jobsFolder: folder.jobs,
    checkpointSeconds: 15,
    engine: { engine: 'onnx', device: 'cpu', threads: 1 },
    release: '0.0.0-test',
    environment: { PATH: '/usr/bin:/bin' },
    stepTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
    memoryBytes: null,
    storageRetryMs: 300,
    ...changes,
  };
}
