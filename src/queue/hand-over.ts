/**
 * Hands jobs to BullMQ, and takes them back, from a process that works on none: a gateway. It loads BullMQ when it is first needed,
 * because that takes longer than loading the rest of the queue. What does not work now is done by the next worker's heartbeat.
 */

import type { Redis } from 'ioredis';
import type { Logger } from '../platform/log.ts';
import { deviceQueues } from './bullmq-keys.ts';
import type { Delivery } from './delivery.ts';
import { recountScript } from './job-scripts.ts';
import { keyBase, type QueueSettings } from './redis.ts';

type Call = (delivery: Delivery) => Promise<void>;

export class HandOver {
  readonly #client: Redis;
  readonly #settings: QueueSettings;
  readonly #log: Logger;
  #delivery: Delivery | undefined;
  #opening: Promise<void> = Promise.resolve();

  /** `client` stays the caller's. */
  constructor(client: Redis, settings: QueueSettings, log: Logger) {
    this.#client = client;
    this.#settings = settings;
    this.#log = log;
  }

  /** Does nothing while Redis is away. */
  inBackground(call: Call): void {
    this.#run(call).catch(this.#note);
  }

  /** Does what may have been left undone while Redis was away, or by an earlier release. */
  catchUp(): void {
    const base = keyBase(this.#settings);
    const look = async (): Promise<void> => {
      await recountScript.run(this.#client, base, ...deviceQueues);
      if ((await this.#client.zcard(`${base}pending`)) > 0) await this.#run((delivery) => delivery.handOver());
    };
    look().catch(this.#note);
  }

  #run(call: Call): Promise<void> {
    if (!this.#isReady()) return Promise.resolve();
    if (this.#delivery) return call(this.#delivery);
    // Calls that come while it is loaded keep their order: each finds what those before it have done.
    const opened = async (): Promise<void> => {
      const { Delivery } = await import('./delivery.ts');
      if (!this.#isReady()) return;
      this.#delivery ??= new Delivery(this.#client, { ...this.#settings, lockMs: 0 }, this.#log);
      await call(this.#delivery);
    };
    this.#opening = this.#opening.then(opened, opened);
    return this.#opening;
  }

  /** BullMQ wants a ready connection. */
  readonly #isReady = (): boolean => this.#client.status === 'ready';

  readonly #note = (error: Error): void => this.#log.debug({ reason: error.message }, 'a hand-over must wait');
}
