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
      // a server that was restarted has forgotten it
      if (!(error instanceof ReplyError && (error as Error).message.startsWith('NOSCRIPT'))) throw error;
      return (await client.eval(this.#source, 1, base, ...args)) as Reply;
    }
  }
}

/**
 * What all scripts of the job records share. Times are the server's own, so that wrong clocks elsewhere do no harm.
 *
 *   <base>job:<id>      hash      the record, see job-record.ts
 *   <base>events:<id>   stream    what watchers are told; also a channel that says "there is more"
 *   <base>jobs          sorted by id (ids begin with their time): every job; <base>jobs:<state>: those in a state
 *   <base>sweeps        the same for sweeps, whose records are jobs that wait for other jobs
 *   <base>finished      sorted by end: for dropping the oldest
 *   <base>endings       hash      final state, for failures also `failed:<reason>` → how many jobs, for ever
 *   <base>pending       ids that have yet to be handed to BullMQ
 *   <base>idem:<key>    hash      idempotency key → job
 */
const shared = `
local base = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function emit(id, kind, data)
  local keep = redis.call('HGET', base .. 'job:' .. id, 'keepEvents') or 1000
  local entry = redis.call('XADD', base .. 'events:' .. id, 'MAXLEN', '~', keep, '*', 'type', kind, 'data', data)
  redis.call('PUBLISH', base .. 'events:' .. id, '')
  return entry
end

local function index(id)
  if redis.call('HEXISTS', base .. 'job:' .. id, 'trials') == 1 then return base .. 'sweeps' end
  return base .. 'jobs'
end

local function move(id, to)
  local key = base .. 'job:' .. id
  local from = redis.call('HGET', key, 'state')
  if from then redis.call('ZREM', index(id) .. ':' .. from, id) end
  redis.call('ZADD', index(id) .. ':' .. to, 0, id)
  redis.call('HSET', key, 'state', to)
end

local function tell(id)
  emit(id, 'state', '{"state":"' .. redis.call('HGET', base .. 'job:' .. id, 'state') .. '"}')
end

local function deliver(id)
  redis.call('ZADD', base .. 'pending', now, id)
  redis.call('PUBLISH', base .. 'pending', '')
end

local function drop(id)
  local key = base .. 'job:' .. id
  local was = redis.call('HMGET', key, 'state', 'idem')
  if was[1] then redis.call('ZREM', index(id) .. ':' .. was[1], id) end
  if was[2] then redis.call('DEL', base .. 'idem:' .. was[2]) end
  redis.call('ZREM', index(id), id)
  redis.call('ZREM', base .. 'finished', id)
  redis.call('ZREM', base .. 'pending', id)
  redis.call('DEL', key, base .. 'events:' .. id)
end

-- to: a final state. Counts it, then drops the oldest finished jobs beyond the history that is kept.
local function finish(id, to)
  local key = base .. 'job:' .. id
  move(id, to)
  local times = redis.call('HMGET', key, 'createdAt', 'startedAt')
  redis.call('HSET', key, 'finishedAt', math.max(now, times[1] or 0, times[2] or 0))
  redis.call('HDEL', key, 'owner', 'waitingFor')
  redis.call('ZREM', base .. 'pending', id)
  redis.call('ZADD', base .. 'finished', now, id)
  tell(id)
  redis.call('HSET', key, 'endEvent', emit(id, 'end', ''))
  if index(id) == base .. 'jobs' then
    redis.call('HINCRBY', base .. 'endings', to, 1)
    local failure = to == 'failed' and redis.call('HGET', key, 'failure')
    if failure then redis.call('HINCRBY', base .. 'endings', 'failed:' .. cjson.decode(failure).reason, 1) end
  end
  redis.call('EXPIRE', base .. 'events:' .. id, 7 * 86400)
  local over = redis.call('ZCARD', base .. 'finished') - (redis.call('HGET', key, 'keepJobs') or 10000)
  if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', base .. 'finished', 0, math.min(over, 100) - 1)) do
      if old ~= id then drop(old) end
    end
  end
end

local function isFinal(state)
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end
`;

export const jobScript = (source: string): Script => new Script(shared + source);
