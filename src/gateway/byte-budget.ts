/**
 * One budget for the bytes that clients make the gateway hold, over all transports: requests as they arrive, their
 * decompressed and partial messages, answers from before they are computed until they are read.
 *
 *   1. A quarter is kept for small holdings, so that small requests find room whatever large ones do.
 *   2. One client may hold only its share of the rest, or one request and its answer.
 *   3. When there is no room, holdings without progress for a second are cut, the longest without progress first.
 *   4. An answer that its client does not read for `stallMs` is cut in any case.
 */

import { HourglassError } from '../base/errors.ts';

export interface ByteBudgetOptions {
  readonly limit: number;
  /** percent of the large share that one client may hold */
  readonly clientShare: number;
  /** a client that does not read its answer for so long is cut */
  readonly stallMs: number;
  /** told of each change */
  readonly changed?: (used: number) => void;
}

export interface HoldingOptions {
  readonly client: string;
  /** ends the request; the holding is released by whoever made it */
  cut(error: HourglassError): void;
}

/** Up to here a holding is small. */
export const smallBytes = 256 * 1024;
const smallShare = 0.25;
/** without progress for so long, a holding may be cut to make room */
const idleMs = 1000;
const sampleMs = 1000;

export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  readonly #largeLimit: number;
  readonly #clientLimit: number;
  readonly #largeByClient = new Map<string, number>();
  /** holdings that wait for their client, the one longest without progress first */
  readonly #waiting = new Set<Holding>();
  #sampler: NodeJS.Timeout | undefined;
  #used = 0;
  #large = 0;

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
    this.#largeLimit = options.limit * (1 - smallShare);
    this.#clientLimit = (this.#largeLimit * options.clientShare) / 100;
  }

  get used(): number {
    return this.#used;
  }

  /** Holds nothing yet. Must be released at the end of the request. */
  hold(options: HoldingOptions): Holding {
    return new Holding(this, options);
  }

  /** For Holding. Throws `overloaded`. */
  change(holding: Holding, from: number, to: number): void {
    const { client } = holding;
    const added = to - from;
    const addedLarge = large(to) - large(from);
    if (added > 0) {
      const isShared = (): boolean => this.#ofClient(client) > large(from);
      while (addedLarge > 0 && isShared() && this.#ofClient(client) + addedLarge > this.#clientLimit) {
        if (!this.#cutOne(holding, (other) => other.client === client && large(other.bytes) > 0))
          throw this.#clientFull(this.#ofClient(client) + addedLarge);
      }
      while (addedLarge > 0 && this.#large + addedLarge > this.#largeLimit) {
        if (!this.#cutOne(holding, (other) => large(other.bytes) > 0)) throw this.#full();
      }
      while (this.#used + added > this.#options.limit) if (!this.#cutOne(holding, () => true)) throw this.#full();
    }
    this.#used += added;
    this.#large += addedLarge;
    if (addedLarge !== 0) {
      // Read again: cutting may have released holdings of the same client.
      const now = this.#ofClient(client) + addedLarge;
      if (now > 0) this.#largeByClient.set(client, now);
      else this.#largeByClient.delete(client);
    }
    this.#options.changed?.(this.#used);
  }

  /** For Holding: it waits for its client and has just made progress. */
  touch(holding: Holding): void {
    this.#waiting.delete(holding);
    this.#waiting.add(holding);
    if (holding.isSampled) this.#sampler ??= setInterval(() => this.#sample(), sampleMs).unref();
  }

  /** For Holding: it does not wait for its client any more. */
  forget(holding: Holding): void {
    this.#waiting.delete(holding);
  }

  #ofClient(client: string): number {
    return this.#largeByClient.get(client) ?? 0;
  }

  /** Cuts the holding that is idle the longest of those that would help. False when there is none. */
  #cutOne(except: Holding, wouldHelp: (holding: Holding) => boolean): boolean {
    const now = performance.now();
    for (const holding of this.#waiting) {
      if (now - holding.progressAt < idleMs) return false;
      if (holding === except || holding.bytes === 0 || !wouldHelp(holding)) continue;
      this.#cut(
        holding,
        'The request was cut off: its client neither sent nor read for a second while others waited for its memory (HOURGLASS_MAX_BODY_MEMORY).',
      );
      return true;
    }
    return false;
  }

  #cut(holding: Holding, message: string): void {
    this.#waiting.delete(holding);
    holding.cut(new HourglassError('request-timeout', message, { retryAfter: 1 }));
    holding.release();
  }

  #sample(): void {
    const now = performance.now();
    let sampled = 0;
    for (const holding of [...this.#waiting]) {
      if (!holding.isSampled) continue;
      sampled++;
      if (holding.hasMoved()) this.touch(holding);
      else if (now - holding.progressAt > this.#options.stallMs) {
        this.#cut(holding, 'The answer was not read for longer than HOURGLASS_STALL_TIMEOUT allows.');
      }
    }
    if (sampled > 0) return;
    clearInterval(this.#sampler);
    this.#sampler = undefined;
  }

  #full(): HourglassError {
    return new HourglassError(
      'overloaded',
      `Requests and answers already hold what they may of ${this.#options.limit} bytes (HOURGLASS_MAX_BODY_MEMORY). Try again in a moment.`,
      { retryAfter: 1 },
    );
  }

  #clientFull(wanted: number): HourglassError {
    return new HourglassError(
      'overloaded',
      `Large requests and answers of this client would hold ${wanted} bytes; its share (HOURGLASS_CLIENT_SHARE) of HOURGLASS_MAX_BODY_MEMORY is ${Math.floor(this.#clientLimit)}. Send fewer at once.`,
      { retryAfter: 1 },
    );
  }
}

