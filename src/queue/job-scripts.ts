/** What clients do to job records: submit, cancel, start again, delete. Each is one atomic step in Redis. */

import { jobScript } from './script.ts';

/** With `idem`, `fingerprint`, `lifetime` and `id`: answers a key that was used before, else notes it. */
const rememberKey = `
if idem ~= '' then
  local known = redis.call('HMGET', base .. 'idem:' .. idem, 'fingerprint', 'id')
  if known[1] then
    if known[1] ~= fingerprint then return {'reused'} end
    return {'ok', redis.call('HGETALL', base .. 'job:' .. known[2])}
  end
  redis.call('HSET', base .. 'idem:' .. idem, 'fingerprint', fingerprint, 'id', id)
  redis.call('PEXPIRE', base .. 'idem:' .. idem, lifetime)
end
`;

/**
 * ARGV: id, spec, warnings, priority, deadline ms or '', kept events, kept jobs, idempotency key or '', fingerprint of
 * the request, lifetime of the key in ms. → ['ok', record] · ['reused']
 */
export const submitScript = jobScript(`
local id, spec, warnings, priority, deadline = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
${rememberKey}
local key = base .. 'job:' .. id
redis.call('HSET', key, 'id', id, 'spec', spec, 'warnings', warnings, 'priority', priority, 'createdAt', now,
  'attempts', 0, 'delivery', 1, 'run', 1, 'keepEvents', keepEvents, 'keepJobs', keepJobs)
if idem ~= '' then redis.call('HSET', key, 'idem', idem) end
if deadline ~= '' then redis.call('HSET', key, 'deadline', now + deadline) end
redis.call('ZADD', base .. 'jobs', 0, id)
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/** ARGV: id. → ['unknown'] · ['finished'] · ['ok', record]. A sweep takes its trials with it. */
export const cancelScript = jobScript(`
local function cancel(id)
  local state = redis.call('HGET', base .. 'job:' .. id, 'state')
  if state == 'queued' then
    finish(id, 'cancelled')
  elseif state == 'running' then
    move(id, 'cancelling')
    tell(id)
    redis.call('PUBLISH', base .. 'cancel', id)
  end
end
local id = ARGV[1]
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'trials')
local state = record[1]
if not state then return {'unknown'} end
if state == 'succeeded' or state == 'failed' then return {'finished'} end
cancel(id)
if record[2] then
  for _, trial in ipairs(cjson.decode(record[2])) do cancel(trial) end
end
return {'ok', redis.call('HGETALL', key)}
`);

/**
 * ARGV: id, 'resume' (from the newest checkpoint) or 'retry' (from the start).
 * → ['unknown'] · ['active'] · ['succeeded'] · ['ok', record]
 * The end event is taken back: watchers follow on.
 */
export const restartScript = jobScript(`
local id, how = ARGV[1], ARGV[2]
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'endEvent')
local state = record[1]
if not state then return {'unknown'} end
if state == 'succeeded' then return {'succeeded'} end
if not isFinal(state) then return {'active'} end
if record[2] then redis.call('XDEL', base .. 'events:' .. id, record[2]) end
redis.call('PERSIST', base .. 'events:' .. id)
redis.call('HDEL', key, 'endEvent', 'finishedAt', 'failure', 'crashes', 'vanished', 'deadline')
redis.call('ZREM', base .. 'finished', id)
redis.call('HINCRBY', key, 'delivery', 1)
if how == 'retry' then
  redis.call('HINCRBY', key, 'run', 1)
  redis.call('HDEL', key, 'progress', 'mark', 'startMark', 'startedAt')
end
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/** ARGV: id. → ['unknown'] · ['active'] · ['ok'] */
export const removeScript = jobScript(`
local state = redis.call('HGET', base .. 'job:' .. ARGV[1], 'state')
if not state then return {'unknown'} end
if not isFinal(state) then return {'active'} end
drop(ARGV[1])
return {'ok'}
`);

/**
 * ARGV: id, search, warnings, priority, kept events, kept jobs, idempotency key or '', fingerprint, lifetime of the key in
 * ms, ids of the trials as JSON, then (id, spec, parameters) for each trial. → ['ok', record] · ['reused']
 * Only the sweep is noted for delivery: it takes its trials along as a flow.
 */
export const submitSweepScript = jobScript(`
local id, search, warnings, priority = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
${rememberKey}
local common = {'warnings', warnings, 'priority', priority, 'createdAt', now, 'attempts', 0, 'delivery', 1, 'run', 1,
  'keepEvents', keepEvents, 'keepJobs', keepJobs}
local key = base .. 'job:' .. id
redis.call('HSET', key, 'id', id, 'search', search, 'trials', ARGV[10], 'spec', ARGV[12], unpack(common))
if idem ~= '' then redis.call('HSET', key, 'idem', idem) end
redis.call('ZADD', base .. 'sweeps', 0, id)
move(id, 'queued')
for i = 11, #ARGV, 3 do
  local trial = ARGV[i]
  redis.call('HSET', base .. 'job:' .. trial, 'id', trial, 'spec', ARGV[i + 1], 'parameters', ARGV[i + 2], 'sweep', id, unpack(common))
  redis.call('ZADD', base .. 'jobs', 0, trial)
  move(trial, 'queued')
  tell(trial)
end
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);
