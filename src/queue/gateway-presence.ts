/** Which gateways are there: each renews a record in Redis that expires when it falls silent. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import type { GatewayView } from '../jobspec/job.ts';
import type { Logger } from '../platform/log.ts';

const renewMs = 5000;
const lastsMs = 15_000;

export interface PresenceParts {
  readonly client: Redis;
  readonly base: string;
  readonly log: Logger;
}

export class GatewayPresence {
  readonly #parts: PresenceParts;
  readonly #view: GatewayView;
  readonly #timer: NodeJS.Timeout;

  /** Announces this process until `stop`. */
  constructor(parts: PresenceParts, release: string) {
    this.#parts = parts;
    const startedAt = new Date().toISOString();
    this.#view = { id: randomUUID(), host: hostname(), pid: process.pid, release, startedAt };
    const renew = (): void =>
      void this.#renew().catch((error: Error) => parts.log.debug({ reason: error.message }, 'gateway presence'));
    this.#timer = setInterval(renew, renewMs).unref();
    renew();
  }

  async #renew(): Promise<void> {
    const { client, base } = this.#parts;
    const now = Date.now();
    const { id } = this.#view;
    await client
      .multi()
      .set(`${base}gateway:${id}`, JSON.stringify(this.#view), 'PX', lastsMs)
      .zadd(`${base}gateways`, now, id)
      .zremrangebyscore(`${base}gateways`, 0, now - 4 * lastsMs)
      .exec();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const { client, base } = this.#parts;
    if (client.status !== 'ready') return;
    const { id } = this.#view;
    // else it expires
    await client
      .multi()
      .del(`${base}gateway:${id}`)
      .zrem(`${base}gateways`, id)
      .exec()
      .catch(() => undefined);
  }
}

/** In the order in which they were started. */
export async function presentGateways(client: Redis, base: string): Promise<readonly GatewayView[]> {
  const ids = await client.zrange(`${base}gateways`, 0, '-1');
  const texts = ids.length === 0 ? [] : await client.mget(ids.map((id) => `${base}gateway:${id}`));
  const found = texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as GatewayView]));
  return found.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}
