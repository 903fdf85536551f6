/**
 * The worker's side of the queue. BullMQ delivers and locks; the record decides.
 *
 *   fetch from BullMQ ─► claim (fencing token) ─► train ─► settle: finish · crash · give back
 *                          └► heartbeat: renew locks · look for dead workers · hand over pending jobs
 *
 * While Redis is away training goes on; what has to be said is said when it is back.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { traceFields } from '../base/traceparent.ts';
import type { JobFailure, WaitingFor } from '../jobspec/job.ts';
import type { Device } from '../jobspec/training.ts';
import type { Logger } from '../platform/log.ts';
import { Delivery, parseDelivery, type Taken } from './delivery.ts';
import { Heartbeat, type Held } from './heartbeat.ts';
import { JobFetcher } from './job-fetcher.ts';
import { specOf } from './job-record.ts';
import { type Claim, Lease } from './lease.ts';
import { bestTrialScript, claimScript, crashScript, finishScript, releaseScript } from './lease-scripts.ts';
import { checkEviction, connectRedis, EvictionPolicyError, keyBase, type RedisSettings, untilReady } from './redis.ts';
import type { Script } from './script.ts';

export interface ConsumerSettings extends RedisSettings {
  /** a worker silent for this long loses its jobs */
  readonly lockMs: number;
  readonly concurrency: number;
  /** engine and device, release: what a list of workers says */
  readonly engine: string;
  readonly release: string;
  /** what it takes jobs from */
  readonly queues: readonly Device[];
  /** takes no more after so many jobs, however they ended; null: never */
  readonly jobs: number | null;
  /** ends when there was no job for so long; null: never */
  readonly idleMs: number | null;
  /** crashes without a checkpoint in between until a job is failed */
  readonly maxCrashes: number;
}

/** How an attempt ended. */
export type Outcome =
  | {
      readonly kind: 'succeeded';
      /** absent for a trial */
      readonly published?: { readonly model: string; readonly version: number };
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'failed'; readonly failure: JobFailure }
  /** the training process died; tried again unless that happens too often */
  | { readonly kind: 'crashed'; readonly failure: JobFailure }
  /** stopped as asked by `lease.signal` */
  | { readonly kind: 'stopped' }
  /** cannot go on now; tried again after a while, which counts against nobody */
  | { readonly kind: 'postponed'; readonly waitingFor: WaitingFor; readonly delayMs: number };

export type Train = (lease: Lease) => Promise<Outcome>;

/**
 * Workers that die without a word are not always the job's fault: it gets more tries than after its own crashes, as long as
 * nothing is known of the workers of other jobs.
 */
const vanishedPerCrash = 7;
const drainMs = 15_000;
/** what is left of it once the training processes have ended */
const settleMs = 5000;
const deadlineFailure: JobFailure = {
  reason: 'deadline-exceeded',
  message: 'The deadline passed before the training ended. The last checkpoint is kept: resume to go on.',
};

const attemptFailure: JobFailure = {
  reason: 'crashed',
  message: 'The training process could not be started or watched.',
};

const noTrialFailure: JobFailure = {
  reason: 'no-trial-succeeded',
  message: 'No trial of the sweep ended with a held-out loss. The reasons are with the jobs of the trials.',
};

type ClaimReply = [
  outcome: string,
  attempt: number,
  run: number,
  spec: string,
  deadlineMs: number,
  sweep: string,
  trials: string,
  queuedAt: string,
  traceparent: string,
  tenant: string,
];

export class JobConsumer {
  readonly #settings: ConsumerSettings;
  readonly #base: string;
  readonly #log: Logger;
  readonly #train: Train;
  readonly #client: Redis;
  readonly #subscriber: Redis;
  readonly #delivery: Delivery;
  readonly #fetcher: JobFetcher;
  readonly #held = new Set<Held>();
  readonly #heartbeat: Heartbeat;
  /** when draining has to be over, whatever Redis says; on the clock of performance.now() */
  #drainedBy: number | undefined;

