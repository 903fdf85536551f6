/**
 * Following a job's events: replay from the stream, then wait for the channel that says there is more. All watchers of a
 * process share one subscription; a slow poll underneath covers a message that was lost with its connection.
 */

import type { Redis } from 'ioredis';

const pollMs = 2000;

/** Calls the listeners of a stream when something was added to it. */
export class StreamNotifier {
  readonly #subscriber: Redis;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(subscriber: Redis) {
    this.#subscriber = subscriber;
    subscriber.on('message', (channel: string) => this.#notify(channel));
    // Messages published while the connection was down are lost: let every listener read again.
    subscriber.on('ready', () => {
      for (const channel of this.#waiting.keys()) this.#notify(channel);
    });
  }

  /** Calls `wake` at each message until the returned function is called. */
  listen(channel: string, wake: () => void): () => void {
    const listeners = this.#waiting.get(channel) ?? new Set();
    if (listeners.size === 0) {
      this.#waiting.set(channel, listeners);
      this.#subscriber.subscribe(channel).catch(() => undefined);
    }
    listeners.add(wake);
    return () => {
      listeners.delete(wake);
      if (listeners.size > 0) return;
      this.#waiting.delete(channel);
      this.#subscriber.unsubscribe(channel).catch(() => undefined);
    };
  }

  #notify(channel: string): void {
    for (const wake of this.#waiting.get(channel) ?? []) wake();
  }
}

export interface StreamEntry {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

export interface FollowOptions {
  readonly stream: string;
  /** entries after this one; absent: all */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

/** Entries in order, without end; stops when aborted. `read` throws only for the first page: later outages are waited out. */
export async function* followStream(
  notifier: StreamNotifier,
  read: (after: string | undefined) => Promise<readonly StreamEntry[]>,
  { stream, after, signal }: FollowOptions,
): AsyncGenerator<StreamEntry | 'caught-up', void> {
  let wake = (): void => undefined;
  let notified = false;
  const stop = notifier.listen(stream, () => {
    notified = true;
    wake();
  });
  const aborted = (): void => wake();
  signal?.addEventListener('abort', aborted);
  try {
    let last = after;
    for (let first = true; !signal?.aborted; first = false) {
      notified = false;
      const page = first ? await read(last) : await read(last).catch(() => []);
      for (const entry of page) {
        yield entry;
        last = entry.id;
      }
      if (page.length > 0) continue;
      yield 'caught-up';
      if (notified || signal?.aborted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    signal?.removeEventListener('abort', aborted);
    stop();
  }
}
