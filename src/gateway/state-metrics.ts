/**
 * Metrics of what lies outside of the process and is read when somebody asks for metrics: the queue's counts, which are right also
 * when no worker is alive, and which models this gateway knows of.
 */

import { createHash } from 'node:crypto';
import type { Metrics } from '../platform/metrics.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { BlobStore } from '../store/contract.ts';

export async function recordQueue(queue: JobQueue, metrics: Metrics): Promise<void> {
  try {
    const reading = [queue.countsOfAll(), queue.endings(), queue.queues()] as const;
    const [counts, { outcomes, failures }, queues] = await Promise.all(reading);
    metrics.set('queueUp', 1);
    for (const [state, count] of Object.entries(counts)) {
      metrics.set('queueJobs', count, { state: state as keyof typeof counts });
    }
    for (const { name, waiting, running, workers, oldestWaitMs } of queues) {
      metrics.set('queueWaiting', waiting, { queue: name });
      metrics.set('queueRunning', running, { queue: name });
      metrics.set('queueWorkers', workers, { queue: name });
      metrics.set('queueOldestWait', oldestWaitMs / 1000, { queue: name });
    }
    for (const [outcome, count] of Object.entries(outcomes)) {
      metrics.total('jobsFinished', count, { outcome: outcome as keyof typeof outcomes });
    }
    for (const [reason, count] of Object.entries(failures)) metrics.total('jobFailures', count, { reason });
  } catch {
    metrics.set('queueUp', 0);
  }
}

/** Gateways that see the same versions and aliases show the same fingerprint. */
export async function recordModels(versions: Pick<BlobStore, 'folders' | 'stamp' | 'ageMs'>, metrics: Metrics) {
  const hash = createHash('sha256');
  for (const folder of [...(await versions.folders())].sort())
    hash.update(`${folder} ${await versions.stamp(folder)}\n`);
  // A gauge holds 53 bits exactly.
  metrics.set('modelsFingerprint', hash.digest().readUIntBE(0, 6));
  metrics.set('modelsAge', versions.ageMs() / 1000);
}
