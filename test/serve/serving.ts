// A predictor on a real registry folder and a real pool, and models published into it.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { Metrics } from '../../src/platform/metrics.ts';
import type { Manifest, ManifestMeta } from '../../src/registry/manifest.ts';
import { Registry } from '../../src/registry/registry.ts';
import { ModelPool, type PoolOptions } from '../../src/runtime/pool.ts';
import { ModelPredictor, type PredictorOptions } from '../../src/serve/model-predictor.ts';
import type { BlobStore } from '../../src/store/contract.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { type ModelFiles, scaling } from '../helpers/onnx-models.ts';

export interface Serving {
  readonly root: string;
  readonly registry: Registry;
  readonly pool: ModelPool;
  readonly metrics: Metrics;
  readonly warnings: string[];
  readonly predictor: ModelPredictor;
  publish(name: string, files: ModelFiles, meta?: Partial<ManifestMeta>): Promise<Manifest>;
}

export const defaults = {
  defaultModel: null,
  inlineModels: false,
  maxBatch: 1000,
  maxWaiting: 100,
  maxInFlight: null,
  targetWaitMs: 25,
  batchRows: 64,
  batchWindowMs: 0,
  deadlineMs: 10_000,
} satisfies PredictorOptions['config'];

export interface ServingOptions {
  readonly config?: Partial<PredictorOptions['config']>;
  readonly pool?: Partial<PoolOptions>;
  readonly maxWaitingBytes?: number;
  /** put in front of the store */
  readonly wrap?: (store: BlobStore) => BlobStore;
  /** takes what ends it all; default: after the test */
  readonly onEnd?: (end: () => Promise<void>) => void;
}

export async function startServing(options: ServingOptions = {}): Promise<Serving> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-serving-'));
  const store = await FolderBlobs.open(root);
  const registry = await Registry.open(options.wrap?.(store) ?? store);
  const pool = new ModelPool({ threads: 2, maxModels: 8, ...options.pool });
  const metrics = new Metrics('gateway');
  const warnings: string[] = [];
  const predictor = new ModelPredictor({
    registry,
    pool,
    metrics,
    config: { ...defaults, ...options.config },
    warn: (message, facts) => warnings.push(`${message}: ${facts.model}`),
    ...(options.maxWaitingBytes !== undefined && { maxWaitingBytes: options.maxWaitingBytes }),
  });
  (options.onEnd ?? onTestFinished)(async () => {
    await predictor.close();
    await pool.close();
    rmSync(root, { recursive: true, force: true });
  });
  let jobs = 0;
  return {
    ...{ root, registry, pool, metrics, warnings, predictor },
    publish: (name, files, meta) =>
      registry.publish(name, { files: { ...files }, meta: metaOf(`job-${jobs++}`, meta) }),
  };
}

/** of the models that `scaling(4, 2, …)` makes */
export function metaOf(jobId: string, meta: Partial<ManifestMeta> = {}): ManifestMeta {
  return {
    operations: ['encode', 'decode', 'denoise', 'reconstruct'],
    inputShape: [2, 2, 1],
    codeShape: [2],
    inputRange: [0, 1],
    lineage: {
      jobId,
      spec: {},
      seed: 1,
      dataset: { name: 'none', hash: '0' },
      hourglass: '0.0.0',
      engine: 'onnx/cpu',
    },
    metrics: {},
    ...meta,
  };
}

/** Answers `encode` with the first two of four values, times `factor`. */
export const times = (factor: number): ModelFiles => scaling(4, 2, factor);

export const batch = (...values: number[]) =>
  ({ dtype: 'float32', shape: [values.length / 4, 4], data: Float32Array.from(values) }) as const;

export const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 'fulfilled', message: '', facts: {} }),
    (error) => error,
  );
