/** A Lua script that Redis runs as one atomic step. Keys all begin with the prefix, which is KEYS[1]. */

import { createHash } from 'node:crypto';
import { type Redis, ReplyError } from 'ioredis';

export type Reply = string | number | null | readonly Reply[];

export class Script {
  readonly #source: string;
  readonly #sha1: string;

  constructor(source: string) {
    this.#source = source;
    this.#sha1 = createHash('sha1').update(source).digest('hex');
  }

  async run(client: Redis, base: string, ...args: (string | number)[]): Promise<Reply> {
    try {
      return (await client.evalsha(this.#sha1, 1, base, ...args)) as Reply;
    } catch (error) {
      // A server that was restarted has forgotten the script.
      if (!(error instanceof ReplyError && (error as Error).message.startsWith('NOSCRIPT'))) throw error;
      return this.send(client, base, ...args);
    }
  }

  /** Sends the script itself, in one message: what is sent after it on the same connection runs after it, also on a server that has forgotten it. */
  async send(client: Redis, base: string, ...args: (string | number)[]): Promise<Reply> {
    return (await client.eval(this.#source, 1, base, ...args)) as Reply;
  }
}
