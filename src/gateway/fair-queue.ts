/** A queue whose clients take turns: whoever has much waiting does not hold up those who have little. */

export class FairQueue<T> {
  /** by client, the one whose turn it is first */
  readonly #byClient = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(client: string, item: T): void {
    const items = this.#byClient.get(client);
    if (items) items.push(item);
    else this.#byClient.set(client, [item]);
    this.#size++;
  }

  /** The oldest item of the client whose turn it is. */
  shift(): T | undefined {
    for (const [client, items] of this.#byClient) {
      this.#byClient.delete(client);
      const item = items.shift();
      if (items.length > 0) this.#byClient.set(client, items);
      this.#size--;
      return item;
    }
    return undefined;
  }
}
