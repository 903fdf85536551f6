/** Sweeps on Redis: a record that waits for the records of its trials, delivered together as a BullMQ flow. */

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { HourglassError } from '../base/errors.ts';
import type { JobFailure, JobSpec, JobState } from '../jobspec/job.ts';
import { newJobId } from '../jobspec/job-id.ts';
import {
  type ResolvedSweep,
  type SweepSearch,
  type SweepView,
  sweepObjective,
  type TrialView,
} from '../jobspec/sweep.ts';
import { fingerprintOf, type JobRecord } from './job-record.ts';
import { cancelScript, submitSweepScript } from './job-scripts.ts';
import { type QueueSettings, submitAdvice } from './redis.ts';
import type { Script } from './script.ts';
import type { SubmitSweepOptions, SweepQueue } from './sweep-queue.ts';

/** What RedisJobQueue lends: its connection, its failures with their codes, its limits. */
export interface SweepParts {
  readonly client: Redis;
  readonly base: string;
  /** in front of the keys of the tenant's lists */
  readonly home: string;
  readonly tenant: string;
  readonly settings: QueueSettings;
  readonly idempotencyLifetimeMs: number;
  readonly guarded: <T>(call: () => Promise<T>) => Promise<T>;
  /**
   * Runs a script that changes something and returns the record in its answer, or throws what the answer refuses. `advice` is
   * for a client who cannot know whether it was run.
   */
  readonly change: (script: Script, advice: string, ...args: (string | number)[]) => Promise<JobRecord>;
  /** to BullMQ, and out of it again; where that does not work now it is done later */
  readonly handOver: (id: string) => void;
  readonly withdraw: (id: string) => void;
  /** throws `job-not-found` */
  readonly record: (id: string) => Promise<JobRecord>;
  readonly notFound: () => Error;
}

const json = <T>(text: string): T => JSON.parse(text) as T;
const iso = (ms: string): string => new Date(Number(ms)).toISOString();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A search is kept as it was sent, values that no trial has drawn too. */
const maxSearchLength = 256 * 1024;
const searchTooLong = (length: number): HourglassError =>
  new HourglassError(
    'invalid-spec',
    `The search is ${length} characters of JSON; ${maxSearchLength} are allowed. Give fewer or shorter values.`,
    { field: '/search', expected: maxSearchLength, found: length },
  );

export class RedisSweepQueue implements SweepQueue {
  readonly #parts: SweepParts;

  constructor(parts: SweepParts) {
    this.#parts = parts;
  }

  async submit({ search, trials, warnings }: ResolvedSweep, options: SubmitSweepOptions = {}): Promise<SweepView> {
    const { caller, idempotencyKey: key, priority = 0, datasetIdentity = '' } = options;
    const { settings, idempotencyLifetimeMs, tenant } = this.#parts;
    const now = Date.now();
    const id = newJobId(now);
    const ids = trials.map((_, i) => newJobId(now + i)); // in their order wherever jobs are listed
    const first = trials[0]?.spec;
    const searchText = JSON.stringify(search);
    if (searchText.length > maxSearchLength) throw searchTooLong(searchText.length);
    const record = await this.#parts.change(
      submitSweepScript,
      submitAdvice(key, `sweep ${id}`, `/v1/sweeps/${id}`),
      id,
      searchText,
      JSON.stringify(warnings),
      priority,
      settings.keepEvents,
      // its own trials must not push a sweep out of the history
      settings.keepJobs + trials.length,
      key === undefined ? '' : sha256(key),
      fingerprintOf({ search, specs: trials.map(({ spec }) => spec), priority }),
      idempotencyLifetimeMs,
      caller?.address === undefined ? '' : sha256(caller.address),
      settings.maxWaiting,
      settings.maxWaitingPerClient,
      first?.dataset ?? '',
      datasetIdentity,
      first?.training.device ?? 'any',
      JSON.stringify(ids),
      caller?.traceparent ?? '',
      tenant,
      settings.tenantJobs?.waiting ?? '',
      settings.tenantJobs?.running ?? '',
      ...trials.flatMap(({ spec, parameters }, i) => [
        ids[i] as string,
        JSON.stringify(spec),
        JSON.stringify(parameters),
        spec.training.device,
      ]),
    );
    const view = await this.#view(record);
    if (view.state === 'queued') this.#parts.handOver(view.id);
    return view;
  }

  async get(id: string): Promise<SweepView> {
    return this.#view(await this.#sweep(id));
  }

  async list(limit = 50): Promise<readonly SweepView[]> {
    const { client, home, guarded } = this.#parts;
    const ids = await guarded(() => client.zrevrangebylex(`${home}sweeps`, '+', '-', 'LIMIT', 0, limit));
    return Promise.all(ids.map((id) => this.get(id)));
  }

  async cancel(id: string): Promise<SweepView> {
    await this.#sweep(id);
    const advice = 'Ask for the sweep to see what became of it, then try again if need be.';
    const record = await this.#parts.change(cancelScript, advice, id, this.#parts.tenant);
    this.#parts.withdraw(id);
    return this.#view(record);
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
