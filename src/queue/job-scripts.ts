/** What clients do to job records: submit, cancel, start again, delete. Each is one atomic step in Redis. */

import { recordScript } from './record-script.ts';

/** With `tenant` and `mostRunning`: whose lists are meant from here on. */
const enterTenant = `
local own = homeOf(tenant)
if own ~= base then
  redis.call('SADD', base .. 'tenants', tenant)
  redis.call(unpack(mostRunning ~= '' and {'HSET', base .. 'limits', tenant, mostRunning} or {'HDEL', base .. 'limits', tenant}))
end
`;

/** With `idem` and `fingerprint`: answers a key that was used before. */
const answerKnownKey = `
if idem ~= '' then
  local known = redis.call('HMGET', own .. 'idem:' .. idem, 'fingerprint', 'id')
  if known[1] and known[1] ~= fingerprint then return {'reused'} end
  if known[1] then return {'ok', redis.call('HGETALL', base .. 'job:' .. known[2])} end
end
`;

/** With `idem`, `fingerprint`, `lifetime` and `id`: notes the key. */
const rememberKey = `
if idem ~= '' then
  redis.call('HSET', own .. 'idem:' .. idem, 'fingerprint', fingerprint, 'id', id)
  redis.call('PEXPIRE', own .. 'idem:' .. idem, lifetime)
end
`;

/**
 * With `client`, `most`, `mostOfClient`, `mostOfTenant`, `dataset` and `identity`: refuses what would be one job too many, and a job for a
 * data set that is being deleted. `wanted` is the number of jobs.
 */
const refuseWithoutRoom = `
local function refusal(wanted)
  local waiting = 0
  for _, of in ipairs(homes()) do waiting = waiting + redis.call('ZCARD', of .. 'jobs:queued') end
  if waiting + wanted > tonumber(most) then return {'full', waiting} end
  local mine = client ~= '' and redis.call('ZCARD', own .. 'client:' .. client) or 0
  if mine + wanted > tonumber(mostOfClient) then return {'client-full', mine} end
  local queued = redis.call('ZCARD', own .. 'jobs:queued')
  if own ~= base and mostOfTenant ~= '' and queued + wanted > tonumber(mostOfTenant) then return {'tenant-full', queued} end
  if identity ~= '' and redis.call('GET', own .. 'retired:' .. dataset) == identity then return {'retired'} end
end
`;

/**
 * ARGV: id, spec, warnings, priority, deadline ms or '', kept events, kept jobs, idempotency key or '', fingerprint of
 * the request, lifetime of the key in ms, queue, client or '', limit of waiting jobs, limit of the client's, data set and its
 * identity or '', position of the submission in its trace or '', the request as it was sent or '', tenant, its limits of waiting and of running jobs or ''. → ['ok', record] · ['reused'] · ['full', waiting] · ['client-full', waiting] · ['retired']
 */
export const submitScript = recordScript(`
local id, spec, warnings, priority, deadline = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local queue, client, most, mostOfClient, dataset, identity = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local traceparent, asked, tenant, mostOfTenant, mostRunning = ARGV[17], ARGV[18], ARGV[19], ARGV[20], ARGV[21]
${enterTenant}
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
if own ~= base then redis.call('HSET', key, 'tenant', tenant) end
redis.call('ZADD', own .. 'jobs', 0, id)
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/** ARGV: id, tenant. → ['unknown'] · ['finished'] · ['ok', record]. A sweep takes its trials with it. */
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
if not isOf(id, ARGV[2]) then return {'unknown'} end
if state == 'succeeded' or state == 'failed' then return {'finished'} end
cancel(id)
if record[2] then
  for _, trial in ipairs(cjson.decode(record[2])) do cancel(trial) end
end
return {'ok', redis.call('HGETALL', key)}
`);

/**
 * ARGV: id, 'resume' (from the newest checkpoint) or 'retry' (from the start), tenant.
 * → ['unknown'] · ['active'] · ['succeeded'] · ['ok', record]
 * The end event is taken back: watchers follow on.
 */
