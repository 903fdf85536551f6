/** What the scripts of the job records refuse, as errors that a client gets. */

import { HourglassError } from '../base/errors.ts';
import type { QueueSettings } from './redis.ts';

export const notFound = (): HourglassError =>
  new HourglassError('job-not-found', 'There is no job with this id. It may have been deleted.', { field: 'id' });

const quota = (message: string, found: unknown, expected: number): HourglassError =>
  new HourglassError('quota-exceeded', message, {
    ...{ found, expected, retryAfter: 30 },
    policy: { name: 'queued-jobs', quota: expected, unit: 'jobs' },
  });

/** By the first word of a script's answer, when it is not `ok`; `about` is the second. */
export const refusals: Readonly<Record<string, (about: unknown, settings: QueueSettings) => HourglassError>> = {
  unknown: notFound,
  reused: () =>
    new HourglassError(
      'idempotency-key-reused',
      'This idempotency key was used for another request. Use a new key, or send the first request again unchanged.',
      { field: 'Idempotency-Key' },
    ),
  full: (waiting, { maxWaiting }) =>
    quota(
      `${waiting} jobs wait already, and HOURGLASS_MAX_QUEUED_JOBS allows ${maxWaiting}. Submit again when some have begun, or cancel some.`,
      waiting,
      maxWaiting,
    ),
  'client-full': (waiting, { maxWaitingPerClient }) =>
    quota(
      `${waiting} of your jobs wait already, and HOURGLASS_MAX_QUEUED_JOBS_PER_CLIENT allows ${maxWaitingPerClient} from one address. Submit again when some have begun, or cancel some.`,
      waiting,
      maxWaitingPerClient,
    ),
  'tenant-full': (waiting, { tenantJobs }) =>
    quota(
      `${waiting} jobs of your tenant wait already, and HOURGLASS_TENANT_QUEUED_JOBS allows ${tenantJobs?.waiting}. Submit again when some have begun, or cancel some.`,
      waiting,
      tenantJobs?.waiting ?? 0,
    ),
  retired: () => new HourglassError('dataset-not-found', 'The data set has just been deleted.', { field: '/dataset' }),
  used: (job) =>
    new HourglassError(
      'dataset-in-use',
      `The data set is used by the job ${job}. Wait for its end or cancel it, then delete the data set.`,
      { found: job },
    ),
  finished: () => new HourglassError('job-finished', 'The job has ended; it cannot be cancelled.'),
  succeeded: () => new HourglassError('job-finished', 'The job has succeeded. Submit a new one to train again.'),
  active: () => new HourglassError('job-not-finished', 'The job has not ended. Cancel it first, or wait for its end.'),
};
