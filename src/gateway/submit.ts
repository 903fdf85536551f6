/** From what a client sent to a queued job: the one way for every transport. */

import { HourglassError } from '../base/errors.ts';
import type { DatasetStore } from '../data/dataset.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import { type JobView, namePattern } from '../spec/job.ts';
import { resolveJobSpec } from '../spec/resolve.ts';

const longestKey = 255;
const nameRule = new RegExp(namePattern);

/**
 * `raw` is checked here and nowhere before. Throws what `resolveJobSpec`, `DatasetStore.info` and `JobQueue.submit` throw,
 * and `invalid-request` for an idempotency key that is too long.
 */
export async function submitJob(
  { queue, datasets }: { readonly queue: JobQueue; readonly datasets: Pick<DatasetStore, 'info'> },
  raw: unknown,
  idempotencyKey?: string,
): Promise<JobView> {
  if (idempotencyKey !== undefined && (idempotencyKey.length === 0 || idempotencyKey.length > longestKey)) {
    throw new HourglassError(
      'invalid-request',
      `The idempotency key has ${idempotencyKey.length} characters; 1 to ${longestKey} are allowed.`,
      { field: 'idempotency-key', expected: `1 to ${longestKey} characters`, found: idempotencyKey.length },
    );
  }
  const name = datasetNameOf(raw);
  // Defaults depend on the data set, so it is looked up first; a malformed name is left to the specification's check.
  const dataset = name === undefined ? undefined : await datasets.info(name);
  const { spec, warnings } = resolveJobSpec(raw, dataset && { dataset });
  return queue.submit(spec, { warnings, ...(idempotencyKey !== undefined && { idempotencyKey }) });
}

function datasetNameOf(raw: unknown): string | undefined {
  if (typeof raw !== 'object' || raw === null || !('dataset' in raw)) return undefined;
  return typeof raw.dataset === 'string' && nameRule.test(raw.dataset) ? raw.dataset : undefined;
}
