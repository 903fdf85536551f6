/**
 * A rate that may be exceeded for a moment: tokens come at a steady pace up to one second's worth, and are taken as they are
 * used. Whoever takes more than there are owes the rest, and gets nothing until it is paid. So a request that is larger than
 * the bucket passes at times, and over any longer time the rate holds exactly.
 */
export class TokenBucket {
  /** tokens a second, and the most that there are at once */
  readonly rate: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** `now` in milliseconds */
  constructor(rate: number, now: () => number = () => performance.now()) {
    this.rate = rate;
    this.#now = now;
    this.#tokens = rate;
    this.#at = now();
  }

  /** Takes `count` where there is at least one token; else false, and nothing is taken. */
  take(count: number): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= count;
    return true;
  }

  /** Takes `count` whatever there is. A negative number gives tokens back. */
  owe(count: number): void {
    this.#tokens = Math.min(this.rate, this.#tokens - count);
  }

  /** whole tokens that are there */
  get remaining(): number {
    this.#refill();
    return Math.max(0, Math.floor(this.#tokens));
  }

  /** until there is a token again; 0 when there is one */
  get waitSeconds(): number {
    this.#refill();
    return Math.max(0, (1 - this.#tokens) / this.rate);
  }

  #refill(): void {
    const now = this.#now();
    this.#tokens = Math.min(this.rate, this.#tokens + ((now - this.#at) * this.rate) / 1000);
    this.#at = now;
  }
}
