/**
 * The threads that read uploads: a few at a time. Clients take turns, so that many uploads of one do not keep another's
 * waiting, and an upload that was cancelled stops at once, whether it waits or runs.
 */

import { importInThread } from './import-run.ts';
import type { ImportRequest } from './import-thread.ts';
import type { StoredContent } from './manifest.ts';
import { checkCancelled } from './spool.ts';

export interface ImportPoolOptions {
  readonly threads: number;
  /** heap of one thread: rows are streamed, so it is for one picture, one line of text, one archive's directory */
  readonly heapBytes: number;
}

export interface ImportTurn {
  readonly client: string;
  readonly signal: AbortSignal | undefined;
}

export class ImportPool {
  readonly #options: ImportPoolOptions;
  /** what waits, by client; the client whose turn is next comes first */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  constructor(options: ImportPoolOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws what `importInThread` throws. */
  async run(request: ImportRequest, turn: ImportTurn): Promise<StoredContent> {
    await this.#turn(turn);
    try {
      checkCancelled(turn.signal);
      return await importInThread(request, { heapBytes: this.#options.heapBytes, signal: turn.signal });
    } finally {
      this.#running--;
      this.#next();
    }
  }

  /** Resolves when the import may run; also when it was cancelled, and then at once. */
  #turn({ client, signal }: ImportTurn): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.#waiting.get(client) ?? [];
      const start = (): void => {
        signal?.removeEventListener('abort', cancel);
        this.#running++;
        resolve();
      };
      const cancel = (): void => {
        queue.splice(queue.indexOf(start), 1);
        if (queue.length === 0) this.#waiting.delete(client);
        start();
      };
      if (signal?.aborted) return start();
      queue.push(start);
      this.#waiting.set(client, queue);
      signal?.addEventListener('abort', cancel, { once: true });
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#options.threads) {
      const [first] = this.#waiting;
      if (!first) return;
      const [client, queue] = first;
      const start = queue.shift();
      this.#waiting.delete(client);
      if (queue.length > 0) this.#waiting.set(client, queue);
      start?.();
    }
  }
}
