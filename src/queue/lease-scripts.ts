/**
 * What workers do to job records. `attempt` is the fencing token: it grows with each claim, and whoever holds an older one
 * is told 'lost' and changes nothing.
 */

import { recordScript } from './record-script.ts';

/**
 * Takes a delivered job. ARGV: id, delivery, the token of this delivery's lock, vanished attempts in a row until a job is failed
 * when nothing is known of other jobs, the least number of them.
 * → ['gone'] · ['later', ms] · ['yours', attempt, run, spec, ms to the deadline or -1, the sweep it is a trial of or '',
 *   the trials of a sweep as JSON or '', when it was queued or '', position of its submission in a trace or '', tenant]
 *
 * The token is the claim's name: a worker that asks again, because the answer was lost, gets the same attempt again, and
 * one whose lock another worker holds by now gets nothing.
 * A record that is 'running' under another token lost its worker without a word. Either the job takes its workers down, or
 * something else ends them: an operator, a spot instance that is reclaimed. Attempts at other jobs tell the two apart. If
 * they vanish with probability p before a checkpoint, this job is failed after n such attempts in a row where pⁿ < 0.0001:
 * soon where workers live, late where they die anyway. Before that it waits longer and longer, to leave the others room.
 */
export const claimScript = recordScript(`
local id, delivery, token, usual, least = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local fleet = base .. 'attempts'
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'delivery', 'mark', 'startMark', 'deadline', 'owner', 'queue')
local state = record[1]
if not state or isFinal(state) or record[2] ~= delivery then return {'gone'} end
local holder = redis.call('GET', bullLock(record[7], id .. '-' .. delivery))
if holder and holder ~= token then return {'gone'} end
local function yours(attempt)
  local fresh = redis.call('HMGET', key, 'run', 'spec', 'sweep', 'trials', 'queuedAt', 'traceparent', 'tenant')
  local left = record[5] and math.max(0, record[5] - now) or -1
  return {'yours', attempt, tonumber(fresh[1]), fresh[2], left, fresh[3] or '', fresh[4] or '', fresh[5] or '', fresh[6] or '',
    fresh[7] or 'default'}
end
if state == 'running' and record[6] == token then return yours(tonumber(redis.call('HGET', key, 'attempts'))) end
if state == 'cancelling' then
  finish(id, 'cancelled')
  return {'gone'}
end
if record[5] and now > tonumber(record[5]) then
  redis.call('HSET', key, 'failure', '{"reason":"deadline-exceeded","message":"The deadline passed before a worker was free."}')
  finish(id, 'failed')
  return {'gone'}
end
-- Vanished attempts in a row that chance does not explain. Those at this job itself are left out; as long as little is known of
-- others it is as if ten attempts at them had been seen, of which as many vanished as make it the usual number.
local function tolerated(own)
  local seen = redis.call('HMGET', fleet, 'begun', 'vanished')
  local begun = math.max(0, (seen[1] or 0) - own)
  local vanished = math.min(begun, math.max(0, (seen[2] or 0) - own))
  local chance, assumed = 1e-4, 10
  local share = (vanished + assumed * chance ^ (1 / usual)) / (begun + assumed)
  return math.max(least, math.ceil(math.log(chance) / math.log(math.min(share, 0.98)) - 1e-6))
end
if state == 'running' then
  if (record[3] or '') ~= (record[4] or '') then
    redis.call('HDEL', key, 'vanished', 'crashes')
  else
    redis.call('HINCRBY', fleet, 'vanished', 1)
    local vanished = redis.call('HINCRBY', key, 'vanished', 1)
    local limit = tolerated(vanished)
    if vanished >= limit then
      redis.call('HSET', key, 'failure', '{"reason":"crashed","message":"Its workers died ' .. vanished .. ' times in a row before a checkpoint was written, more often than those of other jobs. It may take too much memory: use a smaller batch or model. Resume it if something else ended the workers."}')
      finish(id, 'failed')
      return {'gone'}
    end
    local patience = math.max(least, math.ceil(limit / 3))
    if vanished >= patience then
      redis.call('HDEL', key, 'owner')
      move(id, 'queued')
      tell(id)
      return {'later', math.min(60000, 1000 * 2 ^ (vanished - patience))}
    end
  end
end
-- Old attempts count less and less.
if redis.call('HINCRBY', fleet, 'begun', 1) >= 1000 then
  for _, field in ipairs({'begun', 'vanished'}) do
    redis.call('HSET', fleet, field, math.floor((redis.call('HGET', fleet, field) or 0) / 2))
  end
end
local attempt = redis.call('HINCRBY', key, 'attempts', 1)
redis.call('HSETNX', key, 'startedAt', math.max(now, redis.call('HGET', key, 'createdAt')))
redis.call('HSET', key, 'owner', token, 'startMark', record[3] or '')
redis.call('HDEL', key, 'waitingFor')
move(id, 'running')
tell(id)
return yours(attempt)
`);

