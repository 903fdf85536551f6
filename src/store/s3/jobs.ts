/**
 * Checkpoints and fences in a bucket.
 *
 *   jobs/<job>/state                      newest attempt, and the checkpoints of each run
 *   jobs/<job>/checkpoints/<run>-…        tensors of one checkpoint
 *
 * An attempt writes the state only in place of what it wrote itself (If-Match), so the bucket refuses an attempt that was
 * overtaken: the later one has written the state in between. Tensors count only when the state names them.
 */

import { randomUUID } from 'node:crypto';
import { type CheckpointFiles, type Fence, FencedError, type JobFiles } from '../contract.ts';
import type { BucketClient } from './bucket.ts';

interface StoredCheckpoint {
  readonly number: number;
  readonly key: string;
  readonly manifest: string;
}

export interface JobState {
  readonly attempt: number;
  /** when the first attempt began, in milliseconds */
  readonly began: number;
  /** of who wrote it */
  readonly token: string;
  /** newest first, by run */
  readonly runs: Readonly<Record<string, readonly StoredCheckpoint[]>>;
}

export const jobPrefix = 'jobs/';
const stateKey = (job: string): string => `${jobPrefix}${job}/state`;
const kept = 2;

export class BucketJobs implements JobFiles {
  readonly #bucket: BucketClient;

  constructor(bucket: BucketClient) {
    this.#bucket = bucket;
  }

  async begin(job: string, attempt: number): Promise<Fence> {
    const record = new JobRecord(this.#bucket, job, attempt);
    await record.begin();
    return new BucketFence(record);
  }

  checkpoints(job: string, run: number, fence: Fence): CheckpointFiles {
    const isOwn = fence instanceof BucketFence && fence.record.job === job;
    return new BucketCheckpoints(this.#bucket, isOwn ? fence.record : new JobRecord(this.#bucket, job), run, fence);
  }

  async idle(ageMs: number): Promise<readonly string[]> {
    const limit = Date.now() - ageMs;
    const newest = new Map<string, number>();
    for await (const { key, modifiedAt } of this.#bucket.list(jobPrefix)) {
      const job = key.slice(jobPrefix.length).split('/')[0] ?? '';
      newest.set(job, Math.max(newest.get(job) ?? 0, modifiedAt));
    }
    return [...newest].filter(([, modifiedAt]) => modifiedAt < limit).map(([job]) => job);
  }

  async forget(job: string): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of this.#bucket.list(`${jobPrefix}${job}/`)) keys.push(key);
    await this.#bucket.deleteAll(keys);
  }
}

/** The state of a job as this process last read or wrote it. */
class JobRecord {
  readonly job: string;
  readonly #bucket: BucketClient;
  readonly #attempt: number | undefined;
  readonly #token = randomUUID();
  #known: { readonly state: JobState; readonly etag: string } | undefined;

  /** `attempt`: undefined for the checkpoints of another job, which are written under the fence of one's own */
  constructor(bucket: BucketClient, job: string, attempt?: number) {
    this.#bucket = bucket;
    this.job = job;
    this.#attempt = attempt;
  }

  async begin(): Promise<void> {
    for (;;) {
      await this.#read();
      const before = this.#known?.state;
      const attempt = this.#attempt ?? 0;
      if (before && before.attempt > attempt) throw new FencedError(attempt, before.attempt);
      const began = before?.began ?? Date.now();
      if (await this.#write({ attempt, began, token: this.#token, runs: before?.runs ?? {} })) return;
    }
  }

  /** Throws FencedError unless the state is still the one that this process wrote. */
  async check(): Promise<void> {
    const there = await this.#bucket.head(stateKey(this.job));
    if (there && there.etag === this.#known?.etag) return;
    await this.#read();
    this.#requireOwn();
  }

  async runs(): Promise<JobState['runs']> {
    if (!this.#known) await this.#read();
    return this.#known?.state.runs ?? {};
  }

  /** Replaces the checkpoints of a run. Throws FencedError when a later attempt has written. */
  async setRun(run: number, checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    for (;;) {
      const runs = { ...(await this.runs()), [run]: checkpoints };
      const { attempt = 0, began = Date.now() } = this.#known?.state ?? {};
      if (await this.#write({ attempt, began, token: this.#token, runs })) return;
      await this.#read();
      // Ours: the answer to an earlier write got lost. Of another job nobody but the fence decides.
      if (this.#attempt !== undefined) this.#requireOwn();
    }
  }

  async #read(): Promise<void> {
    const found = await this.#bucket.get(stateKey(this.job));
    this.#known = found && {
      state: JSON.parse(Buffer.from(found.bytes).toString()) as JobState,
      etag: found.etag,
    };
  }

  async #write(state: JobState): Promise<boolean> {
    const condition = this.#known ? { etag: this.#known.etag } : ({ absent: true } as const);
    const etag = await this.#bucket.putIf(stateKey(this.job), Buffer.from(JSON.stringify(state)), condition);
    if (etag === undefined) return false;
    this.#known = { state, etag };
    return true;
  }

  #requireOwn(): void {
    const state = this.#known?.state;
    if (state?.token !== this.#token) throw new FencedError(this.#attempt ?? 0, state?.attempt ?? 0);
  }
}

class BucketFence implements Fence {
  readonly record: JobRecord;

  constructor(record: JobRecord) {
    this.record = record;
  }

  check(): Promise<void> {
    return this.record.check();
  }
}

class BucketCheckpoints implements CheckpointFiles {
  readonly isRemote = true;
  readonly #bucket: BucketClient;
  readonly #record: JobRecord;
  readonly #run: number;
  readonly #fence: Fence;

  constructor(bucket: BucketClient, record: JobRecord, run: number, fence: Fence) {
    this.#bucket = bucket;
    this.#record = record;
    this.#run = run;
    this.#fence = fence;
  }

  async numbers(): Promise<readonly number[]> {
    return (await this.#all()).map(({ number }) => number);
  }

  async manifest(number: number): Promise<Uint8Array | undefined> {
    const found = await this.#find(number);
    return found && Buffer.from(found.manifest);
  }

  async tensors(number: number): Promise<Uint8Array | undefined> {
    const found = await this.#find(number);
    return found && (await this.#bucket.get(found.key))?.bytes;
  }

  async save(tensors: Uint8Array, manifest: (file: string) => Uint8Array): Promise<void> {
    await this.#fence.check();
    const before = await this.#all();
    const number = (before[0]?.number ?? 0) + 1;
    const file = `${this.#run}-${number}-${randomUUID()}.safetensors`;
    const key = `${jobPrefix}${this.#record.job}/checkpoints/${file}`;
    await this.#bucket.put(key, tensors);
    const added = { number, key, manifest: Buffer.from(manifest(file)).toString() };
    try {
      await this.#record.setRun(this.#run, [added, ...before].slice(0, kept));
    } catch (error) {
      if (error instanceof FencedError) await this.#bucket.delete(key).catch(() => undefined);
      throw error;
    }
    const dropped = before.slice(kept - 1).map((old) => old.key);
    // What stays behind is removed with the job.
    if (dropped.length > 0) await this.#bucket.deleteAll(dropped).catch(() => undefined);
  }

  async #all(): Promise<readonly StoredCheckpoint[]> {
    return (await this.#record.runs())[this.#run] ?? [];
  }

  async #find(number: number): Promise<StoredCheckpoint | undefined> {
    return (await this.#all()).find((checkpoint) => checkpoint.number === number);
  }
}
