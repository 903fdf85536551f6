/**
 * Connections to Redis, and what its failures mean to a client of the queue. Every command connection gives up within
 * `timeoutMs`; nothing waits in line for a server that is away. A connection over which nothing comes any more, although
 * nobody closed it (a pulled cable, a firewall that forgot it), is noticed and made anew.
 */

import { isIP } from 'node:net';
import { Redis, type RedisOptions, ReplyError } from 'ioredis';
import { defaultTenant } from '../base/caller.ts';
import { HourglassError } from '../base/errors.ts';
import type { Logger } from '../platform/log.ts';

export interface RedisSettings {
  /** `redis://`, `rediss://` (TLS) with `user:password@host:port/db`, or `unix:///path/of.sock?username=…&password=…&db=…` */
  readonly url: string;
  /** of every key and channel */
  readonly prefix: string;
  /** longest wait for one command */
  readonly timeoutMs: number;
  /** authorities of its certificate (PEM), with `rediss://`; absent: the usual ones */
  readonly ca?: string | undefined;
}

/** The same with the bounds of a queue. */
export interface QueueSettings extends RedisSettings {
  /** finished jobs that are kept */
  readonly keepJobs: number;
  /** events of all finished jobs together that are kept; the oldest jobs are dropped beyond */
  readonly keepEvents: number;
  /** jobs that may wait, in all and of one client */
  readonly maxWaiting: number;
  readonly maxWaitingPerClient: number;
  /** jobs of each tenant other than `default` that may wait and run; null: as many as it likes */
  readonly tenantJobs?: { readonly waiting: number | null; readonly running: number | null };
}

/** What every key begins with; the braces keep them together in a cluster. */
export const keyBase = (settings: Pick<RedisSettings, 'prefix'>): string => `{${settings.prefix}}:`;

/** What the keys of a tenant's own lists begin with; record-script.ts has the same in Lua. */
export const tenantKeys = (base: string, tenant: string): string =>
  tenant === defaultTenant ? base : `${base}tenant:${tenant}:`;

/** `commands` fails at once while the server is away. `subscriber` listens and renews its subscriptions by itself. */
export type ConnectionKind = 'commands' | 'subscriber';

export function connectRedis(settings: RedisSettings, kind: ConnectionKind, log: Logger): Redis {
  const client = new Redis({
    ...addressOf(settings.url, settings.ca),
    ...behaviour(kind, settings.timeoutMs),
    replyMapping: 'legacy',
  });
  if (kind === 'subscriber') keepAsking(client);
  let reported = false;
  client.on('error', (error: Error) => {
    // one line per outage, not one per attempt
    if (!reported) log.warn({ connection: kind, reason: error.message }, 'Redis cannot be reached; trying again');
    reported = true;
  });
  client.on('ready', () => {
    if (reported) log.info({ connection: kind }, 'Redis is back');
    reported = false;
  });
  return client;
}

/** Host, port, credentials and TLS of a Redis URL. */
export function addressOf(url: string, ca?: string): RedisOptions {
  const parsed = new URL(url);
  if (parsed.protocol === 'unix:') {
    const { db = '0', ...credentials } = Object.fromEntries(parsed.searchParams);
    return { path: decodeURIComponent(parsed.pathname), db: Number(db), ...credentials };
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    port: Number(parsed.port || 6379),
    db: Number(parsed.pathname.slice(1) || 0),
    ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
    // an IP address is no server name (RFC 6066)
    ...(parsed.protocol === 'rediss:' && { tls: { ...(!isIP(host) && { servername: host }), ...(ca && { ca }) } }),
  };
}

function behaviour(kind: ConnectionKind, timeoutMs: number): RedisOptions {
  const reconnect: RedisOptions = {
    retryStrategy: (attempt) => Math.min(50 * attempt, 500),
    connectTimeout: timeoutMs,
    // commands without any answer for so long end the connection, those of its opening too
    socketTimeout: Math.round(timeoutMs * 1.5),
    maxLoadingRetryTime: 500,
  };
  switch (kind) {
    case 'commands':
      return {
        ...reconnect,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        commandTimeout: timeoutMs,
      };
    case 'subscriber':
      return { ...reconnect, maxRetriesPerRequest: null, autoResubscribe: true };
    default:
      return kind satisfies never;
  }
}