const held = `
local id, attempt = ARGV[1], ARGV[2]
local key = base .. 'job:' .. id
local record = redis.call('HMGET', key, 'state', 'attempts', 'mark', 'startMark')
local state = record[1]
if not state or isFinal(state) or record[2] ~= attempt or not redis.call('HGET', key, 'owner') then return 'lost' end
`;

/**
 * ARGV: id, attempt, progress JSON or '', mark of the newest checkpoint or '', then pairs of an epoch's number and JSON.
 * → state · 'lost'
 * The attempt numbers its epochs, so that one whose answer was lost is not written twice.
 */
export const reportScript = recordScript(`${held}
if ARGV[3] ~= '' then emitProgress(id, ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', key, 'mark', ARGV[4]) end
local told = tonumber(string.match(redis.call('HGET', key, 'told') or '', '^' .. attempt .. ':(%d+)$') or 0)
for i = 5, #ARGV, 2 do
  if tonumber(ARGV[i]) > told then
    emit(id, 'epoch', ARGV[i + 1])
    redis.call('HSET', key, 'told', attempt .. ':' .. ARGV[i])
  end
end
return state
`);

/**
 * Adds what a model makes of its sample rows. ARGV: id, attempt, the rows, the sample, phase, epoch, most samples of a job,
 * most jobs that keep theirs. → state · 'lost'
 * A job that goes on keeps the rows of its first attempt, which are the same.
 */
export const sampleScript = recordScript(`${held}
local list = base .. 'samples:' .. id
if redis.call('LLEN', list) == 0 then redis.call('RPUSH', list, ARGV[3]) end
local at = redis.call('LLEN', list) - 1
if at >= tonumber(ARGV[7]) then return state end
redis.call('RPUSH', list, ARGV[4])
redis.call('ZADD', base .. 'sampled', now, id)
if redis.call('ZCARD', base .. 'sampled') > tonumber(ARGV[8]) then
  local oldest = redis.call('ZPOPMIN', base .. 'sampled')[1]
  redis.call('DEL', base .. 'samples:' .. oldest)
end
emit(id, 'sample', cjson.encode({phase = ARGV[5], epoch = tonumber(ARGV[6]), at = at}))
return state
`);

/** A worker that gives a job back and does not hear the answer asks again: it gets the same answer. */
const sameAnswer = (answer: string): string => `
if redis.call('HGET', base .. 'job:' .. ARGV[1], 'givenBack') == ARGV[2] then return '${answer}' end
`;

/** ARGV: id, attempt, final state, then pairs of field and value for the record. → 'ok' · 'lost' */
export const finishScript = recordScript(`${held}
for i = 4, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
finish(id, ARGV[3])
return 'ok'
`);

/**
 * Gives a job back unharmed (a worker that stops, a full disk). ARGV: id, attempt, what it waits for or ''. → 'ok' · 'lost'
 * One that is being cancelled is cancelled.
 */
export const releaseScript = recordScript(`${sameAnswer('ok')}${held}
redis.call('HDEL', key, 'owner')
redis.call('HSET', key, 'givenBack', attempt)
if state == 'cancelling' then
  finish(id, 'cancelled')
else
  if ARGV[3] ~= '' then redis.call('HSET', key, 'waitingFor', ARGV[3]) end
  move(id, 'queued')
  tell(id)
end
return 'ok'
`);

/**
 * The training process died. ARGV: id, attempt, limit of crashes, failure JSON. → 'again' · 'failed' · 'lost'
 * Crashes count only as long as no checkpoint was written between them.
 */
export const crashScript = recordScript(`${sameAnswer('again')}${held}
if state == 'cancelling' then
  finish(id, 'cancelled')
  return 'failed'
end
local crashes = 0
if (record[3] or '') == (record[4] or '') then crashes = redis.call('HINCRBY', key, 'crashes', 1)
else redis.call('HDEL', key, 'crashes') end
redis.call('HDEL', key, 'vanished')
if crashes >= tonumber(ARGV[3]) then
  redis.call('HSET', key, 'failure', ARGV[4])
  finish(id, 'failed')
  return 'failed'
end
redis.call('HDEL', key, 'owner')
redis.call('HSET', key, 'givenBack', attempt)
move(id, 'queued')
tell(id)
return 'again'
`);

