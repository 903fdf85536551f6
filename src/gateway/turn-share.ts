/**
 * Shares the event loop among clients: requests of one turn are handled at once for as long as `turnMs` allows; the rest
 * waits for the next turns, in which clients take turns, too. So sockets are read and probes answered in between, however
 * much arrives at a time.
 *
 * How many predictions may wait here adapts to how long they wait. Those beyond are refused, in a small part of each turn:
 * refusing must not take the time of those that are answered. So a refusal may wait, too, for about a second.
 */

import { turnClock } from '../platform/turn-clock.ts';
import { AdaptiveLimit } from '../serve/adaptive-limit.ts';
import { FairQueue } from './fair-queue.ts';

export interface TurnShareOptions {
  /** of a turn, for requests that have waited; default 5 */
  readonly turnMs?: number;
  /** predictions shall wait about this long when there are too many */
  readonly targetMs: number;
  /** predictions that may wait here; absent: as many as `targetMs` allows */
  readonly fixed?: number | null;
  /** and in any case */
  readonly most: number;
}

export interface Job {
  readonly client: string;
  /** of a prediction: those of one topic take turns with those of others; undefined when it is none */
  topic(): string | undefined;
  run(): void;
  /** in place of `run`, when too many predictions wait */
  refuse(): void;
}

interface Waiting {
  readonly job: Job;
  readonly since: number;
  readonly isPrediction: boolean;
}

const defaultTurnMs = 5;
/**
 * Of a turn's time, for refusals on top of it. To read a request that is refused, and to write and end its answer, takes some
 * times as long as what is counted here.
 */
const refusalShare = 0.03;
/** and when the first of them has waited for so long */
const lateRefusalShare = 0.2;
const lateRefusalMs = 1000;
/** callbacks planned at a time; each runs one job, with all that follows from it in the same turn */
const mostPlanned = 64;

export class TurnShare {
  readonly #turnMs: number;
  readonly #limit: AdaptiveLimit;
  readonly #waiting = new FairQueue<Waiting>();
  readonly #refused: Pick<Waiting, 'job' | 'since'>[] = [];
  #isPlanned = false;
  /** in this phase of jobs that have waited: since when, how many were run, how many refused */
  #phase = { began: 0, run: 0, refused: 0 };

  constructor({ turnMs = defaultTurnMs, ...limits }: TurnShareOptions) {
    this.#turnMs = turnMs;
    this.#limit = new AdaptiveLimit(limits);
  }

  /** Runs the job now, or in a later turn. */
  run(job: Job): void {
    if (!this.#isPlanned && performance.now() - turnClock.began < this.#turnMs) return job.run();
    this.defer(job);
  }

  /** Runs the job in a later turn. */
  defer(job: Job): void {
    const topic = job.topic();
    const isPrediction = topic !== undefined;
    if (isPrediction && this.#isFull(job.client, topic)) this.#refused.push({ job, since: performance.now() });
    else {
      this.#waiting.push(job.client, { job, since: performance.now(), isPrediction }, topic);
      if (isPrediction) this.#limit.enter();
    }
    if (!this.#isPlanned) this.#plan();
  }

  /** A topic with less than its share finds room, up to twice the limit. */
  #isFull(client: string, topic: string): boolean {
    if (!this.#limit.isFull) return false;
    const { limit, inFlight } = this.#limit;
    return inFlight >= 2 * limit || !this.#waiting.isBelowShare(client, topic, limit);
  }

  #plan(): void {
    this.#isPlanned = true;
    this.#phase = { began: 0, run: 0, refused: 0 };
    // One callback a job: Node runs what follows from a job, such as the parsing of its body, before the next callback.
    const jobs = Math.min(this.#waiting.size + this.#refused.length, mostPlanned);
    for (let i = 0; i < jobs; i++) setImmediate(this.#next);
    setImmediate(this.#end);
  }

  readonly #next = (): void => {
    const now = performance.now();
    const phase = this.#phase;
    phase.began ||= now;
    const left = this.#turnMs - (now - phase.began);
    if (phase.run === 0 || left > 0) {
      const next = this.#waiting.shift();
      if (next) {
        phase.run++;
        return this.#begin(next, now);
      }
    }
    const [first] = this.#refused;
    if (!first) return;
    const share = now - first.since > lateRefusalMs ? lateRefusalShare : refusalShare;
    if (phase.refused > 0 && left <= -this.#turnMs * share) return;
    phase.refused++;
    this.#refused.shift();
    first.job.refuse();
  };

  #begin({ job, since, isPrediction }: Waiting, now: number): void {
    if (isPrediction) {
      this.#limit.leave();
      this.#limit.waited((now - since) / 1000);
    }
    turnClock.resume(since);
    job.run();
  }

  readonly #end = (): void => {
    turnClock.end();
    if (this.#waiting.size > 0 || this.#refused.length > 0) this.#plan();
    else this.#isPlanned = false;
  };
}
