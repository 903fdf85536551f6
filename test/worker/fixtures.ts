// A small real data set and worker settings for the tests of the worker.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { addWaves } from '../../bench/faults/jobs.ts';
import type { WorkerSettings } from '../../src/worker/worker.ts';
import { consumerSettings } from '../queue/fixtures.ts';

export interface DataFolder {
  readonly path: string;
  readonly registry: string;
  readonly jobs: string;
  remove(): void;
}

/** A data folder with one uploaded set, `waves`. */
export async function dataFolder(): Promise<DataFolder> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-worker-'));
  const at = (name: string): string => path.join(folder, name);
  await addWaves(folder);
  return {
    path: folder,
    registry: at('registry'),
    jobs: at('jobs'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function workerSettings(url: string, folder: DataFolder, changes: Partial<WorkerSettings> = {}): WorkerSettings {
  return {
    queue: consumerSettings(url),
    stores: { dataDir: folder.path },
    checkpointSeconds: 15,
    engine: { engine: 'onnx', device: 'cpu', threads: 1 },
    release: '0.0.0-test',
    environment: { PATH: '/usr/bin:/bin', ORT_DISABLE_TELEMETRY: '1' },
    stepTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
    memoryBytes: null,
    storageRetryMs: 300,
    ...changes,
  };
}