/**
 * Keeps the leases of a worker, all at once, and says that it is there. ARGV: lock ms, longest gap ms, worker, the queues it
 * takes from (commas between them), then (id, attempt, queue, BullMQ id, BullMQ token) for each job.
 * → ['quiet' or 'check', server time, the queues of which deliveries are taken (commas between them), then (id, attempt, 'lost' or 'cancelling') for those that must stop]
 *
 * After Redis was away, every lease looks expired although the workers live on. The gap in the common heartbeat shows it:
 * for one lock time nobody looks for dead workers, so that all can renew first. The same when the clock was set forward. When
 * it was set back, what should expire soon would stay for as long: that is put right.
 */
export const renewScript = recordScript(`
local lock, gap = tonumber(ARGV[1]), tonumber(ARGV[2])
local before = redis.call('GET', base .. 'heartbeat') or now
redis.call('SET', base .. 'heartbeat', now)
if now - before > gap then redis.call('SET', base .. 'quiet', 1, 'PX', lock) end
if before - now > gap then
  redis.call('DEL', base .. 'quiet', base .. 'redelivered')
  for name in string.gmatch('any,cpu,gpu', '%a+') do redis.call('DEL', bullStalledCheck(name)) end
  for _, of in ipairs(homes()) do
    for _, index in ipairs({'jobs:running', 'jobs:cancelling', 'sweeps:running', 'sweeps:cancelling'}) do
      for _, id in ipairs(redis.call('ZRANGE', of .. index, 0, -1)) do
        local record = redis.call('HMGET', base .. 'job:' .. id, 'queue', 'delivery')
        local key = bullLock(record[1], id .. '-' .. record[2])
        if redis.call('PTTL', key) > lock then redis.call('PEXPIRE', key, lock) end
      end
    end
  end
end
for name in string.gmatch(ARGV[4], '%a+') do
  local key = base .. 'queue:' .. name .. ':workers'
  redis.call('ZADD', key, now + lock, ARGV[3])
  redis.call('ZREMRANGEBYSCORE', key, 0, now - 1)
end
local taken = {}
for name in string.gmatch('any,cpu,gpu', '%a+') do
  if redis.call('EXISTS', bullActive(name)) == 1 then table.insert(taken, name) end
end
local reply = {redis.call('EXISTS', base .. 'quiet') == 1 and 'quiet' or 'check', now, table.concat(taken, ',')}
for i = 5, #ARGV, 5 do
  local id, attempt, queue, delivered, token = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local record = redis.call('HMGET', base .. 'job:' .. id, 'state', 'attempts', 'owner')
  local key = bullLock(queue, delivered)
  local holder = redis.call('GET', key)
  if record[2] ~= attempt or not record[3] or isFinal(record[1]) or (holder and holder ~= token) then
    for _, word in ipairs({id, attempt, 'lost'}) do table.insert(reply, word) end
  else
    if record[1] == 'cancelling' then
      for _, word in ipairs({id, attempt, 'cancelling'}) do table.insert(reply, word) end
    end
    redis.call('SET', key, token, 'PX', lock)
    redis.call('SREM', bullStalled(queue), delivered)
  end
end
return reply
`);

/** A worker that stops is not there any more. ARGV: worker, the queues it took from. → 'ok' */
export const leaveScript = recordScript(`
for name in string.gmatch(ARGV[2], '%a+') do redis.call('ZREM', base .. 'queue:' .. name .. ':workers', ARGV[1]) end
return 'ok'
`);

/**
 * Finds the delivery that a worker took without hearing so: the one whose lock has its token. ARGV: queue, token.
 * → the delivery · false
 */
export const takenScript = recordScript(`
for _, delivered in ipairs(redis.call('LRANGE', bullActive(ARGV[1]), 0, -1)) do
  if redis.call('GET', bullLock(ARGV[1], delivered)) == ARGV[2] then return delivered end
end
return false
`);

/**
 * Whose turn it is when a worker wants a job. ARGV: queue. → 'none': there is nothing · 'bull': what BullMQ has next · the id of a
 * job that has to be handed to BullMQ now, ahead of what waits there
 *
 * Start-time fair queueing (Goyal, Vin, Cheng 1996) with jobs of weight one: each tenant with a job to begin has the virtual time
 * of its next turn, the smallest is served and moves on by one, and who comes back is not served before the time of the last
 * turn. So a tenant with many jobs delays another's next one by one job of each tenant, however many it has.
 */
