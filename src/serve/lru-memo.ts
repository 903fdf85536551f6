/** Least-recently-used cache of asynchronous results. Concurrent callers for one key share one load. */

export class LruMemo<Value> {
  readonly #capacity: number;
  /** least recently used first: a Map keeps the order of insertion */
  readonly #entries = new Map<string, Promise<Value>>();

  /** `capacity`: the number of keys whose results are kept. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The result for `key`, from the cache or from `load`. A load that fails is not cached. */
  get(key: string, load: () => Promise<Value>): Promise<Value> {
    const value = this.#entries.get(key) ?? load();
    this.#entries.delete(key);
    this.#entries.set(key, value);
    value.catch(() => {
      if (this.#entries.get(key) === value) this.#entries.delete(key);
    });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#capacity && oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }
}