  private constructor(settings: ConsumerSettings, client: Redis, train: Train, log: Logger) {
    const { lockMs, queues, concurrency: slots, jobs, idleMs, engine, release } = settings;
    this.#settings = settings;
    this.#base = keyBase(settings);
    this.#log = log;
    this.#train = train;
    this.#client = client;
    this.#subscriber = connectRedis(settings, 'subscriber', log);
    this.#delivery = new Delivery(client, settings, log);
    this.#heartbeat = new Heartbeat({
      ...{ client, base: this.#base, lockMs, queues, delivery: this.#delivery, held: this.#held, log },
      about: { engine, release, concurrency: slots },
    });
    this.#fetcher = new JobFetcher({
      ...{
        delivery: this.#delivery,
        queues,
        slots,
        log,
        ...(jobs !== null && { jobs }),
        ...(idleMs !== null && { idleMs }),
      },
      process: (taken) => this.#process(taken),
    });
  }

  /** Waits for Redis as long as it takes. Throws EvictionPolicyError for a server that would drop jobs. */
  static async open(settings: ConsumerSettings, train: Train, log: Logger, signal?: AbortSignal): Promise<JobConsumer> {
    const client = connectRedis(settings, 'commands', log);
    for (;;) {
      try {
        await untilReady(client, 1000);
        await checkEviction(client);
        break;
      } catch (error) {
        if (error instanceof EvictionPolicyError || signal?.aborted) {
          client.disconnect();
          throw error;
        }
        await delay(200);
      }
    }
    const consumer = new JobConsumer(settings, client, train, log);
    consumer.#listen();
    return consumer;
  }

  /** Resolves when it has had its number of jobs, found none for too long, or was drained. */
  get ended(): Promise<void> {
    return this.#fetcher.ended;
  }

  /** Those of the ids that have a record. Throws when Redis is away. */
  async known(ids: readonly string[]): Promise<string[]> {
    const found = await Promise.all(ids.map((id) => this.#client.exists(`${this.#base}job:${id}`)));
    return ids.filter((_, i) => found[i] === 1);
  }

  /**
   * Takes no more jobs, asks the running ones to stop at a checkpoint, hands them back and disconnects; within 20 s, also
   * when Redis is away: others then find the jobs by their locks.
   */
  async drain(): Promise<void> {
    this.#drainedBy = performance.now() + drainMs;
    this.#heartbeat.onlyRenew();
    this.#fetcher.stop();
    for (const { lease } of this.#held) lease.stop('draining');
    // A server that is away must not keep us.
    const late = () => delay(Math.max(0, (this.#drainedBy ?? 0) - performance.now()));
    await Promise.race([this.#fetcher.ended, late()]);
    await Promise.race([this.#heartbeat.stop(), delay(1000)]);
    await Promise.race([this.#delivery.close(), delay(1000)]);
    for (const client of [this.#client, this.#subscriber]) client.disconnect();
  }

  /** True when there was a job to work on. */
  async #process(taken: Taken): Promise<boolean> {
    try {
      const claim = await this.#claim(taken);
      if (claim === 'gone') {
        await this.#patiently(() => taken.complete());
        return false;
      }
      if ('laterMs' in claim) {
        await this.#patiently(() => taken.giveBack(claim.laterMs));
        return false;
      }
      await this.#work(taken, claim);
      return true;
    } catch (err) {
      const { id: job, delivery } = parseDelivery(taken.delivered);
      this.#log.error({ job, delivery, err }, 'a delivery could not be dealt with; it is delivered again');
      return false;
    }
  }

  async #work(taken: Taken, { deadlineMs, ...claim }: Claim & { deadlineMs: number }): Promise<void> {
    const lease = new Lease(claim, this.#client, this.#base);
    const forgetDeadline = this.#whenOver(deadlineMs, lease);
    const held = { lease, taken };
    this.#held.add(held);
    if (this.#drainedBy !== undefined) lease.stop('draining');
    try {
      const outcome = await this.#train(lease).catch((err: unknown): Outcome => {
        const trace = claim.traceparent && traceFields(claim.traceparent);
        this.#log.error({ job: claim.id, attempt: claim.attempt, ...trace, err }, 'the attempt could not be made');
        return { kind: 'crashed', failure: attemptFailure };
      });
      const again = await this.#settle(lease, outcome);
      await this.#patiently(() => (again === undefined ? taken.complete() : taken.giveBack(again)));
    } finally {
      forgetDeadline();
      lease.close();
      this.#held.delete(held);
    }
  }

  async #claim({ delivered, token }: Taken): Promise<(Claim & { deadlineMs: number }) | { laterMs: number } | 'gone'> {
    const { id, delivery } = parseDelivery(delivered);
    const { maxCrashes } = this.#settings;
    const reply = await this.#whenBack(claimScript, id, delivery, token, maxCrashes * vanishedPerCrash, maxCrashes);
    if (!reply) return { laterMs: 0 };
    const [outcome, attempt, run, spec, deadlineMs, sweep, trials, queuedAt, traceparent, tenant] = reply as ClaimReply;
    if (outcome === 'gone') return 'gone';
    if (outcome === 'later') return { laterMs: attempt };
    const claim = {
      ...{ id, attempt, run, spec: specOf(spec), deadlineMs, isTrial: sweep !== '', tenant },
      ...(queuedAt !== '' && { queuedAt: Number(queuedAt) }),
      ...(traceparent !== '' && { traceparent }),
    };
    return trials === '' ? claim : this.#withBest(claim, JSON.parse(trials) as string[]);
  }

  /** A sweep is delivered when its trials have ended. */
  async #withBest(
    claim: Claim & { deadlineMs: number },
    trials: readonly string[],
  ): Promise<(Claim & { deadlineMs: number }) | { laterMs: number } | 'gone'> {
    const { id, attempt } = claim;
    const reply = await this.#whenBack(bestTrialScript, id, attempt);
    if (!reply) return { laterMs: 0 };
    const [outcome, best, run, spec] = reply as [string, string, number, string];
    if (outcome === 'best') return { ...claim, spec: specOf(spec), best: { id: best, run, trials } };
    if (outcome === 'none') {
      await this.#whenBack(finishScript, id, attempt, 'failed', 'failure', JSON.stringify(noTrialFailure));
    }
    return 'gone';
  }

  /** Writes the outcome down. Milliseconds until the job is to be delivered again, undefined when it is not. */
  async #settle(lease: Lease, outcome: Outcome): Promise<number | undefined> {
    const { id, attempt } = lease.claim;
    await this.#flushWhenBack(lease);
    switch (outcome.kind) {
      case 'succeeded': {
        const { published, metrics } = outcome;
        const version = published ? ['model', published.model, 'version', published.version] : [];
        const fields = [...version, 'metrics', JSON.stringify(metrics)];
        await this.#whenBack(finishScript, id, attempt, 'succeeded', ...fields);
        return undefined;
      }
      case 'failed':
        await this.#whenBack(finishScript, id, attempt, 'failed', 'failure', JSON.stringify(outcome.failure));
        return undefined;
      case 'crashed': {
        const { maxCrashes } = this.#settings;
        const next = await this.#whenBack(crashScript, id, attempt, maxCrashes, JSON.stringify(outcome.failure));
        return next === 'again' ? 1000 : undefined;
      }
      case 'postponed':
        return (await this.#whenBack(releaseScript, id, attempt, outcome.waitingFor)) === 'ok'
          ? outcome.delayMs
          : undefined;
      case 'stopped':
        return this.#settleStopped(lease);
      default:
        return outcome satisfies never;
    }
  }

  async #settleStopped(lease: Lease): Promise<number | undefined> {
    const { id, attempt } = lease.claim;
    const reason = lease.stopReason;
    switch (reason) {
      case 'cancelled':
        await this.#whenBack(finishScript, id, attempt, 'cancelled');
        return undefined;
      case 'deadline':
        await this.#whenBack(finishScript, id, attempt, 'failed', 'failure', JSON.stringify(deadlineFailure));
        return undefined;
      case 'draining':
      case undefined:
        return (await this.#whenBack(releaseScript, id, attempt, '')) === 'ok' ? 0 : undefined;
      case 'lost':
        return undefined;
      default:
        return reason satisfies never;
    }
  }

  /** Runs a script, waiting for Redis to come back; while draining not for long. Undefined when it was given up. */
  async #whenBack(script: Script, ...args: (string | number)[]) {
    return this.#patiently(() => script.run(this.#client, this.#base, ...args));
  }

  async #flushWhenBack(lease: Lease): Promise<void> {
    await this.#patiently(async () => (lease.lost.aborted ? undefined : lease.flush()));
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (this.#drainedBy !== undefined && performance.now() > this.#drainedBy - settleMs) {
          this.#log.error({ reason: (error as Error).message }, 'Redis is away; the job is found again by its lock');
          return undefined;
        }
        await delay(200);
      }
    }
  }

  /** As setTimeout, for any number of milliseconds; none when negative. */
  #whenOver(ms: number, lease: Lease): () => void {
    const longest = 2 ** 31 - 1;
    let left = ms;
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      const now = Math.min(left, longest);
      left -= now;
      timer = setTimeout(() => (left > 0 ? arm() : lease.stop('deadline')), now);
    };
    if (ms >= 0) arm();
    return () => clearTimeout(timer);
  }

  #listen(): void {
    const [cancel, delivered] = [`${this.#base}cancel`, `${this.#base}delivered`];
    this.#subscriber.subscribe(cancel, delivered).catch(() => undefined);
    this.#subscriber.on('message', (channel: string, message: string) => {
      if (channel === cancel) for (const held of this.#holding(message)) held.lease.stop('cancelled');
      if (channel === delivered) this.#fetcher.tell();
    });
  }

  #holding(id: string): Held[] {
    return [...this.#held].filter(({ lease }) => lease.claim.id === id);
  }
}
