// A worker with real training processes on a real queue: what is published, and that nothing is left behind.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addWaves, waveSpec } from '../../bench/faults/jobs.ts';
import { engineRevision } from '../../src/engine/engine.ts';
import type { JobEvent, JobProgress, JobSpec } from '../../src/jobspec/job.ts';
import { resolveSweep } from '../../src/jobspec/sweep.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { Registry } from '../../src/registry/registry.ts';
import { FolderBlobs } from '../../src/store/folder/blobs.ts';
import { TrainingWorker } from '../../src/worker/worker.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { openQueue, quiet, until } from '../queue/fixtures.ts';
import { metaOf } from '../serve/serving.ts';
import { type DataFolder, dataFolder, workerSettings } from './fixtures.ts';

let redis: TestRedis;
let queue: RedisJobQueue;
let folder: DataFolder;
let worker: TrainingWorker;
const metrics = new Metrics('worker');

beforeAll(async () => {
  redis = await startRedis();
  queue = await openQueue(redis.url);
  folder = await dataFolder();
  const settings = workerSettings(redis.url, folder, { tenantModelBytes: 100 });
  worker = await TrainingWorker.start(settings, quiet, metrics);
});
afterAll(async () => {
  await worker?.drain();
  await queue?.close();
  await redis?.stop();
  folder?.remove();
});

it('trains a job, tells its progress, and publishes one version with its lineage', async () => {
  const spec = waveSpec('waves');
  const { id } = await queue.submit(spec);
  const events: JobEvent[] = [];
  for await (const event of queue.events(id)) events.push(event);
  const end = events.at(-1);
  expect(end).toMatchObject({ type: 'end', data: { state: 'succeeded', model: 'waves', version: 1, attempts: 1 } });
  expect(events.filter((event) => event.type === 'epoch').map((event) => event.data)).toMatchObject([
    { epoch: 1 },
    { epoch: 2 },
    { epoch: 3 },
  ]);
  const progress = events.flatMap((event) => (event.type === 'progress' ? [event.data] : []));
  const percents = progress.map(({ percent }) => percent);
  expect(percents.toSorted((a, b) => a - b)).toEqual(percents);
  const { phase, samplesPerSecond, etaSeconds } = progress.at(-1) as JobProgress;
  expect(phase).toBe('done');
  expect(samplesPerSecond).toBeGreaterThan(0);
  expect(etaSeconds).toBe(0);

  const registry = await Registry.open(await FolderBlobs.open(folder.registry));
  const manifest = await registry.resolve('waves');
  expect(manifest.lineage).toMatchObject({
    jobId: id,
    spec,
    dataset: { name: 'waves' },
    engine: 'onnx/cpu',
    engineRevision,
  });
  expect(manifest.files.map((file) => file.path)).toEqual(
    expect.arrayContaining([
      'encoder.onnx',
      'decoder.onnx',
      'weights.safetensors',
      'report.json',
      'report.html',
      'codec.bin',
    ]),
  );
  expect(manifest.metrics['test.mse']).toBeGreaterThan(0);
  expect(manifest.codec?.qualities.length).toBeGreaterThan(0);
  expect(end).toMatchObject({ data: { metrics: manifest.metrics } });
  expect(readdirSync(folder.jobs)).toEqual([]);

  const text = await metrics.render();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  expect(value('hourglass_training_steps_total{process="worker"}')).toBeGreaterThan(0);
  expect(value('hourglass_checkpoints_total{process="worker"}')).toBeGreaterThanOrEqual(3);
  expect(value('hourglass_job_duration_seconds_count{outcome="succeeded",process="worker"}')).toBe(1);
  expect(await queue.endings()).toEqual({ outcomes: { succeeded: 1, failed: 0, cancelled: 0 }, failures: {} });
  expect(value('hourglass_training_samples_per_second{process="worker"}')).toBe(0);
});

it('fails a job at once for a reason that trying again would not change', async () => {
  const { id } = await queue.submit({ ...waveSpec('lost'), dataset: 'nowhere' });
  for await (const event of queue.events(id)) {
    if (event.type !== 'end') continue;
    expect(event.data).toMatchObject({ state: 'failed', attempts: 1, failure: { reason: 'dataset-not-found' } });
  }
  expect(
    existsSync(folder.registry) &&
      (await Registry.open(await FolderBlobs.open(folder.registry)).then((r) => r.listModels())),
  ).toEqual(['waves']);
});

it('tries a sweep and publishes its best trial with the very weights that the trial had', async () => {
  const { name: _, dataset, ...rest } = waveSpec('sweep');
  const search = { type: 'grid', parameters: { '/training/optimizer/learningRate': [1e-6, 0.01] } };
  const sweep = resolveSweep({ name: 'sweep', dataset, ...rest }, search);
  const { id, trials } = await queue.sweeps.submit(sweep);
  const view = await until(async () => {
    const now = await queue.sweeps.get(id);
    return now.finishedAt !== undefined && now;
  });
  expect(view).toMatchObject({ state: 'succeeded', model: 'sweep', version: 1, best: trials[1]?.id });
  const [slow, fast] = view.trials.map((trial) => trial.heldOutLoss as number);
  expect(fast).toBeLessThan(slow as number);

  const registry = await Registry.open(await FolderBlobs.open(folder.registry));
  const { versions } = await registry.getModel('sweep');
  expect(versions.map((version) => version.lineage.jobId)).toEqual([id]);
  // the same job on its own gives the same weights
  const alone = await queue.submit({ ...(sweep.trials[1]?.spec as JobSpec), name: 'alone' });
  await until(async () => (await queue.get(alone.id)).state === 'succeeded');
  const weightsOf = ({ files }: Manifest) => files.find((file) => file.path === 'weights.safetensors')?.sha256;
  expect(weightsOf(versions[0] as Manifest)).toBe(weightsOf(await registry.resolve('alone')));
  const left = readdirSync(folder.jobs);
  expect([id, ...trials.map((trial) => trial.id)].filter((job) => left.includes(job))).toEqual([]);
});

it("trains a tenant's job on its data set and publishes among its models", async () => {
  await addWaves(path.join(folder.path, 'tenants', 'acme'));
  const acme = queue.forTenant('acme');
  const { id } = await acme.submit(waveSpec('theirs'));
  await until(async () => (await acme.get(id)).state === 'succeeded');
  const at = async (root: string): Promise<readonly string[]> =>
    (await Registry.open(await FolderBlobs.open(path.join(root, 'registry')))).listModels();
  expect(await at(path.join(folder.path, 'tenants', 'acme'))).toEqual(['theirs']);
  expect(await at(folder.path)).not.toContain('theirs');
});

it('trains nothing for a tenant whose models leave no room, and the tenant default has no such limit', async () => {
  const own = await FolderBlobs.open(path.join(folder.path, 'tenants/acme/registry'));
  const full = await Registry.open(own, { tenant: 'acme' });
  await full.publish('waves', { files: { 'encoder.onnx': new Uint8Array(100) }, meta: metaOf('an-earlier-job') });
  const acme = queue.forTenant('acme');
  const { id } = await acme.submit(waveSpec('waves'));
  expect(await until(async () => (await acme.get(id)).failure)).toMatchObject({ reason: 'quota-exceeded' });
  expect((await full.getModel('waves')).versions).toHaveLength(1);
});
