/** The contract for sweeps, beside the one for jobs; redis-sweep-queue.ts implements it. */

import type { JobFailure, JobState, JobView } from '../spec/job.ts';
import type { ResolvedSweep, SweepSearch } from '../spec/sweep.ts';

export interface TrialView {
  /** of the trial's job */
  readonly id: string;
  readonly state: JobState;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly heldOutLoss?: number;
}

export interface SweepView {
  readonly id: string;
  /** name of the model that the best trial is published as */
  readonly name: string;
  /** `running` while trials run and while the best one is published */
  readonly state: JobState;
  readonly search: SweepSearch;
  readonly createdAt: string;
  readonly finishedAt?: string;
  /** in the order of the search */
  readonly trials: readonly TrialView[];
  /** id of the trial that is published */
  readonly best?: string;
  /** set when succeeded */
  readonly model?: string;
  readonly version?: number;
  readonly metrics?: JobView['metrics'];
  readonly failure?: JobFailure;
  readonly warnings: readonly string[];
}

/** Fails as JobQueue does. */
export interface SweepQueue {
  submit(sweep: ResolvedSweep, options?: { idempotencyKey?: string; priority?: number }): Promise<SweepView>;
  /** throws `job-not-found` */
  get(id: string): Promise<SweepView>;
  /** newest first, at most `limit` (default 50) */
  list(limit?: number): Promise<readonly SweepView[]>;
  /** cancels its trials as well; idempotent; throws `job-finished`, `job-not-found` */
  cancel(id: string): Promise<SweepView>;
}
