/**
 * The door to BullMQ. From the records to its queues: every job that waits in the list of pending ones becomes a BullMQ job
 * that holds nothing but its id, and a sweep becomes a flow, delivered once its trials have ended. Adding one twice does no
 * harm, so any number of gateways and workers may do this, and die while doing it. And from its queues to a worker: take,
 * then complete or give back.
 */

import { type FlowJob, FlowProducer, Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Device } from '../jobspec/training.ts';
import type { Logger } from '../platform/log.ts';
import { bullKeys, bullQueueName, deviceQueues } from './bullmq-keys.ts';
import { recountScript } from './job-scripts.ts';
import { deliveredScript, orphansScript, takenScript, turnScript } from './lease-scripts.ts';
import { keyBase, type RedisSettings } from './redis.ts';
import { Script } from './script.ts';

/** Beyond this many stalls BullMQ gives up on a delivery; `redeliver` then makes a new one. Crashes are counted in the record. */
const maxStalledCount = 50;
/** BullMQ's own log of events, which only its tools read */
const bullEvents = 1000;

/** One delivery of a job: a job that is started again gets another number. */
export const deliveryId = (id: string, delivery: string): string => `${id}-${delivery}`;

export function parseDelivery(text: string): { id: string; delivery: string } {
  const [id = '', delivery = ''] = text.split('-');
  return { id, delivery };
}

/** A delivery that this worker has taken, under a lock that holds its token. */
export interface Taken {
  readonly queue: Device;
  /** as `deliveryId` makes it */
  readonly delivered: string;
  readonly token: string;
  /** The job needs no worker any more. */
  complete(): Promise<void>;
  /** Back to the queue: at once in front of the others, or after a while. */
  giveBack(afterMs: number): Promise<void>;
}

/** BullMQ's own check does nothing while this key is there. ARGV: queue, server time of the permission, its age limit, ms to wait. */
const staleCheckGuard = new Script(`
local base = KEYS[1]
${bullKeys}
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 - ARGV[2] > tonumber(ARGV[3]) then
  redis.call('SET', bullStalledCheck(ARGV[1]), 1, 'PX', ARGV[4])
end
return 1
`);

const page = 100;

export interface DeliveryOptions extends RedisSettings {
  /** how long a taken delivery stays locked unless it is renewed */
  readonly lockMs: number;
}

export class Delivery {
  readonly #client: Redis;
  readonly #base: string;
  readonly #queues: ReadonlyMap<Device, Queue>;
  readonly #flows: FlowProducer;
  #running: Promise<void> | undefined;
  #again = false;

