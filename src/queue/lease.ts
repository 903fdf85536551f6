/**
 * One claimed job in the hands of a worker: the right to report on it, and the signal to stop. Reports are gathered and
 * sent a few times a second; while Redis is away they are kept.
 */

import type { Redis } from 'ioredis';
import type { EpochMetrics, EpochSample, JobProgress, JobSpec, SampleRows } from '../jobspec/job.ts';
import { reportScript, sampleScript } from './lease-scripts.ts';

/** Why a job has to stop. `lost`: another worker holds it now, nothing more may be written. */
export type StopReason = 'cancelled' | 'draining' | 'deadline' | 'lost';

export interface Claim {
  readonly id: string;
  /** the fencing token: grows with each claim of the job */
  readonly attempt: number;
  /** grows when the job is started over; checkpoints of another run are not used */
  readonly run: number;
  readonly spec: JobSpec;
  /** whose data set it trains on, and whose model it makes */
  readonly tenant: string;
  /** a trial of a sweep: trained, but not published */
  readonly isTrial: boolean;
  /** when it was queued, in ms since 1970 on the clock of Redis; records of earlier releases do not say */
  readonly queuedAt?: number;
  /** position of its submission in a trace (src/base/traceparent.ts) */
  readonly traceparent?: string;
  /** a sweep whose trials have ended: the best one is published under this job's id */
  readonly best?: { readonly id: string; readonly run: number; readonly trials: readonly string[] };
}

const reportEveryMs = 250;
const maxSamples = 128;
/** jobs whose samples are kept */
const maxSampledJobs = 200;
const maxKeptEpochs = 100_000;

/** Epochs of an attempt are numbered, so that a report that is sent again does not tell one twice. */
interface NumberedEpoch {
  readonly number: number;
  readonly epoch: EpochMetrics;
}

export class Lease {
  readonly claim: Claim;
  readonly #client: Redis;
  readonly #base: string;
  readonly #stop = new AbortController();
  readonly #lost = new AbortController();
  #progress = '';
  #mark = '';
  #epochs: NumberedEpoch[] = [];
  #epochCount = 0;
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastSent = Number.NEGATIVE_INFINITY;

  constructor(claim: Claim, client: Redis, base: string) {
    this.claim = claim;
    this.#client = client;
    this.#base = base;
  }

  /** aborted with a StopReason */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** aborted when the job belongs to another worker: nothing may be written any more */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get stopReason(): StopReason | undefined {
    if (this.lost.aborted) return 'lost';
    return this.signal.aborted ? (this.signal.reason as StopReason) : undefined;
  }

  /** The first reason counts, but for `lost`, which overrules all. */
  stop(reason: StopReason): void {
    if (reason === 'lost') this.#lost.abort(reason);
    this.#stop.abort(reason);
  }

  progress(progress: JobProgress): void {
    this.#progress = JSON.stringify(progress);
    this.#schedule();
  }

  epoch(epoch: EpochMetrics): void {
    this.#epochs.push({ number: ++this.#epochCount, epoch });
    if (this.#epochs.length > maxKeptEpochs) this.#epochs.shift();
    this.#schedule();
  }

  /** A picture of the training for people. Nothing depends on it: one that cannot be sent is left out. */
  sample(rows: SampleRows, sample: EpochSample): void {
    const { id, attempt } = this.claim;
    const { phase, epoch } = sample;
    const about = [JSON.stringify(rows), JSON.stringify(sample), phase, epoch, maxSamples, maxSampledJobs] as const;
    sampleScript.run(this.#client, this.#base, id, attempt, ...about).catch(() => undefined);
  }

  /** A checkpoint was written: crashes before it no longer count. `mark` differs from checkpoint to checkpoint. */
  checkpointed(mark: string): void {
    this.#mark = mark;
    this.#schedule();
  }

  /** Sends what is waiting. Throws when Redis is away; nothing is forgotten then. */
  async flush(): Promise<void> {
    await this.#sending;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isWaiting) await this.#send();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #isWaiting(): boolean {
    return this.#progress !== '' || this.#mark !== '' || this.#epochs.length > 0;
  }

  /** One report is under way at a time, so that they arrive in order. */
  #schedule(): void {
    if (this.#timer || this.#sending) return;
    const wait = Math.max(0, this.#lastSent + reportEveryMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send()
        .catch(() => undefined) // Redis is away: what was not sent is still waiting
        .finally(() => {
          this.#sending = undefined;
          if (this.#isWaiting && !this.signal.aborted) this.#schedule();
        });
    }, wait);
  }

  async #send(): Promise<void> {
    this.#lastSent = performance.now();
    const { id, attempt } = this.claim;
    const [progress, mark, epochs] = [this.#progress, this.#mark, this.#epochs];
    [this.#progress, this.#mark, this.#epochs] = ['', '', []];
    try {
      const events = epochs.flatMap(({ number, epoch }) => [number, JSON.stringify(epoch)]);
      const state = await reportScript.run(this.#client, this.#base, id, attempt, progress, mark, ...events);
      if (state === 'lost') this.stop('lost');
      if (state === 'cancelling') this.stop('cancelled');
    } catch (error) {
      this.#progress ||= progress;
      this.#mark ||= mark;
      this.#epochs = [...epochs, ...this.#epochs];
      throw error;
    }
  }
}
