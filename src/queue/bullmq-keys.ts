/**
 * What this project knows of BullMQ's private keys in Redis; nothing else names them. BullMQ is pinned to one exact version,
 * and test/queue/bullmq-keys.test.ts holds this file against the installed one.
 *
 *   <base>training…:<delivery>          hash    one delivery of a job; `:lock` at its end: the token of the worker that has it
 *   <base>training…:wait                list    deliveries without a priority, which are taken first
 *   <base>training…:prioritized         sorted  deliveries that wait, by priority
 *   <base>training…:active              list    deliveries that a worker has taken
 *   <base>training…:stalled             set     deliveries that were active at the last check; renewing takes one out
 *   <base>training…:stalled-check       string  while it is there, nobody checks again
 *   <base>training…:delayed             sorted  by milliseconds × 4096
 *   <base>training…:waiting-children    sorted  flows whose children have not ended
 */

import type { Device } from '../jobspec/training.ts';

/** Each kind of device has a queue of its own; `any` has the name that all jobs had before there were several. */
export const deviceQueues = ['cpu', 'gpu', 'any'] as const satisfies readonly Device[];

/** BullMQ's name of a queue. */
export const bullQueueName = (queue: Device): string => (queue === 'any' ? 'training' : `training-${queue}`);

/** The same for Lua, and a function for each key. `queue` is a name or, in records of earlier releases, false. */
export const bullKeys = `
local function bull(queue)
  if not queue or queue == 'any' then return base .. 'training:' end
  return base .. 'training-' .. queue .. ':'
end
local function bullDelivery(queue, delivered) return bull(queue) .. delivered end
local function bullLock(queue, delivered) return bull(queue) .. delivered .. ':lock' end
local function bullActive(queue) return bull(queue) .. 'active' end
local function bullStalled(queue) return bull(queue) .. 'stalled' end
local function bullIsNext(queue) return redis.call('LLEN', bull(queue) .. 'wait') > 0 end
local function bullWaits(queue) return redis.call('ZCARD', bull(queue) .. 'prioritized') > 0 end
-- Whether BullMQ has a delivery to give, now or once it is due.
local function bullHasSome(queue)
  local keys = bull(queue)
  return redis.call('EXISTS', keys .. 'wait', keys .. 'prioritized', keys .. 'delayed') > 0
end
local function bullStalledCheck(queue) return bull(queue) .. 'stalled-check' end
-- Server time in ms at which a delayed delivery is due; nil when it is not delayed.
local function bullDueAt(queue, delivered)
  local score = redis.call('ZSCORE', bull(queue) .. 'delayed', delivered)
  return score and score / 4096
end
local function bullWaitsForChildren(queue, delivered)
  return redis.call('ZSCORE', bull(queue) .. 'waiting-children', delivered) ~= false
end
`;
