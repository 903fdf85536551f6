// A job that runs out of memory again and again, beside healthy ones: how much later these end than without it. The same
// jobs are run with and without it in turn, so that both meet the same machine.

import type { JobSpec } from '../../src/jobspec/job.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { JobQueue } from '../../src/queue/job-queue.ts';
import { ended, waveSpec } from './jobs.ts';
import type { World } from './world.ts';

export interface Poisoned {
  readonly jobs: number;
  readonly rounds: number;
  /** mean seconds from the submission of a healthy job to its end */
  readonly without: number;
  readonly beside: number;
  /** (beside − without) / without */
  readonly delay: number;
  readonly healthyFailed: number;
  /** how the poison job ended each time */
  readonly poison: readonly string[];
}

/** Its weights, their gradients and the optimizer's state take more than the limit below. */
export const poison = (name: string): JobSpec =>
  resolveJobSpec({
    name,
    dataset: 'waves',
    model: { type: 'dense', hidden: [6000, 6000], code: 3 },
    training: { epochs: 1, batchSize: 8 },
  }).spec;
const memory = '512MiB';

export async function measurePoison(
  { queue, fleet }: World,
  { jobs, rounds, epochs }: { readonly jobs: number; readonly rounds: number; readonly epochs: number },
): Promise<Poisoned> {
  const workers = fleet('worker', { HOURGLASS_TRAINING_MEMORY: memory });
  for (let i = 0; i < 2; i++) workers.start();
  const warm = await queue.submit(waveSpec('warm', 2));
  await ended(queue, warm.id, 120_000);
  const seconds = { without: [] as number[], beside: [] as number[] };
  const ends: string[] = [];
  let healthyFailed = 0;
  for (let round = 0; round < 2 * rounds; round++) {
    // without, beside, beside, without: a machine that grows slower or faster favours neither
    const kind = round % 4 === 0 || round % 4 === 3 ? 'without' : 'beside';
    const bad = kind === 'beside' ? await queue.submit(poison(`poison-${round}`)) : undefined;
    const healthy: string[] = [];
    for (let i = 0; i < jobs; i++) healthy.push((await queue.submit(waveSpec(`healthy-${round}-${i}`, epochs))).id);
    for (const id of healthy) {
      const took = await secondsOf(queue, id);
      if (took === undefined) healthyFailed++;
      else seconds[kind].push(took);
    }
    if (bad) {
      const { attempts, failure } = (await ended(queue, bad.id, 300_000)) ?? {};
      ends.push(`${failure?.reason ?? 'not failed'} after ${attempts} attempts`);
    }
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [without, beside] = [mean(seconds.without), mean(seconds.beside)];
  return { jobs, rounds, without, beside, delay: beside / without - 1, healthyFailed, poison: ends };
}

async function secondsOf(queue: JobQueue, id: string): Promise<number | undefined> {
  const job = await ended(queue, id, 600_000);
  if (job?.state !== 'succeeded') return undefined;
  return (Date.parse(job.finishedAt ?? '') - Date.parse(job.createdAt)) / 1000;
}
