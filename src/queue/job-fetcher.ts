/**
 * Fills a worker's slots: takes deliveries from the queues that it serves, one queue after the other in turn, and hands each
 * to `process`. When there is nothing to take it waits for word of a new delivery, and looks anyway every two seconds, since
 * word can be lost and delayed deliveries fall due without any.
 */

import { randomUUID } from 'node:crypto';
import type { Device } from '../jobspec/training.ts';
import type { Logger } from '../platform/log.ts';
import type { Delivery, Taken } from './delivery.ts';

export interface FetcherParts {
  readonly delivery: Pick<Delivery, 'take' | 'takenWith'>;
  readonly queues: readonly Device[];
  /** deliveries in hand at once */
  readonly slots: number;
  /** true when it was a job to work on; must not reject */
  readonly process: (taken: Taken) => Promise<boolean>;
  /** ends by itself after so many jobs */
  readonly jobs?: number;
  /** ends by itself when it had nothing to do for so long */
  readonly idleMs?: number;
  readonly log: Logger;
}

const lookEveryMs = 2000;
const retryMs = 500;

export class JobFetcher {
  readonly #parts: FetcherParts;
  readonly #inHand = new Set<Promise<void>>();
  readonly #ended: Promise<void>;
  /** queue and token of a take whose answer did not come */
  #unanswered: { readonly queue: Device; readonly token: string } | undefined;
  #turn = 0;
  #jobs = 0;
  #busyAt = performance.now();
  #isStopped = false;
  #isTold = false;
  #wake = (): void => undefined;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
    this.#ended = this.#run();
  }

  /** Resolves when it takes no more and what it took has been dealt with: after `stop`, its number of jobs, or too long without one. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** There may be something to take. */
  tell(): void {
    this.#isTold = true;
    this.#wake();
  }

  /** Takes no more from now on. */
  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { slots, log } = this.#parts;
    while (!this.#isOver) {
      if (this.#inHand.size >= this.#freeSlots(slots)) {
        await Promise.race(this.#inHand);
        continue;
      }
      this.#isTold = false;
      try {
        const taken = await this.#takeNext();
        if (taken) this.#begin(taken);
        else await this.#sleep(Math.min(lookEveryMs, this.#parts.idleMs ?? lookEveryMs));
      } catch (error) {
        log.debug({ reason: (error as Error).message }, 'nothing could be taken from the queue');
        this.#isTold = false;
        await this.#sleep(retryMs);
      }
    }
    await Promise.all(this.#inHand);
  }

  /** A worker that ends after n jobs never has more than n in hand. */
  #freeSlots(slots: number): number {
    const { jobs = Number.POSITIVE_INFINITY } = this.#parts;
    return Math.min(slots, jobs - this.#jobs);
  }

  get #isOver(): boolean {
    const { jobs = Number.POSITIVE_INFINITY, idleMs = Number.POSITIVE_INFINITY } = this.#parts;
    const isIdle = this.#inHand.size === 0 && performance.now() - this.#busyAt >= idleMs;
    return this.#isStopped || this.#jobs >= jobs || isIdle;
  }

  async #takeNext(): Promise<Taken | undefined> {
    const { delivery, queues } = this.#parts;
    if (this.#unanswered) {
      const { queue, token } = this.#unanswered;
      const taken = await delivery.takenWith(queue, token);
      this.#unanswered = undefined;
      if (taken) return taken;
    }
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(this.#turn + i) % queues.length] as Device;
      const token = randomUUID();
      this.#unanswered = { queue, token };
      const taken = await delivery.take(queue, token);
      this.#unanswered = undefined;
      if (!taken) continue;
      this.#turn = (this.#turn + i + 1) % queues.length;
      return taken;
    }
    return undefined;
  }

  #begin(taken: Taken): void {
    const work = this.#parts.process(taken).then((wasJob) => {
      if (wasJob) this.#jobs++;
      if (wasJob) this.#busyAt = performance.now();
      this.#inHand.delete(work);
      // What has ended may have made work, such as a sweep whose last trial it was.
      this.tell();
    });
    this.#inHand.add(work);
  }

  /** Until it is told something, at most so long. */
  async #sleep(ms: number): Promise<void> {
    if (this.#isTold || this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
