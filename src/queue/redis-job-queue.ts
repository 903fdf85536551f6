/**
 * The job queue of one tenant as its clients see it, on Redis: records, idempotency keys, events. It writes a record and a note that the job
 * is to be delivered in one step, then hands the job to BullMQ at once where it can; workers do it where it cannot
 * (delivery.ts). A gateway that dies at any moment therefore loses nothing and doubles nothing.
 */

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Caller, defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import { traceFields } from '../base/traceparent.ts';
import type { GatewayView, JobEvent, JobSamples, JobSpec, JobState, JobView, WorkerView } from '../jobspec/job.ts';
import { newJobId } from '../jobspec/job-id.ts';
import type { Logger } from '../platform/log.ts';
import { deviceQueues } from './bullmq-keys.ts';
import { GatewayPresence, presentGateways } from './gateway-presence.ts';
import { HandOver } from './hand-over.ts';
import { JobEventReader } from './job-event-reader.ts';
import { StreamNotifier } from './job-events.ts';
import { JobLister } from './job-lister.ts';
import type { Endings, JobPage, JobQueue, ListQuery, QueueView, SubmitOptions } from './job-queue.ts';
import { fingerprintOf, type JobRecord, viewOf } from './job-record.ts';
import {
  cancelScript,
  countsScript,
  queuesScript,
  removeScript,
  restartScript,
  retireDatasetScript,
  submitScript,
} from './job-scripts.ts';
import {
  checkEviction,
  connectRedis,
  EvictionPolicyError,
  keyBase,
  mayHaveRun,
  outcomeUnknown,
  type QueueSettings,
  redisError,
  submitAdvice,
  tenantKeys,
  untilReady,
} from './redis.ts';
import { RedisSweepQueue } from './redis-sweep-queue.ts';
import { notFound, refusals } from './refusals.ts';
import type { Reply, Script } from './script.ts';
import type { SweepQueue } from './sweep-queue.ts';

const outcomes = ['succeeded', 'failed', 'cancelled'] as const;
const states = ['queued', 'running', 'cancelling', ...outcomes] as const satisfies JobState[];
const idempotencyLifetimeMs = 24 * 3600 * 1000;
/** longer than any submission takes from reading the facts of its data set to being queued */
const retiredMs = 10 * 60_000;
const idPattern = /^[0-9a-hjkmnp-tv-z]{26}$/;

/** What to do when it is not known whether a job was changed. */
const lookAgain = 'Ask for the job to see what became of it, then try again if need be.';

/** What the queues of all tenants share. */
interface Connections {
  readonly settings: QueueSettings;
  readonly log: Logger;
  readonly client: Redis;
  readonly subscriber: Redis;
  readonly notifier: StreamNotifier;
  readonly handOver: HandOver;
  refusal?: EvictionPolicyError | undefined;
}

export class RedisJobQueue implements JobQueue {
  readonly #connections: Connections;
  readonly #tenant: string;
  readonly #settings: QueueSettings;
  readonly #base: string;
  readonly #client: Redis;
  readonly #events: JobEventReader;
  readonly #lister: JobLister;
  readonly sweeps: SweepQueue;
  #presence: GatewayPresence | undefined;

