/**
 * The job queue as clients see it, on Redis: records, idempotency keys, events. It writes a record and a note that the job
 * is to be delivered in one step; workers hand it to BullMQ (delivery.ts). A gateway that dies at any moment therefore
 * loses nothing and doubles nothing.
 */

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { HourglassError } from '../base/errors.ts';
import type { EpochMetrics, JobEvent, JobProgress, JobSpec, JobState, JobView } from '../jobspec/job.ts';
import type { Logger } from '../platform/log.ts';
import { followStream, type StreamEntry, StreamNotifier } from './job-events.ts';
import type { Endings, JobPage, JobQueue, ListQuery, SubmitOptions } from './job-queue.ts';
import { canonicalJson, type JobRecord, newJobId, viewOf } from './job-record.ts';
import { cancelScript, removeScript, restartScript, submitScript } from './job-scripts.ts';
import {
  checkEviction,
  connectRedis,
  EvictionPolicyError,
  keyBase,
  type RedisSettings,
  redisError,
  untilReady,
} from './redis.ts';
import { RedisSweepQueue } from './redis-sweep-queue.ts';
import type { Reply, Script } from './script.ts';
import type { SweepQueue } from './sweep-queue.ts';

export interface QueueSettings extends RedisSettings {
  /** finished jobs that are kept */
  readonly keepJobs: number;
  /** events per job that are kept */
  readonly keepEvents: number;
}

const outcomes = ['succeeded', 'failed', 'cancelled'] as const;
const states = ['queued', 'running', 'cancelling', ...outcomes] as const satisfies JobState[];
const idempotencyLifetimeMs = 24 * 3600 * 1000;
const eventPage = 500;
const idPattern = /^[0-9a-hjkmnp-tv-z]{26}$/;
const eventIdPattern = /^\d{1,20}-\d{1,20}$/;

const notFound = (): HourglassError =>
  new HourglassError('job-not-found', 'There is no job with this id. It may have been deleted.', { field: 'id' });

/** The first word of a script's answer, when it is not `ok`. */
const refusals: Readonly<Record<string, () => HourglassError>> = {
  unknown: notFound,
  reused: () =>
    new HourglassError(
      'idempotency-key-reused',
      'This idempotency key was used for another request. Use a new key, or send the first request again unchanged.',
      { field: 'Idempotency-Key' },
    ),
  finished: () => new HourglassError('job-finished', 'The job has ended; it cannot be cancelled.'),
  succeeded: () => new HourglassError('job-finished', 'The job has succeeded. Submit a new one to train again.'),
  active: () => new HourglassError('job-not-finished', 'The job has not ended. Cancel it first, or wait for its end.'),
};

export class RedisJobQueue implements JobQueue {
  readonly #settings: QueueSettings;
  readonly #base: string;
  readonly #client: Redis;
  readonly #subscriber: Redis;
  readonly #notifier: StreamNotifier;
  readonly sweeps: SweepQueue;
  #refusal: EvictionPolicyError | undefined;

