/** What was read a while ago and is asked for again: the results of the last keys, each read once. */

export class KeptPromises<Value> {
  readonly #most: number;
  /** the longest unused first */
  readonly #kept = new Map<string, Promise<Value>>();

  /** `most`: keys whose results are kept; the longest unused one goes first. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The result for this key; `read` is called unless it is kept or on its way. One that failed is not kept. */
  get(key: string, read: () => Promise<Value>): Promise<Value> {
    const value = this.#kept.get(key) ?? read();
    this.#kept.delete(key);
    this.#kept.set(key, value);
    value.catch(() => {
      if (this.#kept.get(key) === value) this.#kept.delete(key);
    });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#most && oldest !== undefined) this.#kept.delete(oldest);
    return value;
  }
}
