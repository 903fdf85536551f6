/**
 * A limited number of things that clients may hold at once, such as event streams or uploads. One client may hold only
 * its share of them, so that it cannot lock out the others.
 */

import { HourglassError } from '../base/errors.ts';

export interface PlacesOptions {
  readonly limit: number;
  /** percent of the limit that one client may hold */
  readonly clientShare: number;
  /** in the plural, for messages: `open event streams` */
  readonly what: string;
  /** variable of the limit, for messages */
  readonly setting: string;
  /** told of each change */
  readonly changed?: (used: number) => void;
}

export class Places {
  readonly #options: PlacesOptions;
  readonly #byClient = new Map<string, number>();
  readonly #perClient: number;
  #used = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
    this.#perClient = Math.max(1, Math.floor((options.limit * options.clientShare) / 100));
  }

  get used(): number {
    return this.#used;
  }

  /** Returns what gives the place back, which may be called more than once. Throws `overloaded`. */
  take(client: string): () => void {
    const held = this.#byClient.get(client) ?? 0;
    const { limit, what, setting } = this.#options;
    if (this.#used >= limit) {
      throw overloaded(`There are already ${limit} ${what} (${setting}). Try again in a moment.`);
    }
    if (held >= this.#perClient) {
      throw overloaded(
        `This client already has ${held} ${what}, its share (HOURGLASS_CLIENT_SHARE) of ${limit} (${setting}). Close one first.`,
      );
    }
    this.#byClient.set(client, held + 1);
    this.#change(1);
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      const left = (this.#byClient.get(client) ?? 1) - 1;
      if (left > 0) this.#byClient.set(client, left);
      else this.#byClient.delete(client);
      this.#change(-1);
    };
  }

  #change(by: number): void {
    this.#used += by;
    this.#options.changed?.(this.#used);
  }
}

const overloaded = (message: string): HourglassError => new HourglassError('overloaded', message, { retryAfter: 1 });

/** Who a connection belongs to: its address; of IPv6 the /64 network, which is what one client gets. */
export function clientOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::', 2) ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return groups.slice(0, 4).join(':');
}
