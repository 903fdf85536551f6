/** What clients do to job records: submit, cancel, start again, delete. Each is one atomic step in Redis. */

import { recordScript } from './record-script.ts';

/** With `idem` and `fingerprint`: answers a key that was used before. */
const answerKnownKey = `
if idem ~= '' then
  local known = redis.call('HMGET', base .. 'idem:' .. idem, 'fingerprint', 'id')
  if known[1] and known[1] ~= fingerprint then return {'reused'} end
  if known[1] then return {'ok', redis.call('HGETALL', base .. 'job:' .. known[2])} end
end
`;

/** With `idem`, `fingerprint`, `lifetime` and `id`: notes the key. */
const rememberKey = `
if idem ~= '' then
  redis.call('HSET', base .. 'idem:' .. idem, 'fingerprint', fingerprint, 'id', id)
  redis.call('PEXPIRE', base .. 'idem:' .. idem, lifetime)
end
`;

/**
 * With `client`, `most`, `mostOfClient`, `dataset` and `identity`: refuses what would be one job too many, and a job for a
 * data set that is being deleted. `wanted` is the number of jobs.
 */
const refuseWithoutRoom = `
local function refusal(wanted)
  local waiting = redis.call('ZCARD', base .. 'jobs:queued')
  if waiting + wanted > tonumber(most) then return {'full', waiting} end
  local own = client ~= '' and redis.call('ZCARD', base .. 'client:' .. client) or 0
  if own + wanted > tonumber(mostOfClient) then return {'client-full', own} end
  if identity ~= '' and redis.call('GET', base .. 'retired:' .. dataset) == identity then return {'retired'} end
end
`;

/**
 * ARGV: id, spec, warnings, priority, deadline ms or '', kept events, kept jobs, idempotency key or '', fingerprint of
 * the request, lifetime of the key in ms, queue, client or '', limit of waiting jobs, limit of the client's, data set and its
 * identity or '', position of the submission in its trace or '', the request as it was sent or ''. → ['ok', record] · ['reused'] · ['full', waiting] · ['client-full', waiting] · ['retired']
 */
