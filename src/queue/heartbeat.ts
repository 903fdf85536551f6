/**
 * A worker's heartbeat: renews the locks of its jobs, learns which of them it has to stop, and in between looks after the
 * queue: hands over pending jobs, brings back those of dead workers and those that were lost.
 *
 *   renew ─► quiet: Redis was away, every lock looks expired: let all workers renew first
 *         └► check: whose lock is gone now is dead
 */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { traceFields } from '../base/traceparent.ts';
import type { WorkerView } from '../jobspec/job.ts';
import type { Device } from '../jobspec/training.ts';
import type { Logger } from '../platform/log.ts';
import { deviceQueues } from './bullmq-keys.ts';
import type { Delivery, Taken } from './delivery.ts';
import type { Lease } from './lease.ts';
import { leaveScript, renewScript } from './lease-scripts.ts';

export interface Held {
  readonly lease: Lease;
  /** the delivery and its lock, for BullMQ */
  readonly taken: Taken;
}

/** What people want to know of a worker. */
export type AboutWorker = Pick<WorkerView, 'engine' | 'release' | 'concurrency'>;

export interface HeartbeatParts {
  readonly client: Redis;
  readonly base: string;
  /** a worker silent for this long loses its jobs */
  readonly lockMs: number;
  /** what the worker takes jobs from */
  readonly queues: readonly Device[];
  readonly about: AboutWorker;
  readonly delivery: Delivery;
  readonly held: ReadonlySet<Held>;
  readonly log: Logger;
}

const redeliverEveryMs = 15_000;

export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #worker = randomUUID();
  readonly #startedAt = new Date().toISOString();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #onlyRenews = false;
  #upkeep: Promise<void> | undefined;
  #redeliveredAt = Number.NEGATIVE_INFINITY;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#beat();
  }

  /** From now on it leaves the rest of the queue to others. */
  onlyRenew(): void {
    this.#onlyRenews = true;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#upkeep;
    const { client, base, queues } = this.#parts;
    await client.del(`${base}worker:${this.#worker}`).catch(() => undefined);
    await leaveScript.run(client, base, this.#worker, queues.join()).catch(() => undefined); // else it expires
  }

  #beat(): void {
    this.#renew()
      // Redis is away: the next beat tries again
      .catch((error: Error) => this.#parts.log.debug({ reason: error.message }, 'heartbeat'))
      .finally(() => {
        if (this.#isStopped) return;
        this.#timer = setTimeout(() => this.#beat(), this.#parts.lockMs / 4);
      });
  }

  async #renew(): Promise<void> {
    const { client, base, lockMs, queues, held } = this.#parts;
    const jobs = [...held].flatMap(({ lease: { claim }, taken: { queue, delivered, token } }) => [
      ...[claim.id, claim.attempt, queue, delivered, token],
    ]);
    const about = [lockMs, Math.round(lockMs * 0.7), this.#worker, queues.join()] as const;
    const reply = await renewScript.run(client, base, ...about, ...jobs);
    await client.set(`${base}worker:${this.#worker}`, JSON.stringify(this.#view()), 'PX', lockMs);
    const [mode, permittedAt, taken, ...stops] = reply as readonly (string | number)[];
    for (let i = 0; i < stops.length; i += 3) this.#mustStop(String(stops[i]), Number(stops[i + 1]), stops[i + 2]);
    // not awaited: however much there is to do, the next renewal must not be late
    if (this.#onlyRenews || this.#upkeep) return;
    this.#upkeep = this.#lookAfterQueue(mode === 'check', Number(permittedAt), String(taken))
      .catch((error: Error) => this.#parts.log.debug({ reason: error.message }, 'upkeep'))
      .finally(() => {
        this.#upkeep = undefined;
      });
  }

  #view(): WorkerView {
    const { about, queues, held } = this.#parts;
    const [id, startedAt, jobs] = [this.#worker, this.#startedAt, [...held].map(({ lease }) => lease.claim.id)];
    return { id, host: hostname(), pid: process.pid, ...about, queues: [...queues], startedAt, jobs };
  }

  #mustStop(id: string, attempt: number, why: unknown): void {
    const { held, log } = this.#parts;
    for (const { lease } of held) {
      if (lease.claim.id !== id || lease.claim.attempt !== attempt) continue;
      const trace = lease.claim.traceparent && traceFields(lease.claim.traceparent);
      if (why === 'lost') log.warn({ job: id, attempt, ...trace }, 'another worker has taken over the job');
      lease.stop(why === 'lost' ? 'lost' : 'cancelled');
    }
  }

  /** `taken`: the queues of which deliveries are taken, with commas between them. */
  async #lookAfterQueue(mayCheck: boolean, permittedAt: number, taken: string): Promise<void> {
    const { delivery, log, lockMs } = this.#parts;
    if (mayCheck) {
      const queues = deviceQueues.filter((name) => taken.split(',').includes(name));
      const stalled = await delivery.recoverStalled(permittedAt, lockMs, queues);
      if (stalled.length > 0) log.warn({ jobs: stalled }, 'jobs of a silent worker are queued again');
    }
    await delivery.handOver();
    if (!mayCheck || performance.now() - this.#redeliveredAt < redeliverEveryMs) return;
    this.#redeliveredAt = performance.now();
    const found = await delivery.redeliver();
    if (found.length > 0) log.warn({ jobs: found }, 'jobs without a delivery are queued again');
  }
}
