/** The Lua functions that all scripts of the job records share: states, counts, events, ends. */

import { bullKeys } from './bullmq-keys.ts';
import { Script } from './script.ts';

/**
 * Times are the server's own, so that wrong clocks elsewhere do no harm.
 *
 *   <base>job:<id>      hash      the record, see job-record.ts
 *   <base>events:<id>   stream    states, epochs and the end of a job; also a channel that says "there is more". The newest
 *                                 progress lies in the record, under an id from the same sequence
 *   <base>samples:<id>  list      the rows that a job shows its progress on, then what it made of them after epochs
 *   <base>sampled       sorted by time: jobs that have samples, of which the newest 200 keep theirs
 *   <base>worker:<id>   text      what a worker says of itself (WorkerView); expires with its heartbeat
 *   <home>jobs          sorted by id (ids begin with their time): every job; <home>jobs:<state>: those in a state
 *   <home>sweeps        the same for sweeps, whose records are jobs that wait for other jobs
 *   <base>queue:<device>:waiting, …:running   sorted sets: ids that wait for a worker of this queue, by the time since when, and
 *                                 ids that are with a worker. Their sizes (ZCARD) are what an autoscaler reads. In the <home> of
 *                                 another tenant than `default`: its own among them
 *   <home>client:<who>  sorted    ids of the waiting jobs of one client
 *   <home>finished      sorted by end: for dropping the oldest
 *   <home>kept          hash      events → how many events the finished jobs have together
 *   <base>endings       hash      final state, for failures also `failed:<reason>` → how many jobs, for ever
 *   <base>attempts      hash      `begun` and `vanished`: recent attempts at all jobs, and those whose worker died without a
 *                                 word before a checkpoint
 *   <base>pending       ids that have yet to be handed to BullMQ
 *   <base>delivered     channel   a delivery may be there to take
 *   <home>idem:<key>    hash      idempotency key → job
 *   <home>retired:<name>  text    identity of a data set that is being deleted
 *   <home>backlog:<device>  sorted by priority, highest first, then id: jobs of another tenant than default whose turn has
 *                                 not come
 *   <base>turns:<device>  sorted    tenant → virtual time of its next turn; <base>clocks: device → that of the last one
 *   <base>limits        hash      tenant → jobs that may run at once
 *   <base>tenants       set       names of all tenants that have submitted something, but for `default`
 *
 * <home> is <base> for the tenant `default`, whose keys therefore have the names of earlier releases, and
 * <base>tenant:<name>: for another one. The record of a job says whose it is; without a word it is the default tenant's.
 */
