/**
 * From the records to BullMQ: every job that waits in the list of pending ones becomes a BullMQ job that holds nothing but
 * its id. Adding one twice does no harm, so any number of workers may do this, and die while doing it.
 */

import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from '../platform/log.ts';
import { deliveredScript, orphansScript } from './lease-scripts.ts';
import { keyBase, type RedisSettings } from './redis.ts';

/** BullMQ's name for the queue; its keys are `<base>training:…`. */
export const queueName = 'training';

/** Beyond this many stalls BullMQ gives up on a delivery; `redeliver` then makes a new one. Crashes are counted in the record. */
export const maxStalledCount = 50;

/** One delivery of a job: a job that is started again gets another number. */
export const deliveryId = (id: string, delivery: string): string => `${id}-${delivery}`;

export function parseDelivery(text: string): { id: string; delivery: string } {
  const [id = '', delivery = ''] = text.split('-');
  return { id, delivery };
}

const page = 100;

export class Delivery {
  readonly #client: Redis;
  readonly #base: string;
  readonly #queue: Queue;
  #running: Promise<void> | undefined;
  #again = false;

  /** `client` is a ready connection of kind `commands`; it stays the caller's. */
  constructor(client: Redis, settings: RedisSettings, stalledInterval: number, log: Logger) {
    this.#client = client;
    this.#base = keyBase(settings);
    const options = { connection: client, prefix: `{${settings.prefix}}`, skipVersionCheck: true };
    // the last two are what the script for stalled jobs reads
    this.#queue = new Queue(queueName, { ...options, ...{ maxStalledCount, stalledInterval } });
    this.#queue.on('error', (error) => log.debug({ reason: error.message }, 'BullMQ'));
  }

  /** Hands over all pending jobs. Calls while it runs make it look once more. */
  handOver(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#handOverAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Puts back the jobs whose workers let their locks expire. */
  async recoverStalled(): Promise<readonly string[]> {
    return this.#queue.backend.moveStalledJobsToWait();
  }

  /** Delivers anew what BullMQ has lost. */
  async redeliver(): Promise<readonly string[]> {
    return (await orphansScript.run(this.#client, this.#base)) as readonly string[];
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#queue.close();
  }

  async #handOverAll(): Promise<void> {
    for (;;) {
      this.#again = false;
      const ids = await this.#client.zrange(`${this.#base}pending`, '0', String(page - 1));
      for (const id of ids) await this.#handOverOne(id);
      if (ids.length < page && !this.#again) return;
    }
  }

  async #handOverOne(id: string): Promise<void> {
    const [delivery, priority] = await this.#client.hmget(`${this.#base}job:${id}`, 'delivery', 'priority');
    if (delivery === null || delivery === undefined) {
      await this.#client.zrem(`${this.#base}pending`, id);
      return;
    }
    await this.#queue.add(
      'train',
      {},
      {
        jobId: deliveryId(id, delivery),
        // BullMQ: 1 is the highest, 0 would mean none
        priority: 1001 - Number(priority ?? 0),
        removeOnComplete: true,
        removeOnFail: true,
      },
    );
    await deliveredScript.run(this.#client, this.#base, id, delivery);
  }
}