  /** `client` is a ready connection of kind `commands`; it stays the caller's. */
  constructor(client: Redis, { lockMs, ...settings }: DeliveryOptions, log: Logger) {
    this.#client = client;
    this.#base = keyBase(settings);
    const options = { connection: client, prefix: `{${settings.prefix}}`, skipVersionCheck: true };
    // What BullMQ's scripts for taking and for stalled jobs read; they are checked at each heartbeat, not more often.
    const forWorkers = { lockDuration: lockMs, maxStalledCount, stalledInterval: Math.round(lockMs / 8) };
    const note = (error: Error): void => log.debug({ reason: error.message }, 'BullMQ');
    const open = (name: Device): [Device, Queue] => {
      const streams = { events: { maxLen: bullEvents } };
      const queue = new Queue(bullQueueName(name), { ...options, streams, ...forWorkers });
      queue.on('error', note);
      return [name, queue];
    };
    this.#queues = new Map(deviceQueues.map(open));
    this.#flows = new FlowProducer(options);
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

  /** Hands over one job or sweep. */
  async handOverOne(id: string): Promise<void> {
    const { delivery, priority, trials, queue, tenant } = await this.#record(id);
    if (delivery === null) {
      await this.#client.zrem(`${this.#base}pending`, id);
      return;
    }
    const node = (of: string, number: string, target: Device): FlowJob => ({
      name: 'train',
      queueName: bullQueueName(target),
      data: {},
      opts: {
        jobId: deliveryId(of, number),
        // BullMQ: 1 is the highest. One whose tenant has its turn has none, and is taken before all others.
        ...(tenant === undefined && { priority: 1001 - Number(priority ?? 0) }),
        removeOnComplete: true,
        removeOnFail: true,
      },
    });
    const own = node(id, delivery, queue);
    const children: FlowJob[] = [];
    for (const trial of tenant === undefined ? (JSON.parse(trials ?? '[]') as string[]) : []) {
      const record = await this.#record(trial);
      if (record.delivery !== null && !isFinal(record.state)) children.push(node(trial, record.delivery, record.queue));
    }
    if (children.length > 0) await this.#flows.add({ ...own, children });
    else await this.#queue(queue).add(own.name, own.data, own.opts);
    await deliveredScript.run(this.#client, this.#base, id, delivery);
  }

  /** Takes the deliveries of jobs that have ended out of BullMQ. One that a worker holds stays: it is dropped at its end. */
  async withdraw(id: string): Promise<void> {
    const { delivery, queue, trials } = await this.#record(id);
    const records = [{ id, delivery, queue }];
    for (const trial of JSON.parse(trials ?? '[]') as string[]) {
      const record = await this.#record(trial);
      if (isFinal(record.state)) records.push({ id: trial, ...record });
    }
    for (const record of records.reverse()) {
      if (record.delivery === null) continue;
      await this.#queue(record.queue).remove(deliveryId(record.id, record.delivery), { removeChildren: false });
    }
  }

  /** The next delivery of a queue; undefined when there is none. `token` must be new. */
  async take(name: Device, token: string): Promise<Taken | undefined> {
    const turn = await turnScript.run(this.#client, this.#base, name);
    if (turn === 'none') return undefined;
    if (turn !== 'bull') await this.handOverOne(String(turn));
    const [data, id] = await this.#queue(name).backend.moveToActive(token);
    return data && id ? this.#taken(name, id, token) : undefined;
  }

  /** What `take` has taken with this token, when its answer was lost. */
  async takenWith(name: Device, token: string): Promise<Taken | undefined> {
    const id = await takenScript.run(this.#client, this.#base, name, token);
    return typeof id === 'string' ? this.#taken(name, id, token) : undefined;
  }

  /**
   * Puts back the jobs of these queues whose workers let their locks expire. The permission ages: a server that froze with the request in
   * its hands would otherwise carry it out when it wakes, and find every lock expired.
   */
  async recoverStalled(permittedAt: number, lockMs: number, queues: readonly Device[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (const name of queues) {
      // One connection, in this order: the first keeps the second from doing anything when it comes too late.
      const ages = [permittedAt, Math.round(lockMs / 4), lockMs] as const;
      const guard = staleCheckGuard.send(this.#client, this.#base, name, ...ages);
      const [, stalled] = await Promise.all([guard, this.#queue(name).backend.moveStalledJobsToWait()]);
      found.push(...stalled);
    }
    if (found.length > 0) await this.#announce();
    return found;
  }

  /** Delivers anew what BullMQ has lost, and puts the counts of the queues right. */
  async redeliver(): Promise<readonly string[]> {
    await this.recount();
    return (await orphansScript.run(this.#client, this.#base)) as readonly string[];
  }

  async recount(): Promise<void> {
    await recountScript.run(this.#client, this.#base, ...deviceQueues);
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#flows.close();
    for (const queue of this.#queues.values()) await queue.close();
  }

  #taken(queue: Device, delivered: string, token: string): Taken {
    const job = new Job(this.#queue(queue), 'train', {}, { removeOnComplete: true, removeOnFail: true }, delivered);
    return {
      queue,
      delivered,
      token,
      complete: () => unlessLost(job.moveToCompleted(null, token, false)),
      giveBack: async (afterMs) => {
        if (afterMs > 0) return unlessLost(job.moveToDelayed(Date.now() + afterMs, token));
        await unlessLost(job.moveToWait(token));
        await this.#announce();
      },
    };
  }

  async #handOverAll(): Promise<void> {
    for (;;) {
      this.#again = false;
      const ids = await this.#client.zrange(`${this.#base}pending`, '0', String(page - 1));
      for (const id of ids) await this.handOverOne(id);
      if (ids.length < page && !this.#again) return;
    }
  }

  /** Tells idle workers that there may be something to take. */
  #announce(): Promise<unknown> {
    return this.#client.publish(`${this.#base}delivered`, '');
  }

  #queue(name: Device): Queue {
    const queue = this.#queues.get(name);
    if (!queue) throw new Error(`there is no queue ${name}`);
    return queue;
  }

  async #record(id: string) {
    const fields = ['delivery', 'priority', 'trials', 'state', 'queue', 'tenant'] as const;
    const [delivery = null, priority, trials, state, queue, tenant] = await this.#client.hmget(
      `${this.#base}job:${id}`,
      ...fields,
    );
    // Records of earlier releases name no queue.
    return {
      delivery,
      priority,
      trials,
      state,
      queue: deviceQueues.find((name) => name === queue) ?? 'any',
      tenant: tenant ?? undefined,
    };
  }
}

/** BullMQ refuses (with a code) when another worker has the delivery by now, or nobody: it is found and delivered again then. */
async function unlessLost(call: Promise<unknown>): Promise<void> {
  await call.catch((error: Error & { code?: unknown }) => {
    if (typeof error.code !== 'number') throw error;
  });
}

const isFinal = (state: string | null | undefined): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled';
