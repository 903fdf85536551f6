/** What a client may do to data sets: the one way for every transport. */

import { type Static, Type } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import type { DatasetInfo, DatasetStore, Upload, UploadPart } from '../data/dataset.ts';
import { UploadOptions } from '../data/upload.ts';
import { type JobState, Name } from '../jobspec/job.ts';
import { supported } from '../jobspec/schema-check.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import { withoutPauses } from './pauses.ts';
import { checkRequest } from './request-check.ts';

const UploadHead = supported(
  Type.Object({ name: Name, options: Type.Optional(UploadOptions) }, { additionalProperties: false }),
);
type UploadHead = Static<typeof UploadHead>;

export interface DatasetRequest {
  readonly client: string;
  /** `{name, options}` as the client sent it, checked before any part is read */
  readonly head: unknown;
  readonly parts: Upload['parts'];
  readonly signal: AbortSignal;
  /** a client that sends nothing for so long is cut off */
  readonly stallMs: number;
}

/**
 * Throws `invalid-request`, `unknown-field`, `invalid-type`, `non-finite`, `request-timeout` and what `DatasetStore.create`
 * throws.
 */
export async function createDataset(
  datasets: Pick<DatasetStore, 'create'>,
  { client, head, parts, signal, stallMs }: DatasetRequest,
): Promise<DatasetInfo> {
  const { name, options } = checkRequest(UploadHead, head) as UploadHead;
  return datasets.create(name, { client, signal, parts: timed(parts, stallMs), ...(options && { options }) });
}

async function* timed(parts: Upload['parts'], stallMs: number): AsyncGenerator<UploadPart> {
  const all = Symbol.asyncIterator in parts ? withoutPauses(parts, stallMs) : parts;
  for await (const part of all) yield { ...part, content: withoutPauses(part.content, stallMs) };
}

/** States of jobs that may still read their data set. */
const unfinished = ['queued', 'running', 'cancelling'] as const satisfies readonly JobState[];

/**
 * Throws `dataset-in-use` while a job waits for the set or reads it, `queue-unavailable` when that cannot be known, and what
 * `DatasetStore.delete` throws.
 */
export async function deleteDataset(datasets: DatasetStore, queue: JobQueue, name: string): Promise<void> {
  const { builtIn } = await datasets.info(name);
  const user = builtIn ? undefined : await jobWith(queue, name);
  if (user !== undefined) {
    throw new HourglassError(
      'dataset-in-use',
      `The data set ${name} is used by the job ${user}. Wait for its end or cancel it, then delete the data set.`,
      { found: user },
    );
  }
  await datasets.delete(name);
}

async function jobWith(queue: JobQueue, dataset: string): Promise<string | undefined> {
  for (const state of unfinished) {
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await queue.list({ state, limit: 500, ...(cursor !== undefined && { cursor }) });
      const job = page.jobs.find(({ spec }) => spec.dataset === dataset);
      if (job) return job.id;
      cursor = page.nextCursor;
    }
  }
  return undefined;
}
