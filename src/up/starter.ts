/** The first job of an empty registry: a denoising autoencoder of handwritten digits. Its course is shown line by line. */

import type { DatasetStore } from '../data/dataset.ts';
import type { JobProgress, JobView } from '../jobspec/job.ts';
import { resolveJobSpec } from '../jobspec/resolve.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import type { Terminal } from './terminal.ts';

/** What a client would post. */
export const starterRequest = {
  name: 'digits',
  dataset: 'mnist',
  model: { type: 'denoising', code: 32, hidden: [128], corruption: { type: 'gaussian', sigma: 0.5 } },
  training: {
    epochs: 5,
    maxSamples: 60_000,
    batchSize: 128,
    optimizer: { type: 'adam', learningRate: 0.001 },
    seed: 1,
  },
} as const;

export interface StarterParts {
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Trains a first model when there is none. Returns its job when one ran; undefined when there was nothing to do. */
export async function trainFirstModel(parts: StarterParts): Promise<JobView | undefined> {
  const { queue, registry, terminal, signal } = parts;
  if ((await registry.listModels()).length > 0) return undefined;
  const job = (await openJob(queue)) ?? (await submitStarter(parts));
  terminal.line(`The registry is empty: training ${job.spec.name} on ${job.spec.dataset} (job ${job.id}).`);
  let ended: JobView | undefined;
  for await (const event of queue.events(job.id, { signal })) {
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

/** A job that is under way from before. */
async function openJob(queue: JobQueue): Promise<JobView | undefined> {
  for (const state of ['running', 'queued'] as const) {
    const [job] = (await queue.list({ state, limit: 1 })).jobs;
    if (job) return job;
  }
  return undefined;
}

async function submitStarter({ queue, datasets }: StarterParts): Promise<JobView> {
  const { spec, warnings } = resolveJobSpec(starterRequest, { dataset: await datasets.info(starterRequest.dataset) });
  return queue.submit(spec, { warnings });
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
