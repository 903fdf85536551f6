/**
 * The worker: takes jobs from the queue and trains each in a process of its own that may die without harming it.
 *
 *   queue ─► worker ─► process per job: data ─► train ─► evaluate ─► registry
 */

import { defaultTenant } from '../base/caller.ts';
import { traceFields } from '../base/traceparent.ts';
import { entry } from '../platform/entry.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { type ConsumerSettings, JobConsumer, type Outcome } from '../queue/job-consumer.ts';
import type { Lease } from '../queue/lease.ts';
import type { JobFiles } from '../store/contract.ts';
import { openStores, type StoreSettings } from '../store/open.ts';
import { observeInto } from '../store/request-metrics.ts';
import { AttemptTrace } from '../telemetry/attempts.ts';
import type { Attributes, Tracing } from '../telemetry/tracing.ts';
import { type AttemptSettings, runAttempt } from './attempt.ts';
import { TrainingMeter } from './meter.ts';
import type { Assignment, EngineChoice, FromChild } from './protocol.ts';
import { engineFor } from './queues.ts';

export interface WorkerSettings extends Omit<AttemptSettings, 'program'> {
  readonly queue: ConsumerSettings;
  readonly stores: StoreSettings;
  readonly checkpointSeconds: number;
  readonly engine: EngineChoice;
  readonly release: string;
  /** bytes that the models of each tenant other than `default` may take; absent: as many as it likes */
  readonly tenantModelBytes?: number | null;
  /** default: the build's own */
  readonly program?: URL;
  /** absent: no spans are made */
  readonly tracing?: Tracing | undefined;
}

const sweepEveryMs = 3600_000;

export class TrainingWorker {
  readonly #settings: WorkerSettings;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #jobs: JobFiles;
  readonly #meter: TrainingMeter;
  #consumer: JobConsumer | undefined;
  #sweeper: NodeJS.Timeout | undefined;

  private constructor(settings: WorkerSettings, jobs: JobFiles, log: Logger, metrics: Metrics) {
    this.#jobs = jobs;
    this.#settings = settings;
    this.#log = log;
    this.#metrics = metrics;
    this.#meter = new TrainingMeter(metrics);
  }

  /** Waits for Redis until `signal` is aborted. Throws EvictionPolicyError. */
  static async start(
    settings: WorkerSettings,
    log: Logger,
    metrics: Metrics,
    signal?: AbortSignal,
  ): Promise<TrainingWorker> {
    const { jobs } = await openStores(settings.stores, observeInto(metrics));
    const worker = new TrainingWorker(settings, jobs, log, metrics);
    worker.#consumer = await JobConsumer.open(settings.queue, (lease) => worker.#train(lease), log, signal);
    const sweep = (): void => {
      worker.#sweep().catch((err: unknown) => log.warn({ err }, 'old checkpoints could not be removed'));
    };
    worker.#sweeper = setInterval(sweep, sweepEveryMs);
    sweep();
    return worker;
  }

  /** Resolves when it has had its number of jobs, found none for too long, or was drained. */
  get ended(): Promise<void> {
    return this.#consumer?.ended ?? Promise.resolve();
  }

  /** Running jobs stop at a checkpoint and go back to the queue at once. */
  async drain(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#consumer?.drain();
  }