const shared = `
local base = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
${bullKeys}

local function homeOf(tenant)
  if not tenant or tenant == '' or tenant == 'default' then return base end
  return base .. 'tenant:' .. tenant .. ':'
end

local function home(id) return homeOf(redis.call('HGET', base .. 'job:' .. id, 'tenant')) end

local function homes()
  local all = {base}
  for _, tenant in ipairs(redis.call('SMEMBERS', base .. 'tenants')) do table.insert(all, homeOf(tenant)) end
  return all
end

-- Whether a record is there and of this tenant. Somebody else's is as good as none.
local function isOf(id, tenant)
  local record = redis.call('HMGET', base .. 'job:' .. id, 'id', 'tenant')
  return record[1] and (record[2] or 'default') == tenant
end

local function isFinal(state)
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end

-- Ids of events grow. The last one is that of the stream's newest entry ever, or that of the progress in the record.
local function nextEventId(id)
  local stream = base .. 'events:' .. id
  local last = {redis.call('HGET', base .. 'job:' .. id, 'progressEvent')}
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then table.insert(last, info[i + 1]) end
    end
  end
  local ms, seq = now, 0
  for i = 1, 2 do
    local m, s = string.match(last[i] or '', '^(%d+)-(%d+)$')
    m, s = tonumber(m), tonumber(s)
    if m and (m > ms or (m == ms and s >= seq)) then ms, seq = m, s + 1 end
  end
  return string.format('%.0f-%.0f', ms, seq)
end

local function emit(id, kind, data)
  local entry = redis.call('XADD', base .. 'events:' .. id, nextEventId(id), 'type', kind, 'data', data)
  redis.call('PUBLISH', base .. 'events:' .. id, '')
  return entry
end

-- Of progress only the newest is kept, so that it never pushes out epochs.
local function emitProgress(id, data)
  redis.call('HSET', base .. 'job:' .. id, 'progressEvent', nextEventId(id), 'progress', data)
  redis.call('PUBLISH', base .. 'events:' .. id, '')
end

local function isSweep(id) return redis.call('HEXISTS', base .. 'job:' .. id, 'trials') == 1 end

local function index(id) return home(id) .. (isSweep(id) and 'sweeps' or 'jobs') end

local function trialsAreOver(trials)
  for _, trial in ipairs(cjson.decode(trials)) do
    local state = redis.call('HGET', base .. 'job:' .. trial, 'state')
    if state and not isFinal(state) then return false end
  end
  return true
end

-- Counts a record where its state says. A sweep waits for a worker only when its trials are over. The score of a job that waits
-- is the time since when; former releases wrote 0.
local function count(id)
  local fields = {'state', 'queue', 'client', 'trials', 'queuedAt', 'createdAt', 'tenant'}
  local record = redis.call('HMGET', base .. 'job:' .. id, unpack(fields))
  local state, name, client, own = record[1], 'queue:' .. (record[2] or 'any'), record[3], homeOf(record[7])
  local waits = state == 'queued' and (not record[4] or trialsAreOver(record[4]))
  local runs = state == 'running' or state == 'cancelling'
  local since = record[4] and now or record[5] or record[6] or now
  local function keep(key, there, score)
    redis.call(unpack(there and {'ZADD', key, 'NX', score, id} or {'ZREM', key, id}))
  end
  for _, at in ipairs(own == base and {base} or {base, own}) do
    keep(at .. name .. ':waiting', waits, since)
    keep(at .. name .. ':running', runs, 0)
  end
  if client then keep(own .. 'client:' .. client, waits, 0) end
end

-- Jobs of the tenant default go to BullMQ at once. Those of others wait in lists of their own and go there one by one, when
-- it is the tenant's turn (turnScript); a sweep of theirs when its trials are over.
local function deliver(id)
  local record = redis.call('HMGET', base .. 'job:' .. id, 'tenant', 'queue', 'priority', 'trials')
  local own = homeOf(record[1])
  if own == base then
    redis.call('ZADD', base .. 'pending', now, id)
  elseif not record[4] or trialsAreOver(record[4]) then
    redis.call('ZADD', own .. 'backlog:' .. (record[2] or 'any'), -tonumber(record[3] or 0), id)
    redis.call('PUBLISH', base .. 'delivered', '')
  end
end

local function move(id, to)
  local key = base .. 'job:' .. id
  local record = redis.call('HMGET', key, 'state', 'sweep')
  if record[1] then redis.call('ZREM', index(id) .. ':' .. record[1], id) end
  redis.call('ZADD', index(id) .. ':' .. to, 0, id)
  redis.call('HSET', key, 'state', to)
  if to == 'queued' then redis.call('HSET', key, 'queuedAt', now) end
  count(id)
  -- The end of its last trial makes a sweep wait for a worker; a trial that is started again takes that back.
  if record[2] and record[1] and (isFinal(to) or isFinal(record[1])) then
    count(record[2])
    local isWaiting = redis.call('HGET', base .. 'job:' .. record[2], 'state') == 'queued'
    if isFinal(to) and isWaiting and home(id) ~= base then deliver(record[2]) end
  end
end

local function tell(id)
  emit(id, 'state', '{"state":"' .. redis.call('HGET', base .. 'job:' .. id, 'state') .. '"}')
end

-- A job that has ended takes its events with it when it is dropped, and out of the sum when it is started again.
local function uncountEvents(id)
  local kept = redis.call('HGET', base .. 'job:' .. id, 'kept')
  if kept then redis.call('HINCRBY', home(id) .. 'kept', 'events', -kept) end
  redis.call('HDEL', base .. 'job:' .. id, 'kept')
end

local function drop(id)
  local key = base .. 'job:' .. id
  local was = redis.call('HMGET', key, 'state', 'idem')
  local own = home(id)
  if was[1] then redis.call('ZREM', index(id) .. ':' .. was[1], id) end
  if was[2] then redis.call('DEL', own .. 'idem:' .. was[2]) end
  uncountEvents(id)
  redis.call('ZREM', index(id), id)
  redis.call('ZREM', own .. 'finished', id)
  redis.call('ZREM', base .. 'pending', id)
  redis.call('ZREM', base .. 'sampled', id)
  redis.call('DEL', key, base .. 'events:' .. id, base .. 'samples:' .. id)
end

-- Drops a tenant's oldest finished jobs beyond what is kept: so many jobs, and so many events of all of them together.
local function dropOldest(own, keepJobs, keepEvents, except)
  for _, old in ipairs(redis.call('ZRANGE', own .. 'finished', 0, 99)) do
    local events = tonumber(redis.call('HGET', own .. 'kept', 'events') or 0)
    if redis.call('ZCARD', own .. 'finished') <= keepJobs and events <= keepEvents then return end
    if old ~= except then drop(old) end
  end
end

-- to: a final state. Counts it, then drops the oldest finished jobs beyond the history that is kept.
local function finish(id, to)
  local key = base .. 'job:' .. id
  move(id, to)
  local times = redis.call('HMGET', key, 'createdAt', 'startedAt')
  redis.call('HSET', key, 'finishedAt', math.max(now, times[1] or 0, times[2] or 0))
  redis.call('HDEL', key, 'owner', 'waitingFor')
  redis.call('ZREM', base .. 'pending', id)
  local own = home(id)
  redis.call('ZREM', own .. 'backlog:' .. (redis.call('HGET', key, 'queue') or 'any'), id)
  redis.call('ZADD', own .. 'finished', now, id)
  tell(id)
  redis.call('HSET', key, 'endEvent', emit(id, 'end', ''))
  if not isSweep(id) then
    redis.call('HINCRBY', base .. 'endings', to, 1)
    local failure = to == 'failed' and redis.call('HGET', key, 'failure')
    if failure then redis.call('HINCRBY', base .. 'endings', 'failed:' .. cjson.decode(failure).reason, 1) end
  end
  local events = redis.call('XLEN', base .. 'events:' .. id)
  redis.call('HSET', key, 'kept', events)
  redis.call('HINCRBY', own .. 'kept', 'events', events)
  local limits = redis.call('HMGET', key, 'keepJobs', 'keepFinishedEvents')
  dropOldest(own, tonumber(limits[1] or 10000), tonumber(limits[2] or 500000), id)
end
`;

export const recordScript = (source: string): Script => new Script(shared + source);
