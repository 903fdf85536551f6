/**
 * The first two jobs of an empty registry, both on handwritten digits: one trained for compression, which shows how few bytes a
 * picture takes, and one that removes noise. Their progress is shown line by line.
 */

import type { DatasetStore } from '../data/dataset.ts';
import type { JobProgress, JobView } from '../jobspec/job.ts';
import { resolveJobSpec } from '../jobspec/resolve.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import type { Terminal } from './terminal.ts';

export const denoiserName = 'digits-denoiser';

/**
 * What a client would post. Chosen on the last 10,000 training rows: hidden layers of 256 and 512 units, 4 and 5 epochs, codes of
 * 32 and 64 units, and one model for both (noise in training costs 2 to 5 dB without noise).
 */
export const starterRequests = [
  {
    name: 'digits',
    dataset: 'mnist',
    model: { type: 'dense', code: 32, hidden: [512], loss: 'sse', compression: { bytes: 14 } },
    training: { epochs: 5, batchSize: 128, seed: 1 },
  },
  {
    name: denoiserName,
    dataset: 'mnist',
    model: { type: 'denoising', code: 64, hidden: [256], corruption: { type: 'gaussian', sigma: 0.5 } },
    training: { epochs: 5, batchSize: 128, seed: 1 },
  },
] as const;

export interface StarterParts {
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** called for each model as soon as it answers */
  readonly onModel: (name: string) => Promise<void>;
}

/** Trains the first models when there are none. Resolves to whether there were none. */
export async function trainFirstModels(parts: StarterParts): Promise<boolean> {
  const { queue, registry, terminal, onModel } = parts;
  if ((await registry.listModels()).length > 0) return false;
  const unfinished = await unfinishedJobs(queue);
  const jobs = unfinished.length > 0 ? unfinished : await submitStarters(parts);
  const [first] = jobs;
  if (first) terminal.line(`The registry is empty. Jobs that train first models: ${jobs.length}.`);
  for (const job of jobs) {
    terminal.line(`Training ${job.spec.name} on ${job.spec.dataset} (job ${job.id}).`);
    const ended = await follow(job, parts);
    if (ended?.state === 'succeeded') await onModel(job.spec.name);
  }
  return true;
}

/** Shows a job's progress until it ends; undefined when the signal ended the wait. */
async function follow({ id }: JobView, { queue, terminal, signal }: StarterParts): Promise<JobView | undefined> {
  let ended: JobView | undefined;
  for await (const event of queue.events(id, { signal })) {
    if (event.type === 'progress') terminal.status(describe(event.data));
    if (event.type === 'end') ended = event.data;
  }
  terminal.endStatus();
  if (ended?.state === 'failed') {
    terminal.line(`The job failed: ${ended.failure?.message ?? 'no reason is known'}`);
    for (const line of ended.failure?.log ?? []) terminal.line(`  ${line}`);
  }
  return ended;
}

/** Jobs of an earlier start, the running ones first, each group oldest first. */
async function unfinishedJobs(queue: JobQueue): Promise<JobView[]> {
  const found: JobView[] = [];
  for (const state of ['running', 'queued'] as const) {
    found.push(...(await queue.list({ state, limit: 10 })).jobs.toReversed());
  }
  return found;
}

async function submitStarters({ queue, datasets }: StarterParts): Promise<JobView[]> {
  const jobs: JobView[] = [];
  for (const request of starterRequests) {
    const { spec, warnings } = resolveJobSpec(request, { dataset: await datasets.info(request.dataset) });
    jobs.push(await queue.submit(spec, { warnings }));
  }
  return jobs;
}

/** What a job does when it does not train, with what a person may wonder about while it lasts. */
const otherPhases: Readonly<Record<string, string>> = {
  data: 'data',
  evaluate: 'evaluate on test rows, beside PCA',
  publish: 'publish',
  done: 'done',
};

export function describe({ phase, epoch, epochs, percent, loss, samplesPerSecond, etaSeconds }: JobProgress): string {
  const trains = !Object.hasOwn(otherPhases, phase);
  return [
    `${Math.floor(percent)} %`.padStart(5),
    trains && epochs > 0 ? `${phase}, epoch ${epoch} of ${epochs}` : (otherPhases[phase] ?? phase),
    loss === undefined ? '' : `loss ${loss.toPrecision(4)}`,
    trains && samplesPerSecond !== undefined ? `${Math.round(samplesPerSecond).toLocaleString('en')} rows/s` : '',
    trains && etaSeconds !== undefined ? `${Math.ceil(etaSeconds)} s left` : '',
  ]
    .filter((part) => part !== '')
    .join('   ');
}
