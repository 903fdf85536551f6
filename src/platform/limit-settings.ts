/** Settings that bound what clients can take: bytes, time, places, connections. Part of the table in settings.ts. */

import { groupOf } from './setting-groups.ts';
import { bytes, count, duration, integer, optional } from './setting-kinds.ts';

const limits = groupOf('limits');
const second = 1000;
const hour = 3600 * second;

export const limitSettings = {
  maxBodyBytes: limits('HOURGLASS_MAX_BODY', bytes(1024, 2 ** 30), '64MiB', 'REST body or gRPC message'),
  maxBodyMemoryBytes: limits(
    'HOURGLASS_MAX_BODY_MEMORY',
    bytes(2 ** 20),
    '192MiB',
    'requests and answers in memory at once, REST and gRPC; at least three times HOURGLASS_MAX_BODY',
  ),
  clientShare: limits(
    'HOURGLASS_CLIENT_SHARE',
    integer(1, 100),
    '50',
    'percent of a shared limit that one client address may hold; 100 behind a proxy',
  ),
  maxUploadBytes: limits('HOURGLASS_MAX_UPLOAD', bytes(1024), '4GiB', 'data set upload'),
  maxUploads: limits('HOURGLASS_MAX_UPLOADS', integer(1, 10_000), '64', 'uploads in progress'),
  importThreads: limits('HOURGLASS_IMPORT_THREADS', count(64, 0.5), 'auto', 'threads that read uploads'),
  importMemoryBytes: limits(
    'HOURGLASS_IMPORT_MEMORY',
    bytes(64 * 2 ** 20),
    '256MiB',
    'heap of one thread that reads an upload',
  ),
  maxDownloads: limits('HOURGLASS_MAX_DOWNLOADS', integer(1, 100_000), '256', 'files of models being sent'),
  maxBatch: limits('HOURGLASS_MAX_BATCH', integer(1, 1_000_000), '16384', 'rows of one request'),
  maxImagePixels: limits('HOURGLASS_MAX_IMAGE_PIXELS', integer(1, 2 ** 28), '16777216', 'pixels of one image'),
  maxWaiting: limits(
    'HOURGLASS_MAX_WAITING',
    integer(1, 100_000),
    '1024',
    'predictions that may wait; more are refused',
  ),
  maxInFlight: limits(
    'HOURGLASS_MAX_IN_FLIGHT',
    optional(integer(1, 100_000)),
    null,
    'predictions of one model in flight; without it the limit follows from how long they wait',
  ),
  targetWaitMs: limits(
    'HOURGLASS_TARGET_WAIT',
    duration(1, hour),
    '25ms',
    'predictions wait about this long under load; those that would wait longer are refused',
  ),
  maxConnections: limits('HOURGLASS_MAX_CONNECTIONS', integer(1, 1_000_000), '10000', 'open connections of one port'),
  maxPipelined: limits(
    'HOURGLASS_MAX_PIPELINED',
    integer(1, 10_000),
    '32',
    'unanswered requests of one HTTP connection; with more it is cut',
  ),
  maxCalls: limits('HOURGLASS_MAX_CALLS', integer(1, 1_000_000), '2048', 'open gRPC calls'),
  maxStreams: limits('HOURGLASS_MAX_STREAMS', integer(1, 100_000), '256', 'open calls of one gRPC connection'),
  maxResets: limits(
    'HOURGLASS_MAX_RESETS',
    integer(1, 1_000_000),
    '500',
    'calls that one gRPC connection may cancel in 10 s; with more it is cut',
  ),
  maxWatchers: limits(
    'HOURGLASS_MAX_WATCHERS',
    integer(1, 100_000),
    '1000',
    'open streams of events, health and reflection, REST and gRPC together',
  ),
  headersTimeoutMs: limits('HOURGLASS_HEADERS_TIMEOUT', duration(100, hour), '10s', 'until the headers have arrived'),
  bodyTimeoutMs: limits('HOURGLASS_BODY_TIMEOUT', duration(100, hour), '30s', 'until the body has arrived'),
  stallTimeoutMs: limits(
    'HOURGLASS_STALL_TIMEOUT',
    duration(100, hour),
    '20s',
    'a client that stops sending an upload or reading an answer for this long is cut off',
  ),
  uploadTimeoutMs: limits('HOURGLASS_UPLOAD_TIMEOUT', duration(100, 24 * hour), '1h', 'until an upload has arrived'),
  idleTimeoutMs: limits(
    'HOURGLASS_IDLE_TIMEOUT',
    duration(100, hour),
    '2m',
    'a connection on which nothing moves is cut',
  ),
  keepAliveMs: limits('HOURGLASS_KEEP_ALIVE', duration(0, hour), '72s', 'idle connections stay open'),
  heartbeatMs: limits('HOURGLASS_HEARTBEAT', duration(100, hour), '15s', 'comment line on a quiet event stream'),
  hangTimeoutMs: limits(
    'HOURGLASS_HANG_TIMEOUT',
    duration(1000, hour),
    '10s',
    '/livez of the metrics port fails when the event loop has not turned for this long',
  ),
  drainMs: limits(
    'HOURGLASS_DRAIN',
    duration(0, hour),
    '5s',
    'on SIGTERM: keep accepting while not ready; 0s under `hourglass up`',
  ),
  graceMs: limits('HOURGLASS_GRACE', duration(0, hour), '20s', 'then: finish what is in flight, at most'),
} as const;
