/**
 * API keys in Redis: only their SHA-256, with name, tenant and scopes.
 *
 *   <base>keys           hash     id → record as JSON
 *   <base>keys:used      hash     id → when it was last used, ms since 1970
 *   <base>keys:version   string   grows with each change
 *   <base>keys:changed   channel  the same, as it happens
 */

import type { Redis } from 'ioredis';
import type { KeyRecord } from '../access/key-record.ts';
import type { KeyStorage, StoredKeys } from '../access/key-storage.ts';
import type { Logger } from '../platform/log.ts';
import { connectRedis, keyBase, type RedisSettings, redisError, untilReady } from './redis.ts';
import { type Reply, Script } from './script.ts';

const changed = `
local base = KEYS[1]
local function changed() redis.call('PUBLISH', base .. 'keys:changed', redis.call('INCR', base .. 'keys:version')) end
`;

/** ARGV: id, record, most, '1' when it must be the first one */
const addScript = new Script(`${changed}
local there = redis.call('HLEN', base .. 'keys')
if ARGV[4] == '1' and there > 0 then return 'taken' end
if there >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', base .. 'keys', ARGV[1], ARGV[2])
changed()
return 'ok'
`);

/** ARGV: id of the old key, its record as it is, as it shall be, id of the new one, its record */
const rotateScript = new Script(`${changed}
if redis.call('HGET', base .. 'keys', ARGV[1]) ~= ARGV[2] then return 'other' end
redis.call('HSET', base .. 'keys', ARGV[1], ARGV[3], ARGV[4], ARGV[5])
changed()
return 'ok'
`);

/** ARGV: id */
const removeScript = new Script(`${changed}
if redis.call('HDEL', base .. 'keys', ARGV[1]) == 0 then return 'unknown' end
redis.call('HDEL', base .. 'keys:used', ARGV[1])
changed()
return 'ok'
`);

/** ARGV: pairs of id and time. Keys that were removed meanwhile are left out. */
const noteUseScript = new Script(`
local base = KEYS[1]
for i = 1, #ARGV, 2 do
  if redis.call('HEXISTS', base .. 'keys', ARGV[i]) == 1 then redis.call('HSET', base .. 'keys:used', ARGV[i], ARGV[i + 1]) end
end
return 'ok'
`);

export class RedisKeys implements KeyStorage {
  readonly #client: Redis;
  readonly #subscriber: Redis;
  readonly #base: string;

  private constructor(settings: RedisSettings, log: Logger) {
    this.#base = keyBase(settings);
    this.#client = connectRedis(settings, 'commands', log);
    this.#subscriber = connectRedis(settings, 'subscriber', log);
  }

  /** Waits a moment for Redis; one that cannot be reached yet is no error. */
  static async open(settings: RedisSettings, log: Logger): Promise<RedisKeys> {
    const keys = new RedisKeys(settings, log);
    await untilReady(keys.#client, settings.timeoutMs).catch(() => undefined);
    return keys;
  }

  read(since?: string): Promise<StoredKeys | undefined> {
    return this.#guarded(async () => {
      const now = (await this.#client.get(`${this.#base}keys:version`)) ?? '0';
      if (now === since) return undefined;
      const replies = await this.#client.multi().get(`${this.#base}keys:version`).hvals(`${this.#base}keys`).exec();
      const [version, texts] = (replies ?? []).map(([error, reply]) => {
        if (error) throw error;
        return reply;
      }) as [string | null, readonly string[]];
      return { version: version ?? '0', records: texts.map((text) => JSON.parse(text) as KeyRecord) };
    });
  }

  async add(record: KeyRecord, { most, onlyFirst = false }: { readonly most: number; readonly onlyFirst?: boolean }) {
    return (await this.#run(addScript, record.id, JSON.stringify(record), most, onlyFirst ? 1 : 0)) as
      | 'ok'
      | 'full'
      | 'taken';
  }

  async rotate(old: KeyRecord, changedTo: KeyRecord, added: KeyRecord): Promise<boolean> {
    const texts = [old.id, JSON.stringify(old), JSON.stringify(changedTo), added.id, JSON.stringify(added)];
    return (await this.#run(rotateScript, ...texts)) === 'ok';
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#run(removeScript, id)) === 'ok';
  }

  async noteUse(times: ReadonlyMap<string, number>): Promise<void> {
    await this.#run(noteUseScript, ...[...times].flat());
  }

  async lastUsed(): Promise<ReadonlyMap<string, number>> {
    const found = await this.#guarded(() => this.#client.hgetall(`${this.#base}keys:used`));
    return new Map(Object.entries(found).map(([id, time]) => [id, Number(time)]));
  }

  onChange(listener: () => void): () => void {
    const channel = `${this.#base}keys:changed`;
    const heard = (from: string): void => {
      if (from === channel) listener();
    };
    this.#subscriber.on('message', heard);
    // What was said while the connection was down is lost.
    this.#subscriber.on('ready', listener);
    this.#subscriber.subscribe(channel).catch(() => undefined);
    return () => {
      this.#subscriber.off('message', heard);
      this.#subscriber.off('ready', listener);
    };
  }

  close(): void {
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  #run(script: Script, ...args: (string | number)[]): Promise<Reply> {
    return this.#guarded(() => script.run(this.#client, this.#base, ...args));
  }

  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw redisError(error);
    }
  }
}
