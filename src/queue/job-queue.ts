/** The queue contract of one tenant that both gateways and the sweep code use; redis-job-queue.ts implements it. */

import type { GatewayView, JobEvent, JobSamples, JobSpec, JobState, JobView, WorkerView } from '../jobspec/job.ts';
import type { Device } from '../jobspec/training.ts';
import type { SubmitOptions } from './submit-options.ts';
import type { SweepQueue } from './sweep-queue.ts';

export type { SubmitOptions } from './submit-options.ts';

export interface ListQuery {
  readonly state?: JobState;
  /** what the id, the name, the data set or the model's type contains */
  readonly search?: string;
  /** with the losses of the newest epochs */
  readonly losses?: boolean;
  /** default 50 */
  readonly limit?: number;
  /** `nextCursor` of the page before */
  readonly cursor?: string;
}

export interface JobPage {
  readonly jobs: readonly JobView[];
  readonly nextCursor?: string;
}

/** What waits and runs in a queue. Jobs are in the queue of the device that they need. */
export interface QueueView {
  readonly name: Device;
  /** jobs that a worker could begin now, those that wait for a retry too */
  readonly waiting: number;
  readonly running: number;
  /** workers that take from it */
  readonly workers: number;
  /** how long the job that has waited longest has done so; 0 when none waits */
  readonly oldestWaitMs: number;
}

export interface Endings {
  readonly outcomes: Readonly<Record<'succeeded' | 'failed' | 'cancelled', number>>;
  /** as `failure.reason` of a job */
  readonly failures: Readonly<Record<string, number>>;
}

/**
 * Every call throws `queue-unavailable` within a second when Redis is gone, `queue-storage-full` when it has no room, and
 * those that change something `outcome-unknown` when the change was sent and no answer came.
 */
export interface JobQueue {
  readonly sweeps: SweepQueue;
  /** throws `idempotency-key-reused`, `quota-exceeded`, and `dataset-not-found` for a data set that was retired meanwhile */
  submit(spec: JobSpec, options?: SubmitOptions): Promise<JobView>;
  /** throws `job-not-found` */
  get(id: string): Promise<JobView>;
  /**
   * Newest first; throws `invalid-request` for a cursor that is none. A search looks at a bounded number of jobs, so a page of it
   * may hold fewer than `limit` jobs, or none, and still have a next one.
   */
  list(query?: ListQuery): Promise<JobPage>;
  /** idempotent; throws `job-finished` for a job that ended otherwise, `job-not-found` */
  cancel(id: string): Promise<JobView>;
  /**
   * Queues a failed or cancelled job again: from its newest checkpoint, or from the start. Throws `job-not-found`,
   * `job-not-finished`, and `job-finished` for one that succeeded.
   */
  restart(id: string, from: 'checkpoint' | 'start'): Promise<JobView>;
  /** deletes the record of a job that has ended; throws `job-not-found`, `job-not-finished` */
  remove(id: string): Promise<void>;
  /**
   * Replays events after `lastEventId` (all when absent), then follows live until the `end` event or abort. Throws
   * `job-not-found` and `invalid-request` (not an event id) before the first event; later outages are waited out.
   */
  events(id: string, options?: { lastEventId?: string; signal?: AbortSignal }): AsyncIterable<JobEvent>;
  /**
   * Before a data set is deleted: from now on no job can be queued that was checked against this very set (the same name may
   * be uploaded again). Throws `dataset-in-use` when a job or sweep that has not ended names it.
   */
  retireDataset(name: string, identity: string): Promise<void>;
  /** takes `retireDataset` back, because the set could not be deleted */
  keepDataset(name: string): Promise<void>;
  /** what waits and runs, by queue; for the tenant `default`, which operates the service, of all tenants together */
  queues(): Promise<readonly QueueView[]>;
  /** the workers that are there; other tenants than `default` see neither their machines nor the jobs of others */
  workers(): Promise<readonly WorkerView[]>;
  /** the gateways that are there */
  gateways(): Promise<readonly GatewayView[]>;
  /** what the model made of some held-out rows, epoch after epoch, from the sample `after` on; throws `job-not-found` */
  samples(id: string, after?: number): Promise<JobSamples>;
  /** how many jobs have ended since the queue was made, whoever ended them: by outcome, failures also by reason; for metrics */
  endings(): Promise<Endings>;
  /** number of the tenant's jobs by state */
  counts(): Promise<Readonly<Record<JobState, number>>>;
  /** number of all tenants' jobs by state, for metrics */
  countsOfAll(): Promise<Readonly<Record<JobState, number>>>;
  /** one round trip; rejects when the queue cannot be used */
  ping(): Promise<void>;
  close(): Promise<void>;
}