const large = (bytes: number): number => (bytes > smallBytes ? bytes : 0);

/** What one request holds of the budget. */
export class Holding {
  readonly client: string;
  cut: (error: HourglassError) => void;
  readonly #budget: ByteBudget;
  #bytes = 0;
  /** of the bytes, those of an answer that is being computed */
  #reserved = 0;
  #progressAt = performance.now();
  #position: (() => number) | undefined;
  #lastPosition = 0;
  #released = false;

  constructor(budget: ByteBudget, { client, cut }: HoldingOptions) {
    this.#budget = budget;
    this.client = client;
    this.cut = cut;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get progressAt(): number {
    return this.#progressAt;
  }

  /** The request has ended, by itself or because it was cut. */
  get isReleased(): boolean {
    return this.#released;
  }

  get isSampled(): boolean {
    return this.#position !== undefined;
  }

  /** Throws `overloaded`, and then holds what it held before. */
  add(bytes: number): void {
    if (this.#released || bytes === 0) return;
    this.#budget.change(this, this.#bytes, this.#bytes + bytes);
    this.#bytes += bytes;
  }

  giveBack(bytes: number): void {
    this.add(-Math.min(bytes, this.#bytes));
  }

  /** Takes room for an answer before it is computed; asked again, for the longest. Throws `overloaded`. */
  reserve(bytes: number): void {
    if (bytes <= this.#reserved) return;
    this.add(bytes - this.#reserved);
    this.#reserved = bytes;
  }

  /** The answer is there: its bytes count in place of what was reserved. Throws `overloaded`. */
  answer(bytes: number): void {
    const reserved = this.#reserved;
    this.#reserved = 0;
    this.add(bytes - Math.min(reserved, this.#bytes));
  }

  /** More of the request has arrived, and more is to come. */
  arriving(): void {
    if (this.#released) return;
    this.#progressAt = performance.now();
    this.#budget.touch(this);
  }

  /** Now we work on it: the client is not to blame for what it holds. */
  arrived(): void {
    this.#position = undefined;
    this.#budget.forget(this);
  }

  /** The answer waits for its client, who has read as far as `position` says. */
  sending(position: () => number, cut = this.cut): void {
    if (this.#released) return;
    this.cut = cut;
    this.#position = position;
    this.#lastPosition = position();
    this.arriving();
  }

  /** For the budget: whether the client has read on since the last time. */
  hasMoved(): boolean {
    const position = this.#position?.() ?? 0;
    if (position === this.#lastPosition) return false;
    this.#lastPosition = position;
    this.#progressAt = performance.now();
    return true;
  }

  release(): void {
    this.arrived();
    if (this.#released) return;
    this.giveBack(this.#bytes);
    this.#released = true;
  }
}
