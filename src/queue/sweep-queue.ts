/** The contract for sweeps, beside the one for jobs; redis-sweep-queue.ts implements it. */

import type { ResolvedSweep, SweepView } from '../jobspec/sweep.ts';
import type { SubmitOptions } from './submit-options.ts';

export type SubmitSweepOptions = Pick<SubmitOptions, 'caller' | 'idempotencyKey' | 'priority' | 'datasetIdentity'>;

/** Fails as JobQueue does. */
export interface SweepQueue {
  submit(sweep: ResolvedSweep, options?: SubmitSweepOptions): Promise<SweepView>;
  /** throws `job-not-found` */
  get(id: string): Promise<SweepView>;
  /** newest first, at most `limit` (default 50) */
  list(limit?: number): Promise<readonly SweepView[]>;
  /** cancels its trials as well; idempotent; throws `job-finished`, `job-not-found` */
  cancel(id: string): Promise<SweepView>;
}
