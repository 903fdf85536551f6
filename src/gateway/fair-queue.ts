/**
 * A queue whose clients take turns, and within a client its topics: whoever has much waiting does not hold up those who have
 * little.
 */

export class FairQueue<T> {
  /** by client and topic, those whose turn it is first */
  readonly #byClient = new Map<string, Map<string, T[]>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(client: string, item: T, topic = ''): void {
    let topics = this.#byClient.get(client);
    if (!topics) {
      topics = new Map();
      this.#byClient.set(client, topics);
    }
    const items = topics.get(topic);
    if (items) items.push(item);
    else topics.set(topic, [item]);
    this.#size++;
  }

  /** The oldest item of the topic and client whose turn it is. */
  shift(): T | undefined {
    for (const [client, topics] of this.#byClient) {
      for (const [topic, items] of topics) {
        const item = items.shift();
        topics.delete(topic);
        if (items.length > 0) topics.set(topic, items);
        this.#byClient.delete(client);
        if (topics.size > 0) this.#byClient.set(client, topics);
        this.#size--;
        return item;
      }
    }
    return undefined;
  }

  /** Whether a topic of a client has less than its equal share of `places`. */
  isBelowShare(client: string, topic: string, places: number): boolean {
    const topics = this.#byClient.get(client);
    const clients = this.#byClient.size + (topics ? 0 : 1);
    const items = topics?.get(topic);
    const ofClient = (topics?.size ?? 0) + (items ? 0 : 1);
    return (items?.length ?? 0) < places / clients / ofClient;
  }
}
