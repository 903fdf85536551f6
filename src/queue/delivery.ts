/**
 * From the records to BullMQ: every job that waits in the list of pending ones becomes a BullMQ job that holds nothing but
 * its id, and a sweep becomes a flow: BullMQ delivers it once its trials have ended. Adding one twice does no harm, so any
 * number of workers may do this, and die while doing it.
 */

import { type FlowJob, FlowProducer, Queue } from 'bullmq';
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

/** BullMQ's own check does nothing while this key is there. ARGV: server time of the permission, its age limit, ms to wait. */
const staleCheckGuard = `
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 - ARGV[1] > tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1] .. '${queueName}:stalled-check', 1, 'PX', ARGV[3])
end
return 1
`;

const page = 100;

export class Delivery {
  readonly #client: Redis;
  readonly #base: string;
  readonly #queue: Queue;
  readonly #flows: FlowProducer;
  #running: Promise<void> | undefined;
  #again = false;

  /** `client` is a ready connection of kind `commands`; it stays the caller's. */
  constructor(client: Redis, settings: RedisSettings, stalledInterval: number, log: Logger) {
    this.#client = client;
    this.#base = keyBase(settings);
    const options = { connection: client, prefix: `{${settings.prefix}}`, skipVersionCheck: true };
    // the last two are what the script for stalled jobs reads
    this.#queue = new Queue(queueName, { ...options, ...{ maxStalledCount, stalledInterval } });
    this.#flows = new FlowProducer(options);
    const note = (error: Error): void => log.debug({ reason: error.message }, 'BullMQ');
    this.#queue.on('error', note);
    this.#flows.on('error', note);
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

  /**
   * Puts back the jobs whose workers let their locks expire. The permission ages: a server that froze with the request in
   * its hands would otherwise carry it out when it wakes, and find every lock expired.
   */
  async recoverStalled(permittedAt: number, lockMs: number): Promise<readonly string[]> {
    // one connection, in this order: the first keeps the second from doing anything when it comes too late
    const guard = this.#client.eval(staleCheckGuard, 1, this.#base, permittedAt, Math.round(lockMs / 4), lockMs);
    const [, stalled] = await Promise.all([guard, this.#queue.backend.moveStalledJobsToWait()]);
    return stalled;
  }

  /** Delivers anew what BullMQ has lost. */
  async redeliver(): Promise<readonly string[]> {
    return (await orphansScript.run(this.#client, this.#base)) as readonly string[];
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#flows.close();
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
    const [delivery, priority, trials] = await this.#record(id);
    if (delivery === null || delivery === undefined) {
      await this.#client.zrem(`${this.#base}pending`, id);
      return;
    }
    const node = (of: string, number: string): FlowJob => ({
      name: 'train',
      queueName,
      data: {},
      opts: {
        jobId: deliveryId(of, number),
        // BullMQ: 1 is the highest, 0 would mean none
        priority: 1001 - Number(priority ?? 0),
        removeOnComplete: true,
        removeOnFail: true,
      },
    });
    const own = node(id, delivery);
    const children: FlowJob[] = [];
    for (const trial of JSON.parse(trials ?? '[]') as string[]) {
      const [number, , , state] = await this.#record(trial);
      if (number && !isFinal(state)) children.push(node(trial, number));
    }
    if (children.length > 0) await this.#flows.add({ ...own, children });
    else await this.#queue.add(own.name, own.data, own.opts);
    await deliveredScript.run(this.#client, this.#base, id, delivery);
  }

  #record(id: string) {
    return this.#client.hmget(`${this.#base}job:${id}`, 'delivery', 'priority', 'trials', 'state');
  }
}

const isFinal = (state: string | null | undefined): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled';