  private constructor(connections: Connections, tenant: string) {
    const { settings, client, notifier } = connections;
    this.#connections = connections;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#base = keyBase(settings);
    this.#client = client;
    const shared = {
      client,
      base: this.#base,
      home: tenantKeys(this.#base, tenant),
      guarded: <T>(call: () => Promise<T>) => this.#guarded(call),
      record: (id: string) => this.#record(id),
    };
    this.#events = new JobEventReader({ ...shared, notifier });
    this.#lister = new JobLister(shared);
    this.sweeps = new RedisSweepQueue({
      ...shared,
      tenant,
      settings,
      idempotencyLifetimeMs,
      change: async (script, advice, ...args) => this.#recordIn(await this.#change(script, advice, ...args)),
      handOver: (id) => this.#handOver(id),
      withdraw: (id) => this.#withdraw(id),
      notFound,
    });
  }

  /**
   * The queue of the tenant `default`. Throws EvictionPolicyError for a server that would drop jobs. One that cannot be reached
   * yet is no error.
   */
  static async open(settings: QueueSettings, log: Logger): Promise<RedisJobQueue> {
    const client = connectRedis(settings, 'commands', log);
    const subscriber = connectRedis(settings, 'subscriber', log);
    const notifier = new StreamNotifier(subscriber);
    const handOver = new HandOver(client, settings, log);
    const queue = new RedisJobQueue({ settings, log, client, subscriber, notifier, handOver }, defaultTenant);
    try {
      await untilReady(client, settings.timeoutMs);
      await queue.#checkPolicy();
      handOver.catchUp();
    } catch (error) {
      if (!(error instanceof EvictionPolicyError)) log.warn('The queue starts without Redis');
      else {
        await queue.close();
        throw error;
      }
    }
    // A server may be replaced by one with another policy while we run.
    client.on('ready', () => {
      handOver.catchUp();
      queue.#checkPolicy().catch((error: unknown) => {
        if (error instanceof EvictionPolicyError) log.error(error.message);
      });
    });
    return queue;
  }

  /** The same queue for another tenant, over the same connections, which are not its own to close. */
  forTenant(tenant: string): JobQueue {
    return new RedisJobQueue(this.#connections, tenant);
  }

  async submit(spec: JobSpec, options: SubmitOptions = {}): Promise<JobView> {
    const { caller, idempotencyKey: key, warnings = [], priority = 0, deadlineSeconds } = options;
    const { keepEvents, keepJobs, maxWaiting, maxWaitingPerClient } = this.#settings;
    const id = newJobId();
    const reply = await this.#change(
      submitScript,
      submitAdvice(key, `job ${id}`, `/v1/jobs/${id}`),
      id,
      JSON.stringify(spec),
      JSON.stringify(warnings),
      priority,
      deadlineSeconds === undefined ? '' : Math.round(deadlineSeconds * 1000),
      keepEvents,
      keepJobs,
      key === undefined ? '' : sha256(key),
      fingerprintOf({ spec, priority, deadlineSeconds }),
      idempotencyLifetimeMs,
      spec.training.device,
      caller?.address === undefined ? '' : sha256(caller.address),
      maxWaiting,
      maxWaitingPerClient,
      spec.dataset,
      options.datasetIdentity ?? '',
      caller?.traceparent ?? '',
      options.asked === undefined ? '' : JSON.stringify(options.asked),
      this.#tenant,
      this.#settings.tenantJobs?.waiting ?? '',
      this.#settings.tenantJobs?.running ?? '',
    );
    const job = viewOf(this.#recordIn(reply));
    this.#logQueued(job, caller);
    if (job.state === 'queued') this.#handOver(job.id);
    return job;
  }

  async get(id: string): Promise<JobView> {
    const record = await this.#record(id);
    return viewOf(record);
  }

  async list(query: ListQuery = {}): Promise<JobPage> {
    if (query.cursor !== undefined && !idPattern.test(query.cursor)) {
      throw new HourglassError('invalid-request', 'The cursor is not one that a list of jobs gave.', {
        field: 'cursor',
      });
    }
    return this.#lister.page(query);
  }

  async cancel(id: string): Promise<JobView> {
    const job = viewOf(this.#recordIn(await this.#change(cancelScript, lookAgain, checkId(id), this.#tenant)));
    if (job.state === 'cancelled') this.#withdraw(id);
    return job;
  }

  async restart(id: string, from: 'checkpoint' | 'start'): Promise<JobView> {
    const how = from === 'start' ? 'retry' : 'resume';
    const job = viewOf(this.#recordIn(await this.#change(restartScript, lookAgain, checkId(id), how, this.#tenant)));
    this.#handOver(id);
    return job;
  }

  async remove(id: string): Promise<void> {
    this.#refuseUnlessOk(await this.#change(removeScript, lookAgain, checkId(id), this.#tenant));
  }

  async retireDataset(name: string, identity: string): Promise<void> {
    const advice = 'Ask for the data set to see whether it is still there, then try again if need be.';
    this.#refuseUnlessOk(await this.#change(retireDatasetScript, advice, name, identity, retiredMs, this.#tenant));
  }

  async keepDataset(name: string): Promise<void> {
    await this.#guarded(() => this.#client.del(`${tenantKeys(this.#base, this.#tenant)}retired:${name}`));
  }

  async queues(): Promise<readonly QueueView[]> {
    const reply = await this.#guarded(() => queuesScript.run(this.#client, this.#base, this.#tenant, ...deviceQueues));
    const numbers = reply as readonly number[];
    return deviceQueues.map((name, i) => {
      const [waiting = 0, running = 0, workers = 0, oldestWaitMs = 0] = numbers.slice(4 * i, 4 * i + 4);
      return { name, waiting, running, workers, oldestWaitMs };
    });
  }

  async workers(): Promise<readonly WorkerView[]> {
    const workers = await this.#lister.workers();
    if (this.#tenant === defaultTenant) return workers;
    // The machines are the operator's business, and the jobs of others nobody's.
    const known = (id: string): Promise<string[]> =>
      this.#record(id).then(
        () => [id],
        () => [],
      );
    return Promise.all(
      workers.map(async (worker) => ({
        ...{ ...worker, host: '', pid: 0 },
        jobs: (await Promise.all(worker.jobs.map(known))).flat(),
      })),
    );
  }

  /** Tells that this process is a gateway, until `close`. */
  announceGateway(release: string): void {
    this.#presence ??= new GatewayPresence(
      { client: this.#client, base: this.#base, log: this.#connections.log },
      release,
    );
  }

  async gateways(): Promise<readonly GatewayView[]> {
    const gateways = await this.#guarded(() => presentGateways(this.#client, this.#base));
    if (this.#tenant === defaultTenant) return gateways;
    return gateways.map((gateway) => ({ ...gateway, host: '', pid: 0 }));
  }

  async samples(id: string, after = 0): Promise<JobSamples> {
    await this.#record(id);
    return this.#lister.samples(id, after);
  }

  events(id: string, options: { lastEventId?: string; signal?: AbortSignal } = {}): AsyncGenerator<JobEvent, void> {
    return this.#events.follow(id, options);
  }

  async counts(): Promise<Readonly<Record<JobState, number>>> {
    const home = tenantKeys(this.#base, this.#tenant);
    const sizes = await this.#guarded(() =>
      Promise.all(states.map((state) => this.#client.zcard(`${home}jobs:${state}`))),
    );
    return Object.fromEntries(states.map((state, i) => [state, sizes[i] ?? 0])) as Record<JobState, number>;
  }

  async countsOfAll(): Promise<Readonly<Record<JobState, number>>> {
    const sizes = (await this.#guarded(() => countsScript.run(this.#client, this.#base, ...states))) as number[];
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
    if (this.#connections.refusal) throw redisError(this.#connections.refusal);
    await this.#guarded(() => this.#client.ping());
  }

  async close(): Promise<void> {
    await this.#presence?.stop();
    this.#client.disconnect();
    this.#connections.subscriber.disconnect();
  }

  /** Joins the log of the request with those of the workers that train the job. */
  #logQueued({ id, spec }: JobView, caller: Caller | undefined): void {
    const trace = caller?.traceparent && traceFields(caller.traceparent);
    this.#connections.log.info({ job: id, model: spec.name, ...trace }, 'job is queued');
  }

  async #record(id: string): Promise<JobRecord> {
    const record = await this.#guarded(() => this.#client.hgetall(`${this.#base}job:${checkId(id)}`));
    if (record.id === undefined || (record.tenant ?? defaultTenant) !== this.#tenant) throw notFound();
    return record;
  }

  /** Hands a job to BullMQ. When that does not work now, the next worker's heartbeat does it. */
  #handOver(id: string): void {
    // Those of other tenants wait for their turn.
    if (this.#tenant !== defaultTenant || this.#connections.refusal) return;
    this.#connections.handOver.inBackground((delivery) => delivery.handOverOne(id));
  }

  /** Takes a job that will not run out of BullMQ. What is not taken out now is dropped when a worker meets it. */
  #withdraw(id: string): void {
    if (!this.#connections.refusal) this.#connections.handOver.inBackground((delivery) => delivery.withdraw(id));
  }

  async #checkPolicy(): Promise<void> {
    try {
      await checkEviction(this.#client);
      this.#connections.refusal = undefined;
    } catch (error) {
      if (error instanceof EvictionPolicyError) this.#connections.refusal = error;
      throw error;
    }
  }

  /** Runs a script that changes something; `advice` is for a client who cannot know whether it was run. */
  #change(script: Script, advice: string, ...args: (string | number)[]): Promise<Reply> {
    return this.#guarded(async () => {
      try {
        return await script.run(this.#client, this.#base, ...args);
      } catch (error) {
        throw mayHaveRun(error) ? outcomeUnknown(advice, error) : error;
      }
    });
  }

  #refuseUnlessOk(reply: Reply): readonly Reply[] {
    const [outcome, ...rest] = reply as readonly Reply[];
    if (outcome === 'ok') return rest;
    throw refusals[outcome as string]?.(rest[0], this.#settings) ?? new Error(`unexpected answer ${String(outcome)}`);
  }

  /** The record that a script answers, as pairs in one list. */
  #recordIn(reply: Reply): JobRecord {
    const pairs = this.#refuseUnlessOk(reply)[0] as readonly string[];
    const record: Record<string, string> = {};
    for (let i = 0; i < pairs.length; i += 2) record[pairs[i] as string] = pairs[i + 1] as string;
    return record;
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    try {
      if (this.#connections.refusal) throw this.#connections.refusal;
      return await call();
    } catch (error) {
      throw redisError(error);
    }
  }
}

/** An id of another form cannot exist. */
function checkId(id: string): string {
  if (!idPattern.test(id)) throw notFound();
  return id;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