  async #train(lease: Lease): Promise<Outcome> {
    const { id, attempt, run, spec, tenant, isTrial, best } = lease.claim;
    const trace = this.#trace(lease);
    const traceparent = trace?.traceparent ?? lease.claim.traceparent;
    const log = this.#log.child({
      ...{ job: id, attempt, ...(tenant !== defaultTenant && { tenant }) },
      ...(traceparent && traceFields(traceparent)),
    });
    const { checkpointSeconds, engine, release, tenantModelBytes = null } = this.#settings;
    const stores = { ...this.#settings.stores, tenant };
    // the best trial of a sweep is published from where its own training ended
    const source = best ?? { id, run, trials: [] };
    const checkpoints = { job: source.id, run: source.run };
    const about = { id, attempt, run, spec, isTrial, engine: engineFor(engine, spec.training.device), release };
    const mostModelBytes = tenant === defaultTenant ? null : tenantModelBytes;
    const assignment: Assignment = { ...about, stores, checkpoints, checkpointSeconds, mostModelBytes };
    const program = this.#settings.program ?? entry(import.meta.url, './child.ts');
    const startedAt = performance.now();
    const meter = this.#meter.begin(spec.training.batchSize);
    this.#metrics.count('jobAttempts', 1);
    this.#metrics.move('jobsRunning', 1);
    log.info({ model: spec.name, dataset: spec.dataset }, attempt === 1 ? 'job begins' : 'job goes on');
    try {
      const hear = (message: FromChild): void => {
        meter.hear(message);
        if (trace) note(trace, message);
      };
      const outcome = await runAttempt(lease, assignment, { ...this.#settings, program }, log, hear);
      trace?.end(outcome.kind, resultsOf(outcome), failureIn(outcome));
      log.info({ outcome: outcome.kind, seconds: (performance.now() - startedAt) / 1000 }, 'job attempt ended');
      const ended = finalState(lease, outcome);
      const seconds = (performance.now() - startedAt) / 1000;
      if (ended) this.#metrics.observe('jobDuration', seconds, { outcome: ended }, traceparent);
      // a published version makes the checkpoints useless, also to an attempt that finds the job still open
      if (outcome.kind === 'succeeded' && !isTrial) {
        await this.#forget([id, ...source.trials]).catch((err: unknown) => log.warn({ err }, 'old checkpoints stay'));
      }
      return outcome;
    } catch (error) {
      trace?.end('crashed', {}, { reason: 'internal', message: (error as Error).message });
      throw error;
    } finally {
      meter.end();
      this.#metrics.move('jobsRunning', -1);
    }
  }

  #trace({ claim }: Lease): AttemptTrace | undefined {
    const { tracing, engine } = this.#settings;
    if (!tracing) return undefined;
    const { id: job, attempt, spec, traceparent: parent, queuedAt, isTrial } = claim;
    const { device } = engineFor(engine, spec.training.device);
    const attributes = {
      ...{ 'hourglass.model': spec.name, 'hourglass.model.type': spec.model.type, 'hourglass.dataset': spec.dataset },
      ...{ 'hourglass.engine': `${engine.engine}/${device}`, 'hourglass.job.is_trial': isTrial },
    };
    return new AttemptTrace(tracing, { job, attempt, parent, queuedAt, attributes });
  }

  async #forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#jobs.forget(id);
  }

  /** Removes the files of jobs whose records are gone. Young ones may belong to a job that is just being claimed. */
  async #sweep(): Promise<void> {
    const old = await this.#jobs.idle(sweepEveryMs);
    const known = new Set(await this.#consumer?.known(old));
    await this.#forget(old.filter((id) => !known.has(id)));
  }
}

/** What the training process tells, as phases of the attempt's span and events in them. */
function note(trace: AttemptTrace, message: FromChild): void {
  if (message.type === 'progress') trace.phase(message.progress.phase);
  if (message.type === 'checkpoint') trace.event('checkpoint', {});
  if (message.type !== 'epoch') return;
  const { epoch, metrics } = message.epoch;
  trace.event('epoch', { epoch, ...metrics });
}

const resultsOf = (outcome: Outcome): Attributes =>
  outcome.kind === 'succeeded' && outcome.published ? { 'hourglass.model.version': outcome.published.version } : {};

const failureIn = (outcome: Outcome) =>
  outcome.kind === 'failed' || outcome.kind === 'crashed' ? outcome.failure : undefined;

function finalState(lease: Lease, outcome: Outcome): 'succeeded' | 'failed' | 'cancelled' | undefined {
  if (outcome.kind === 'succeeded' || outcome.kind === 'failed') return outcome.kind;
  return outcome.kind === 'stopped' && lease.stopReason === 'cancelled' ? 'cancelled' : undefined;
}
