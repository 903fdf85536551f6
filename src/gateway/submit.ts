/** From what a client sent to a queued job: the one way for every transport. */

import { type Static, Type } from 'typebox';
import { HourglassError } from '../base/errors.ts';
import type { DatasetStore } from '../data/dataset.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import { checkAgainst } from '../spec/check.ts';
import { type JobView, namePattern } from '../spec/job.ts';
import { resolveJobSpec } from '../spec/resolve.ts';

/** What a submission may say besides the job's specification, in the same object. */
export const SubmitMembers = Type.Object(
  {
    priority: Type.Optional(
      Type.Integer({
        minimum: -1000,
        maximum: 1000,
        description: 'jobs of higher priority start first; 0 when absent',
      }),
    ),
    deadlineSeconds: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 366 * 24 * 3600,
        description: 'seconds from now until which the job must have ended',
      }),
    ),
  },
  { additionalProperties: false },
);
type SubmitMembers = Static<typeof SubmitMembers>;

const longestKey = 255;
const nameRule = new RegExp(namePattern);

/**
 * `raw` is what a client sent, checked here and nowhere before: a job specification and what SubmitMembers lists. Throws
 * what `resolveJobSpec`, `DatasetStore.info` and `JobQueue.submit` throw, and `invalid-request` for an idempotency key that
 * is empty or too long.
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
      { field: 'Idempotency-Key', expected: `1 to ${longestKey} characters`, found: idempotencyKey.length },
    );
  }
  const { members, job } = split(raw);
  const name = datasetNameOf(job);
  // Defaults depend on the data set, so it is looked up first; a malformed name is left to the specification's check.
  const dataset = name === undefined ? undefined : await datasets.info(name);
  const { spec, warnings } = resolveJobSpec(job, dataset && { dataset });
  return queue.submit(spec, { ...members, warnings, ...(idempotencyKey !== undefined && { idempotencyKey }) });
}

/** Anything but an object is left to the specification's check. */
function split(raw: unknown): { readonly members: SubmitMembers; readonly job: unknown } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { members: {}, job: raw };
  const entries = Object.entries(raw);
  const isOurs = ([key]: [string, unknown]): boolean => Object.hasOwn(SubmitMembers.properties, key);
  const ours = Object.fromEntries(entries.filter(isOurs));
  const job = Object.fromEntries(entries.filter((entry) => !isOurs(entry)));
  return { members: checkAgainst(SubmitMembers, ours) as SubmitMembers, job };
}

function datasetNameOf(job: unknown): string | undefined {
  if (typeof job !== 'object' || job === null || !('dataset' in job)) return undefined;
  return typeof job.dataset === 'string' && nameRule.test(job.dataset) ? job.dataset : undefined;
}