  private constructor(settings: QueueSettings, log: Logger) {
    this.#settings = settings;
    this.#base = keyBase(settings);
    this.#client = connectRedis(settings, 'commands', log);
    this.#subscriber = connectRedis(settings, 'subscriber', log);
    this.#notifier = new StreamNotifier(this.#subscriber);
    this.sweeps = new RedisSweepQueue({
      client: this.#client,
      base: this.#base,
      keepJobs: settings.keepJobs,
      keepEvents: settings.keepEvents,
      idempotencyLifetimeMs,
      guarded: (call) => this.#guarded(call),
      recordOf: async (script, ...args) => recordIn(await this.#run(script, ...args)),
      record: (id) => this.#record(id),
      notFound,
    });
  }

  /** Throws EvictionPolicyError for a server that would drop jobs. One that cannot be reached yet is no error. */
  static async open(settings: QueueSettings, log: Logger): Promise<RedisJobQueue> {
    const queue = new RedisJobQueue(settings, log);
    try {
      await untilReady(queue.#client, settings.timeoutMs);
      await queue.#checkPolicy();
    } catch (error) {
      if (!(error instanceof EvictionPolicyError)) log.warn('The queue starts without Redis');
      else {
        await queue.close();
        throw error;
      }
    }
    // a server may be replaced by one with another policy while we run
    queue.#client.on('ready', () => {
      queue.#checkPolicy().catch((error: unknown) => {
        if (error instanceof EvictionPolicyError) log.error(error.message);
      });
    });
    return queue;
  }

  async submit(spec: JobSpec, options: SubmitOptions = {}): Promise<JobView> {
    const { idempotencyKey: key, warnings = [], priority = 0, deadlineSeconds } = options;
    const { keepEvents, keepJobs } = this.#settings;
    const reply = await this.#run(
      submitScript,
      newJobId(),
      JSON.stringify(spec),
      JSON.stringify(warnings),
      priority,
      deadlineSeconds === undefined ? '' : Math.round(deadlineSeconds * 1000),
      keepEvents,
      keepJobs,
      key === undefined ? '' : sha256(key),
      sha256(canonicalJson({ spec, priority, deadlineSeconds })),
      idempotencyLifetimeMs,
    );
    return viewIn(reply);
  }

  async get(id: string): Promise<JobView> {
    const record = await this.#record(id);
    return viewOf(record);
  }

  async list({ state, limit = 50, cursor }: ListQuery = {}): Promise<JobPage> {
    if (cursor !== undefined && !idPattern.test(cursor)) {
      throw new HourglassError('invalid-request', 'The cursor is not one that a list of jobs gave.', {
        field: 'cursor',
      });
    }
    const index = `${this.#base}jobs${state ? `:${state}` : ''}`;
    return this.#guarded(async () => {
      const from = cursor === undefined ? '+' : `(${cursor}`;
      const ids = await this.#client.zrevrangebylex(index, from, '-', 'LIMIT', 0, limit + 1);
      const shown = ids.slice(0, limit);
      const records = await Promise.all(shown.map((id) => this.#client.hgetall(`${this.#base}job:${id}`)));
      const jobs = records.filter((record) => record.id !== undefined).map(viewOf);
      const last = shown.at(-1);
      return { jobs, ...(ids.length > limit && last !== undefined && { nextCursor: last }) };
    });
  }

  async cancel(id: string): Promise<JobView> {
    return viewIn(await this.#run(cancelScript, checkId(id)));
  }

  async restart(id: string, from: 'checkpoint' | 'start'): Promise<JobView> {
    return viewIn(await this.#run(restartScript, checkId(id), from === 'start' ? 'retry' : 'resume'));
  }

  async remove(id: string): Promise<void> {
    refuseUnlessOk(await this.#run(removeScript, checkId(id)));
  }

  async *events(
    id: string,
    { lastEventId, signal }: { lastEventId?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<JobEvent, void> {
    if (lastEventId !== undefined && !eventIdPattern.test(lastEventId)) {
      throw new HourglassError('invalid-request', 'The last event id is not one that this stream gave.', {
        field: 'Last-Event-ID',
      });
    }
    await this.#record(id);
    const stream = `${this.#base}events:${id}`;
    const read = (from: string) => this.#guarded(() => this.#readEvents(stream, from));
    const options = { stream, ...(lastEventId && { after: lastEventId }), ...(signal && { signal }) };
    for await (const entry of followStream(this.#notifier, read, options)) {
      if (entry === 'caught-up') {
        const end = await this.#endWithoutEvent(id, lastEventId);
        if (end === 'deleted') return;
        if (end === undefined) continue;
        yield end;
        return;
      }
      const event = await this.#eventOf(id, entry, signal);
      if (event) yield event;
      if (event?.type === 'end') return;
    }
  }

  async counts(): Promise<Readonly<Record<JobState, number>>> {
    const sizes = await this.#guarded(() =>
      Promise.all(states.map((state) => this.#client.zcard(`${this.#base}jobs:${state}`))),
    );
    return Object.fromEntries(states.map((state, i) => [state, sizes[i] ?? 0])) as Record<JobState, number>;
  }

  async endings(): Promise<Endings> {
    const counted = await this.#guarded(() => this.#client.hgetall(`${this.#base}endings`));
    const prefix = 'failed:';
    const failures = Object.entries(counted).filter(([name]) => name.startsWith(prefix));
    return {
      outcomes: Object.fromEntries(outcomes.map((name) => [name, Number(counted[name] ?? 0)])) as Endings['outcomes'],
      failures: Object.fromEntries(failures.map(([name, count]) => [name.slice(prefix.length), Number(count)])),
    };
  }

  async ping(): Promise<void> {
    if (this.#refusal) throw redisError(this.#refusal);
    await this.#guarded(() => this.#client.ping());
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  async #record(id: string): Promise<JobRecord> {
    const record = await this.#guarded(() => this.#client.hgetall(`${this.#base}job:${checkId(id)}`));
    if (record.id === undefined) throw notFound();
    return record;
  }

  /** The end of a job whose watcher has had it already, or whose events have expired. */
  async #endWithoutEvent(id: string, after: string | undefined): Promise<JobEvent | 'deleted' | undefined> {
    try {
      const record = await this.#record(id);
      if (record.endEvent === undefined) return undefined;
      const comes = isAfter(record.endEvent, after) && (await this.#client.exists(`${this.#base}events:${id}`)) > 0;
      return comes ? undefined : { id: record.endEvent, type: 'end', data: viewOf(record) };
    } catch (error) {
      return error instanceof HourglassError && error.code === 'job-not-found' ? 'deleted' : undefined;
    }
  }

  async #recordWhenBack(id: string, signal: AbortSignal | undefined): Promise<JobRecord | undefined> {
    while (!signal?.aborted) {
      try {
        return await this.#record(id);
      } catch (error) {
        if (error instanceof HourglassError && error.code === 'job-not-found') return undefined;
        await delay(250);
      }
    }
    return undefined;
  }

  async #readEvents(stream: string, from: string): Promise<StreamEntry[]> {
    const entries = await this.#client.xrange(stream, from, '+', 'COUNT', eventPage);
    return entries.map(([id, [, type = '', , data = '']]) => ({ id, type, data }));
  }

  async #eventOf(
    id: string,
    { id: eventId, type, data }: StreamEntry,
    signal: AbortSignal | undefined,
  ): Promise<JobEvent | undefined> {
    switch (type) {
      case 'state':
        return { id: eventId, type, data: JSON.parse(data) as { state: JobState } };
      case 'progress':
        return { id: eventId, type, data: JSON.parse(data) as JobProgress };
      case 'epoch':
        return { id: eventId, type, data: JSON.parse(data) as EpochMetrics };
      case 'end': {
        const record = await this.#recordWhenBack(id, signal);
        return record?.endEvent === eventId ? { id: eventId, type, data: viewOf(record) } : undefined;
      }
      default:
        return undefined; // written by a newer release
    }
  }

  async #checkPolicy(): Promise<void> {
    try {
      await checkEviction(this.#client);
      this.#refusal = undefined;
    } catch (error) {
      if (error instanceof EvictionPolicyError) this.#refusal = error;
      throw error;
    }
  }

  #run(script: Script, ...args: (string | number)[]) {
    return this.#guarded(() => script.run(this.#client, this.#base, ...args));
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    try {
      if (this.#refusal) throw this.#refusal;
      return await call();
    } catch (error) {
      throw redisError(error);
    }
  }
}

function refuseUnlessOk(reply: Reply): readonly Reply[] {
  const [outcome, ...rest] = reply as readonly Reply[];
  if (outcome !== 'ok') throw refusals[outcome as string]?.() ?? new Error(`unexpected answer ${String(outcome)}`);
  return rest;
}

/** The record that a script answers, as pairs in one list. */
function recordIn(reply: Reply): JobRecord {
  const pairs = refuseUnlessOk(reply)[0] as readonly string[];
  const record: Record<string, string> = {};
  for (let i = 0; i < pairs.length; i += 2) record[pairs[i] as string] = pairs[i + 1] as string;
  return record;
}

const viewIn = (reply: Reply): JobView => viewOf(recordIn(reply));

/** An id of another form cannot exist. */
function checkId(id: string): string {
  if (!idPattern.test(id)) throw notFound();
  return id;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whether a stream id comes after another. */
function isAfter(id: string, other: string | undefined): boolean {
  if (other === undefined) return true;
  const [a = '', an = '0'] = id.split('-');
  const [b = '', bn = '0'] = other.split('-');
  return BigInt(a) === BigInt(b) ? BigInt(an) > BigInt(bn) : BigInt(a) > BigInt(b);
}
