// Small jobs on a small data set, and what became of them: lost, doubled, epochs repeated, weights equal.
import { RandomStream } from '../../src/base/random.ts';
import { createDatasetStore } from '../../src/data/store.ts';
import type { JobSpec, JobView } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Stores } from '../../src/store/contract.ts';
import { openStores, type StoreSettings } from '../../src/store/open.ts';

/** A data folder, or settings that name a bucket. */
export type Place = string | StoreSettings;

const open = (place: Place): Promise<Stores> => openStores(typeof place === 'string' ? { dataDir: place } : place);

/** Adds the data set `waves`: 256 rows of 16 values in [0, 1]. */
export async function addWaves(place: Place): Promise<void> {
  const draws = new RandomStream(3, 'waves').uniform(new Float32Array(512));
  const rows = Array.from({ length: 256 }, (_, row) =>
    Array.from({ length: 16 }, (_, i) => {
      const wave = Math.sin(i * (0.3 + (draws[2 * row] ?? 0)) + 6.3 * (draws[2 * row + 1] ?? 0));
      return (0.5 + 0.5 * wave).toFixed(4);
    }).join(','),
  );
  const content = (async function* () {
    yield Buffer.from(`${rows.join('\n')}\n`);
  })();
  await createDatasetStore({ files: (await open(place)).datasets }).create('waves', {
    parts: [{ role: 'rows', fileName: 'waves.csv', content }],
  });
}

/** 28 steps an epoch. The same seed and epochs give the same weights, whatever the name. */
export const waveSpec = (name: string, epochs = 3, seed = 1): JobSpec =>
  resolveJobSpec({
    name,
    dataset: 'waves',
    model: { type: 'denoising', hidden: [12], code: 3, corruption: { type: 'gaussian', sigma: 0.2 } },
    training: { epochs, batchSize: 8, seed },
  }).spec;

export async function openRegistry(place: Place): Promise<Registry> {
  const { versions, isShared } = await open(place);
  return Registry.open(versions, isShared ? { orphanAgeMs: 'never' } : {});
}

/** Waits for the end of a job; undefined when the time is over. */
export async function ended(queue: JobQueue, id: string, limitMs: number): Promise<JobView | undefined> {
  const limit = Date.now() + limitMs;
  while (Date.now() < limit) {
    const job = await queue.get(id).catch(() => undefined);
    if (job?.finishedAt !== undefined) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}

export interface Account {
  readonly jobs: number;
  readonly succeeded: number;
  /** acknowledged, but not ended within the limit or not known any more */
  readonly lost: number;
  readonly failed: number;
  /** why they failed */
  readonly failures: readonly string[];
  /** jobs that published more than one version */
  readonly doubled: number;
  readonly attempts: number;
  /** epochs that were trained more than once */
  readonly epochsRepeated: number;
  /** weights that differ from those of an undisturbed job with the same seed */
  readonly weightsDiffer: number;
}

/** Waits for all jobs and compares them with `controls`: sha256 of the weights by seed. */
export async function settle(
  queue: JobQueue,
  place: Place,
  ids: readonly string[],
  controls: ReadonlyMap<number, string>,
  limitMs: number,
): Promise<Account> {
  const limit = Date.now() + limitMs;
  const registry = await openRegistry(place);
  const account = { jobs: ids.length, succeeded: 0, lost: 0, failed: 0, doubled: 0 };
  const failures: string[] = [];
  const more = { attempts: 0, epochsRepeated: 0, weightsDiffer: 0 };
  for (const id of ids) {
    const job = await ended(queue, id, Math.max(0, limit - Date.now()));
    if (!job) {
      account.lost++;
      continue;
    }
    more.attempts += job.attempts;
    if (job.state !== 'succeeded') {
      account.failed++;
      const { reason = job.state, message = '' } = job.failure ?? {};
      failures.push(`${reason} after ${job.attempts} attempts: ${message}`);
      continue;
    }
    account.succeeded++;
    const { versions } = await registry.getModel(job.spec.name);
    const own = versions.filter((version) => version.lineage.jobId === id);
    if (own.length !== 1) account.doubled++;
    const weights = own[0]?.files.find((file) => file.path === 'weights.safetensors')?.sha256;
    const control = controls.get(job.spec.training.seed);
    if (control !== undefined && weights !== control) more.weightsDiffer++;
    more.epochsRepeated += await repeatedEpochs(queue, id);
  }
  return { ...account, failures, ...more };
}

async function repeatedEpochs(queue: JobQueue, id: string): Promise<number> {
  const seen = new Set<string>();
  let repeated = 0;
  for await (const event of queue.events(id)) {
    if (event.type !== 'epoch') continue;
    const key = `${event.data.phase}/${event.data.epoch}`;
    if (seen.has(key)) repeated++;
    seen.add(key);
  }
  return repeated;
}

/** Trains one undisturbed job per seed; the workers must be running. */
export async function trainControls(
  queue: JobQueue,
  place: Place,
  seeds: readonly number[],
  epochs: number,
): Promise<Map<number, string>> {
  const jobs = await Promise.all(seeds.map((seed) => queue.submit(waveSpec(`control-${seed}`, epochs, seed))));
  const controls = new Map<number, string>();
  for (const { id, spec } of jobs) {
    const job = await ended(queue, id, 120_000);
    if (job?.state !== 'succeeded') throw new Error(`a control did not succeed: ${JSON.stringify(job)}`);
    const manifest = await (await openRegistry(place)).resolve(spec.name);
    const weights = manifest.files.find((file) => file.path === 'weights.safetensors');
    controls.set(spec.training.seed, weights?.sha256 ?? '');
  }
  return controls;
}
