/** Sweeps on Redis: a record that waits for the records of its trials, delivered together as a BullMQ flow. */

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { JobFailure, JobSpec, JobState } from '../jobspec/job.ts';
import {
  type ResolvedSweep,
  type SweepSearch,
  type SweepView,
  sweepObjective,
  type TrialView,
} from '../jobspec/sweep.ts';
import { canonicalJson, type JobRecord, newJobId } from './job-record.ts';
import { cancelScript, submitSweepScript } from './job-scripts.ts';
import type { Script } from './script.ts';
import type { SweepQueue } from './sweep-queue.ts';

/** What RedisJobQueue lends: its connection, its failures with their codes, its limits. */
export interface SweepParts {
  readonly client: Redis;
  readonly base: string;
  readonly keepJobs: number;
  readonly keepEvents: number;
  readonly idempotencyLifetimeMs: number;
  readonly guarded: <T>(call: () => Promise<T>) => Promise<T>;
  /** runs a script and returns the record in its answer, or throws what the answer refuses */
  readonly recordOf: (script: Script, ...args: (string | number)[]) => Promise<JobRecord>;
  /** throws `job-not-found` */
  readonly record: (id: string) => Promise<JobRecord>;
  readonly notFound: () => Error;
}

const json = <T>(text: string): T => JSON.parse(text) as T;
const iso = (ms: string): string => new Date(Number(ms)).toISOString();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export class RedisSweepQueue implements SweepQueue {
  readonly #parts: SweepParts;

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  async submit(
    { search, trials, warnings }: ResolvedSweep,
    { idempotencyKey, priority = 0 }: { idempotencyKey?: string; priority?: number } = {},
  ): Promise<SweepView> {
    const { keepEvents, keepJobs, idempotencyLifetimeMs } = this.#parts;
    const now = Date.now();
    const ids = trials.map((_, i) => newJobId(now + i)); // in their order wherever jobs are listed
    const record = await this.#parts.recordOf(
      submitSweepScript,
      newJobId(now),
      JSON.stringify(search),
      JSON.stringify(warnings),
      priority,
      keepEvents,
      // its own trials must not push a sweep out of the history
      keepJobs + trials.length,
      idempotencyKey === undefined ? '' : sha256(idempotencyKey),
      sha256(canonicalJson({ search, specs: trials.map(({ spec }) => spec), priority })),
      idempotencyLifetimeMs,
      JSON.stringify(ids),
      ...trials.flatMap(({ spec, parameters }, i) => [
        ids[i] as string,
        JSON.stringify(spec),
        JSON.stringify(parameters),
      ]),
    );
    return this.#view(record);
  }

  async get(id: string): Promise<SweepView> {
    return this.#view(await this.#sweep(id));
  }

  async list(limit = 50): Promise<readonly SweepView[]> {
    const { client, base, guarded } = this.#parts;
    const ids = await guarded(() => client.zrevrangebylex(`${base}sweeps`, '+', '-', 'LIMIT', 0, limit));
    return Promise.all(ids.map((id) => this.get(id)));
  }

  async cancel(id: string): Promise<SweepView> {
    await this.#sweep(id);
    return this.#view(await this.#parts.recordOf(cancelScript, id));
  }

  async #sweep(id: string): Promise<JobRecord> {
    const record = await this.#parts.record(id);
    if (record.trials === undefined) throw this.#parts.notFound();
    return record;
  }

  async #view(record: JobRecord): Promise<SweepView> {
    const { id = '', state, spec = '', search = '', createdAt = '', finishedAt, warnings, best } = record;
    const { model, version, metrics, failure } = record;
    const trials = await Promise.all(json<string[]>(record.trials ?? '[]').map((trial) => this.#trial(trial)));
    const known = trials.filter((trial) => trial !== undefined);
    const begun = known.some((trial) => trial.state !== 'queued');
    return {
      id,
      name: json<JobSpec>(spec).name,
      state: state === 'queued' && begun ? 'running' : (state as JobState),
      search: json<SweepSearch>(search),
      createdAt: iso(createdAt),
      ...(finishedAt !== undefined && { finishedAt: iso(finishedAt) }),
      trials: known,
      ...(best !== undefined && { best }),
      ...(model !== undefined && version !== undefined && { model, version: Number(version) }),
      ...(metrics !== undefined && { metrics: json<Record<string, number>>(metrics) }),
      ...(failure !== undefined && { failure: json<JobFailure>(failure) }),
      warnings: json<string[]>(warnings ?? '[]'),
    };
  }

  /** Undefined when its record was deleted. */
  async #trial(id: string): Promise<TrialView | undefined> {
    const { client, base, guarded } = this.#parts;
    const fields = ['state', 'parameters', 'metrics'] as const;
    const [state, parameters, metrics] = await guarded(() => client.hmget(`${base}job:${id}`, ...fields));
    if (!state) return undefined;
    const heldOutLoss = json<Record<string, number>>(metrics ?? '{}')[sweepObjective];
    return {
      id,
      state: state as JobState,
      parameters: json<Record<string, unknown>>(parameters ?? '{}'),
      ...(heldOutLoss !== undefined && { heldOutLoss }),
    };
  }
}
