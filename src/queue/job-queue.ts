/** The queue contract that both gateways and the sweep code use; src/queue/bullmq-*.ts implements it on Redis. */

import type { JobEvent, JobSpec, JobState, JobView } from '../spec/job.ts';

export interface SubmitOptions {
  /** a resolved spec's warnings, kept with the job */
  readonly warnings?: readonly string[];
  /** the same key with the same body returns the first job; another body is `idempotency-key-reused` */
  readonly idempotencyKey?: string;
}

export interface JobPage {
  readonly jobs: readonly JobView[];
  readonly nextCursor?: string;
}

/** Every call throws `queue-unavailable` within a second when Redis is gone, `queue-storage-full` when it has no room. */
export interface JobQueue {
  submit(spec: JobSpec, options?: SubmitOptions): Promise<JobView>;
  /** throws `job-not-found` */
  get(id: string): Promise<JobView>;
  /** newest first */
  list(query?: { state?: JobState; limit?: number; cursor?: string }): Promise<JobPage>;
  /** idempotent; throws `job-finished` for a job that ended otherwise, `job-not-found` */
  cancel(id: string): Promise<JobView>;
  /** replays events after `lastEventId` (all when absent), then follows live until the `end` event or abort */
  events(id: string, options?: { lastEventId?: string; signal?: AbortSignal }): AsyncIterable<JobEvent>;
  /** number of jobs by state, for metrics */
  counts(): Promise<Readonly<Record<JobState, number>>>;
  /** one round trip; rejects when the queue cannot be used */
  ping(): Promise<void>;
  close(): Promise<void>;
}
