/** What a submission may say beside its spec: a job's and, in part, a sweep's. */

import type { Caller } from '../base/caller.ts';

export interface SubmitOptions {
  /** whose job it is; absent: the default caller's. The waiting jobs of one address are bounded, as are all together */
  readonly caller?: Caller;
  /** the request before defaults were filled in, kept with the job */
  readonly asked?: unknown;
  /** a resolved spec's warnings, kept with the job */
  readonly warnings?: readonly string[];
  /** the same key with the same body returns the first job; another body is `idempotency-key-reused` */
  readonly idempotencyKey?: string;
  /** -1000 … 1000, default 0; jobs of higher priority start first */
  readonly priority?: number;
  /** seconds from now until which the job must have ended; else it fails with `deadline-exceeded` */
  readonly deadlineSeconds?: number;
  /** of the data set that the specification was checked against: see `JobQueue.retireDataset` */
  readonly datasetIdentity?: string;
}