export const turnScript = recordScript(`
local queue = ARGV[1]
if bullIsNext(queue) then return 'bull' end
local standing = bullHasSome(queue) and 'bull' or 'none'
if redis.call('EXISTS', base .. 'tenants') == 0 then return standing end
local turns = base .. 'turns:' .. queue
local clock = tonumber(redis.call('HGET', base .. 'clocks', queue) or 0)
local first, firstTime
local function stand(tenant)
  local at = math.max(clock, tonumber(redis.call('ZSCORE', turns, tenant) or 0))
  if not first or at < firstTime then first, firstTime = tenant, at end
end
local function mayRun(tenant)
  local most = tonumber(redis.call('HGET', base .. 'limits', tenant) or '')
  if not most then return true end
  local own = homeOf(tenant)
  return redis.call('ZCARD', own .. 'jobs:running') + redis.call('ZCARD', own .. 'jobs:cancelling') < most
end
if bullWaits(queue) then stand('default') end
for _, tenant in ipairs(redis.call('SMEMBERS', base .. 'tenants')) do
  if redis.call('EXISTS', homeOf(tenant) .. 'backlog:' .. queue) == 1 and mayRun(tenant) then stand(tenant) end
end
if not first then return standing end
redis.call('HSET', base .. 'clocks', queue, firstTime)
redis.call('ZADD', turns, firstTime + 1, first)
if first == 'default' then return 'bull' end
local id = redis.call('ZPOPMIN', homeOf(first) .. 'backlog:' .. queue)[1]
redis.call('ZADD', base .. 'pending', now, id)
return id
`);

/**
 * A delivery that BullMQ has taken over leaves the list, and idle workers hear of it. ARGV: id, delivery.
 * A job that was started anew meanwhile stays in the list.
 */
export const deliveredScript = recordScript(`
if redis.call('HGET', base .. 'job:' .. ARGV[1], 'delivery') == ARGV[2] then
  redis.call('ZREM', base .. 'pending', ARGV[1])
end
redis.call('PUBLISH', base .. 'delivered', '')
return 'ok'
`);

/**
 * Finds the trial of a sweep with the lowest held-out loss and notes it. ARGV: id, attempt.
 * → 'lost' · ['none'] · ['best', trial, its run, its spec]
 */
export const bestTrialScript = recordScript(`${held}
local best, bestLoss
for _, trial in ipairs(cjson.decode(redis.call('HGET', key, 'trials'))) do
  local job = redis.call('HMGET', base .. 'job:' .. trial, 'state', 'metrics')
  local loss = job[1] == 'succeeded' and job[2] and cjson.decode(job[2])['heldOut.loss']
  if type(loss) == 'number' and (not bestLoss or loss < bestLoss) then best, bestLoss = trial, loss end
end
if not best then return {'none'} end
local job = redis.call('HMGET', base .. 'job:' .. best, 'run', 'spec')
redis.call('HSET', key, 'best', best, 'spec', job[2])
return {'best', best, tonumber(job[1]), job[2]}
`);

/**
 * Delivers anew what BullMQ no longer knows, whatever the reason: it gives up on a job after many stalls, and a server may
 * have lost its last writes. Also sweeps whose trials have all ended without BullMQ noticing, and jobs that wait for a time
 * which a wrong clock has set: nothing waits for more than a minute. → the ids
 */
export const orphansScript = recordScript(`
local found = {}
if not redis.call('SET', base .. 'redelivered', 1, 'NX', 'PX', 10000) then return found end
local function redeliver(id)
  redis.call('HINCRBY', base .. 'job:' .. id, 'delivery', 1)
  deliver(id)
  table.insert(found, id)
end
local function isOver(trials)
  for _, trial in ipairs(trials) do
    local job = redis.call('HMGET', base .. 'job:' .. trial, 'state', 'finishedAt')
    if job[1] and (not isFinal(job[1]) or now - (job[2] or 0) < 10000) then return false end
  end
  return true
end
local function look(id)
  local record = redis.call('HMGET', base .. 'job:' .. id, 'delivery', 'trials', 'sweep', 'queue', 'tenant')
  local own = homeOf(record[5])
  if own ~= base then
    if redis.call('ZSCORE', own .. 'backlog:' .. (record[4] or 'any'), id) then return end
    if record[2] and not isOver(cjson.decode(record[2])) then return end
  end
  local delivered = id .. '-' .. record[1]
  local sweepWaits = record[3] and redis.call('ZSCORE', base .. 'pending', record[3])
  if redis.call('ZSCORE', base .. 'pending', id) or sweepWaits then return end
  local due = bullDueAt(record[4], delivered) or 0
  if redis.call('EXISTS', bullDelivery(record[4], delivered)) == 0 or due - now > 120000 then
    redeliver(id)
  elseif record[2] and bullWaitsForChildren(record[4], delivered) and isOver(cjson.decode(record[2])) then
    redeliver(id)
  end
end
for _, of in ipairs(homes()) do
  for _, kind in ipairs({'jobs', 'sweeps'}) do
    for _, state in ipairs({'queued', 'running', 'cancelling'}) do
      for _, id in ipairs(redis.call('ZRANGE', of .. kind .. ':' .. state, 0, -1)) do look(id) end
    end
  end
end
return found
`);