export const restartScript = recordScript(`
local id, how = ARGV[1], ARGV[2]
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'endEvent')
local state = record[1]
if not isOf(id, ARGV[3]) then return {'unknown'} end
if state == 'succeeded' then return {'succeeded'} end
if not isFinal(state) then return {'active'} end
if record[2] then redis.call('XDEL', base .. 'events:' .. id, record[2]) end
redis.call('PERSIST', base .. 'events:' .. id)
uncountEvents(id)
redis.call('HDEL', key, 'endEvent', 'finishedAt', 'failure', 'crashes', 'vanished', 'deadline')
redis.call('ZREM', home(id) .. 'finished', id)
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

/** ARGV: id, tenant. → ['unknown'] · ['active'] · ['ok'] */
export const removeScript = recordScript(`
if not isOf(ARGV[1], ARGV[2]) then return {'unknown'} end
if not isFinal(redis.call('HGET', base .. 'job:' .. ARGV[1], 'state')) then return {'active'} end
drop(ARGV[1])
return {'ok'}
`);

/**
 * ARGV: id, search, warnings, priority, kept events, kept jobs, idempotency key or '', fingerprint, lifetime of the key in
 * ms, client or '', limit of waiting jobs, limit of the client's, data set, its identity or '', queue of the sweep itself,
 * ids of the trials as JSON, position of the submission in its trace or '', tenant, its limits of waiting and of running jobs or '', then (id, spec, parameters, queue) for each trial. → as for a job
 * Only the sweep is noted for delivery: it takes its trials along as a flow.
 */
export const submitSweepScript = recordScript(`
local id, search, warnings, priority = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local keepEvents, keepJobs, idem, fingerprint, lifetime = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local client, most, mostOfClient, dataset, identity, queue = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local traceparent, tenant, mostOfTenant, mostRunning = ARGV[17], ARGV[18], ARGV[19], ARGV[20]
local first = 21
${enterTenant}
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
if own ~= base then
  table.insert(common, 'tenant')
  table.insert(common, tenant)
end
local key = base .. 'job:' .. id
redis.call('HSET', key, 'id', id, 'search', search, 'trials', ARGV[16], 'spec', ARGV[first + 1], 'queue', queue, unpack(common))
if idem ~= '' then redis.call('HSET', key, 'idem', idem) end
redis.call('ZADD', own .. 'sweeps', 0, id)
for i = first, #ARGV, 4 do
  local trial = ARGV[i]
  local record = base .. 'job:' .. trial
  redis.call('HSET', record, 'id', trial, 'spec', ARGV[i + 1], 'parameters', ARGV[i + 2], 'queue', ARGV[i + 3], 'sweep', id, unpack(common))
  if client ~= '' then redis.call('HSET', record, 'client', client) end
  redis.call('ZADD', own .. 'jobs', 0, trial)
  move(trial, 'queued')
  tell(trial)
  if own ~= base then deliver(trial) end
end
move(id, 'queued')
tell(id)
deliver(id)
return {'ok', redis.call('HGETALL', key)}
`);

/**
 * Before a data set is deleted: from here on nobody can queue a job for this very set. ARGV: name, identity of the set,
 * for how many ms, tenant. → ['ok'] · ['used', id of a job or sweep that has not ended]
 * A set of the same name that is uploaded later has another identity.
 */
export const retireDatasetScript = recordScript(`
local own = homeOf(ARGV[4])
local mention = '"dataset":"' .. ARGV[1] .. '"'
for _, kind in ipairs({'jobs', 'sweeps'}) do
  for _, state in ipairs({'queued', 'running', 'cancelling'}) do
    for _, id in ipairs(redis.call('ZRANGE', own .. kind .. ':' .. state, 0, -1)) do
      local spec = redis.call('HGET', base .. 'job:' .. id, 'spec')
      if spec and string.find(spec, mention, 1, true) then return {'used', id} end
    end
  end
end
redis.call('SET', own .. 'retired:' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
return {'ok'}
`);

/**
 * What waits and runs, for how long the oldest has waited, and who is there to take it, by queue. ARGV: tenant whose jobs are
 * counted (those of all for the default one, which operates the service), names of the queues.
 * → waiting, running, workers, ms that the oldest has waited (0 when none waits) for each
 */
export const queuesScript = recordScript(`
local reply = {}
for i = 2, #ARGV do
  local queue = homeOf(ARGV[1]) .. 'queue:' .. ARGV[i]
  table.insert(reply, redis.call('ZCARD', queue .. ':waiting'))
  table.insert(reply, redis.call('ZCARD', queue .. ':running'))
  table.insert(reply, redis.call('ZCOUNT', base .. 'queue:' .. ARGV[i] .. ':workers', now, '+inf'))
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
    for _, of in ipairs(homes()) do
      local key = of .. 'queue:' .. name .. ':' .. what
      for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        local record = redis.call('HMGET', base .. 'job:' .. id, 'state', 'queue')
        if not record[1] or isFinal(record[1]) or (record[2] or 'any') ~= name then
          wrong = wrong + redis.call('ZREM', key, id)
        end
      end
    end
  end
end
for _, of in ipairs(homes()) do
  for _, kind in ipairs({'jobs', 'sweeps'}) do
    for _, state in ipairs({'queued', 'running', 'cancelling'}) do
      for _, id in ipairs(redis.call('ZRANGE', of .. kind .. ':' .. state, 0, -1)) do count(id) end
    end
  end
end
return wrong
`);

/** How many jobs there are in each state, of all tenants together. ARGV: the states. → a number for each */
export const countsScript = recordScript(`
local reply = {}
for i, state in ipairs(ARGV) do
  reply[i] = 0
  for _, of in ipairs(homes()) do reply[i] = reply[i] + redis.call('ZCARD', of .. 'jobs:' .. state) end
end
return reply
`);