export const submitScript = recordScript(`
local id, spec, warnings, priority, deadline = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local queue, client, most, mostOfClient, dataset, identity = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local traceparent, asked = ARGV[17], ARGV[18]
${answerKnownKey}
${refuseWithoutRoom}
local refused = refusal(1)
if refused then return refused end
${rememberKey}
local key = base .. 'job:' .. id
redis.call('HSET', key, 'id', id, 'spec', spec, 'warnings', warnings, 'priority', priority, 'createdAt', now,
  'attempts', 0, 'delivery', 1, 'run', 1, 'keepFinishedEvents', keepEvents, 'keepJobs', keepJobs, 'queue', queue)
if client ~= '' then redis.call('HSET', key, 'client', client) end
if traceparent ~= '' then redis.call('HSET', key, 'traceparent', traceparent) end
if idem ~= '' then redis.call('HSET', key, 'idem', idem) end
if deadline ~= '' then redis.call('HSET', key, 'deadline', now + deadline) end
if asked ~= '' then redis.call('HSET', key, 'asked', asked) end
redis.call('ZADD', base .. 'jobs', 0, id)
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/** ARGV: id. → ['unknown'] · ['finished'] · ['ok', record]. A sweep takes its trials with it. */
export const cancelScript = recordScript(`
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
export const restartScript = recordScript(`
local id, how = ARGV[1], ARGV[2]
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'endEvent')
local state = record[1]
if not state then return {'unknown'} end
if state == 'succeeded' then return {'succeeded'} end
if not isFinal(state) then return {'active'} end
if record[2] then redis.call('XDEL', base .. 'events:' .. id, record[2]) end
redis.call('PERSIST', base .. 'events:' .. id)
uncountEvents(id)
redis.call('HDEL', key, 'endEvent', 'finishedAt', 'failure', 'crashes', 'vanished', 'deadline')
redis.call('ZREM', base .. 'finished', id)
redis.call('HINCRBY', key, 'delivery', 1)
if how == 'retry' then
  redis.call('HINCRBY', key, 'run', 1)
  redis.call('HDEL', key, 'progress', 'mark', 'startMark', 'startedAt')
  redis.call('DEL', base .. 'samples:' .. id)
end
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/** ARGV: id. → ['unknown'] · ['active'] · ['ok'] */
export const removeScript = recordScript(`
local state = redis.call('HGET', base .. 'job:' .. ARGV[1], 'state')
if not state then return {'unknown'} end
if not isFinal(state) then return {'active'} end
drop(ARGV[1])
return {'ok'}
`);

/**
 * ARGV: id, search, warnings, priority, kept events, kept jobs, idempotency key or '', fingerprint, lifetime of the key in
 * ms, client or '', limit of waiting jobs, limit of the client's, data set, its identity or '', queue of the sweep itself,
 * ids of the trials as JSON, position of the submission in its trace or '', then (id, spec, parameters, queue) for each trial. → as for a job
 * Only the sweep is noted for delivery: it takes its trials along as a flow.
 */
export const submitSweepScript = recordScript(`
local id, search, warnings, priority = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local client, most, mostOfClient, dataset, identity, queue = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local traceparent = ARGV[17]
local first = 18
${answerKnownKey}
${refuseWithoutRoom}
local refused = refusal((#ARGV - first + 1) / 4)
if refused then return refused end
${rememberKey}
local common = {'warnings', warnings, 'priority', priority, 'createdAt', now, 'attempts', 0, 'delivery', 1, 'run', 1,
  'keepFinishedEvents', keepEvents, 'keepJobs', keepJobs}
if traceparent ~= '' then
  table.insert(common, 'traceparent')
  table.insert(common, traceparent)
end
local key = base .. 'job:' .. id
redis.call('HSET', key, 'id', id, 'search', search, 'trials', ARGV[16], 'spec', ARGV[first + 1], 'queue', queue, unpack(common))
if idem ~= '' then redis.call('HSET', key, 'idem', idem) end
redis.call('ZADD', base .. 'sweeps', 0, id)
for i = first, #ARGV, 4 do
  local trial = ARGV[i]
  local own = base .. 'job:' .. trial
  redis.call('HSET', own, 'id', trial, 'spec', ARGV[i + 1], 'parameters', ARGV[i + 2], 'queue', ARGV[i + 3], 'sweep', id, unpack(common))
  if client ~= '' then redis.call('HSET', own, 'client', client) end
  redis.call('ZADD', base .. 'jobs', 0, trial)
  move(trial, 'queued')
  tell(trial)
end
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/**
 * Before a data set is deleted: from here on nobody can queue a job for this very set. ARGV: name, identity of the set,
 * for how many ms. → ['ok'] · ['used', id of a job or sweep that has not ended]
 * A set of the same name that is uploaded later has another identity.
 */
export const retireDatasetScript = recordScript(`
local mention = '"dataset":"' .. ARGV[1] .. '"'
for _, kind in ipairs({'jobs', 'sweeps'}) do
  for _, state in ipairs({'queued', 'running', 'cancelling'}) do
    for _, id in ipairs(redis.call('ZRANGE', base .. kind .. ':' .. state, 0, -1)) do
      local spec = redis.call('HGET', base .. 'job:' .. id, 'spec')
      if spec and string.find(spec, mention, 1, true) then return {'used', id} end
    end
  end
end
redis.call('SET', base .. 'retired:' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
return {'ok'}
`);

/**
 * What waits and runs, for how long the oldest has waited, and who is there to take it, by queue. ARGV: names of the queues.
 * → waiting, running, workers, ms that the oldest has waited (0 when none waits) for each
 */
export const queuesScript = recordScript(`
local reply = {}
for _, name in ipairs(ARGV) do
  local queue = base .. 'queue:' .. name
  table.insert(reply, redis.call('ZCARD', queue .. ':waiting'))
  table.insert(reply, redis.call('ZCARD', queue .. ':running'))
  table.insert(reply, redis.call('ZCOUNT', queue .. ':workers', now, '+inf'))
  local oldest = redis.call('ZRANGE', queue .. ':waiting', 0, 0, 'WITHSCORES')
  local since = tonumber(oldest[2])
  if since == 0 then -- a former release counted it
    local times = redis.call('HMGET', base .. 'job:' .. oldest[1], 'queuedAt', 'createdAt')
    since = tonumber(times[1] or times[2] or now)
  end
  table.insert(reply, since and math.max(0, now - since) or 0)
end
return reply
`);

/**
 * Counts every open job anew: records that a former release has written are not counted, and one that runs beside this one
 * does not keep the counts. ARGV: names of the queues. → how many ids stood where they do not belong
 */
export const recountScript = recordScript(`
local wrong = 0
for _, name in ipairs(ARGV) do
  redis.call('ZREMRANGEBYSCORE', base .. 'queue:' .. name .. ':waiting', 0, 0)
  for _, what in ipairs({'waiting', 'running'}) do
    local key = base .. 'queue:' .. name .. ':' .. what
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      local record = redis.call('HMGET', base .. 'job:' .. id, 'state', 'queue')
      if not record[1] or isFinal(record[1]) or (record[2] or 'any') ~= name then
        wrong = wrong + redis.call('ZREM', key, id)
      end
    end
  end
end
for _, kind in ipairs({'jobs', 'sweeps'}) do
  for _, state in ipairs({'queued', 'running', 'cancelling'}) do
    for _, id in ipairs(redis.call('ZRANGE', base .. kind .. ':' .. state, 0, -1)) do count(id) end
  end
end
return wrong
`);