const askEveryMs = 1000;

/** One that only listens would never learn that its connection is dead. */
function keepAsking(client: Redis): void {
  const timer = setInterval(() => {
    if (client.status === 'ready') client.ping().catch(() => undefined);
  }, askEveryMs);
  timer.unref();
  client.once('end', () => clearInterval(timer));
}

const unavailable = (cause?: unknown): HourglassError =>
  new HourglassError(
    'queue-unavailable',
    'The job queue cannot be reached, so nothing was queued or changed. Models still answer. Try again in a few seconds.',
    { retryAfter: 2 },
    { cause },
  );

/**
 * A change was sent and no answer came: Redis may have made it, or may make it when it wakes. `advice` says how to find out
 * and what to do.
 */
export const outcomeUnknown = (advice: string, cause: unknown): HourglassError =>
  new HourglassError(
    'outcome-unknown',
    `The job queue did not answer in time, so what was asked may have been done. ${advice}`,
    {
      retryAfter: 2,
    },
    { cause },
  );

/** What to do when it is not known whether a submission was queued. `what` and `path` name it in case it was. */
export function submitAdvice(key: string | undefined, what: string, path: string): string {
  if (key !== undefined) return 'Send the same request with the same Idempotency-Key again: it is done at most once.';
  return `If it was, it is the ${what}: ask for ${path} before you submit again, and send an Idempotency-Key next time, so that repeating is safe.`;
}

/** Whether Redis may have carried out a command that failed: it was sent, and no answer came. */
export function mayHaveRun(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown instanceof ReplyError || thrown instanceof HourglassError) return false;
  // What ioredis says of a command that it could not write.
  return !thrown.message.includes("Stream isn't writeable");
}

const full = (cause: unknown): HourglassError =>
  new HourglassError(
    'queue-storage-full',
    'The job queue has no room for more (its disk or memory is full), so nothing was queued or changed. Delete finished jobs or give it more room, then try again.',
    { retryAfter: 30 },
    { cause },
  );

/** Gives the failures of Redis their code; anything else stays what it is. */
export function redisError(thrown: unknown): unknown {
  if (thrown instanceof HourglassError) return thrown;
  if (!(thrown instanceof Error)) return thrown;
  if (/^(MISCONF|OOM)\b/.test(thrown.message)) return full(thrown);
  if (!(thrown instanceof ReplyError)) return unavailable(thrown);
  return /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOAUTH|WRONGPASS|NOREPLICAS|BUSY|TRYAGAIN)\b/.test(thrown.message)
    ? unavailable(thrown)
    : thrown;
}

/** Resolves when the connection is usable; throws `queue-unavailable` when that takes longer than `ms`. */
export function untilReady(client: Redis, ms: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      client.off('ready', ready);
      reject(unavailable());
    }, ms);
    const ready = (): void => {
      clearTimeout(timer);
      resolve();
    };
    client.once('ready', ready);
  });
}

/**
 * Refuses a server that may drop keys when its memory is full: it would lose jobs without a word.
 * Throws `queue-unavailable` when it cannot be asked, an Error with the way out for a wrong policy.
 */
export async function checkEviction(client: Redis): Promise<void> {
  const info = await client.info('memory').catch((error: unknown) => {
    throw redisError(error);
  });
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== undefined && policy !== 'noeviction') throw new EvictionPolicyError(policy);
}

export class EvictionPolicyError extends Error {
  override readonly name = 'EvictionPolicyError';
  constructor(policy: string) {
    super(
      `Redis has maxmemory-policy ${policy}: it would drop queued jobs when its memory is full. Set "maxmemory-policy noeviction" there, or use another Redis.`,
    );
  }
}
