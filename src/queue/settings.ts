/** From the product's settings to those of the queue and of what else is kept in Redis. */

import { readFileSync } from 'node:fs';
import type { Config } from '../platform/config.ts';
import type { QueueSettings, RedisSettings } from './redis.ts';
import type { AuditSettings } from './redis-audit.ts';

export const redisSettings = (config: Config, url: string): RedisSettings => ({
  url,
  prefix: config.queuePrefix,
  timeoutMs: config.redisTimeoutMs,
  ...(config.redisCa !== null && { ca: readFileSync(config.redisCa, 'utf8') }),
});

export const queueSettings = (config: Config, url: string): QueueSettings => ({
  ...redisSettings(config, url),
  keepJobs: config.jobHistory,
  keepEvents: config.eventHistory,
  maxWaiting: config.maxQueuedJobs,
  maxWaitingPerClient: config.maxQueuedJobsPerClient,
  tenantJobs: { waiting: config.tenantQueuedJobs, running: config.tenantRunningJobs },
});

export const auditSettings = (config: Config, url: string): AuditSettings => ({
  ...redisSettings(config, url),
  keepEntries: config.auditHistory,
});
