/**
 * The table of every setting: its variable, kind, default and meaning. Adding a row here is all that a new setting needs:
 * the type `Config`, the check, `hourglass --help` and the documentation come from it.
 */

import { accessSettings } from './access-settings.ts';
import { limitSettings } from './limit-settings.ts';
import { groupOf, type Setting } from './setting-groups.ts';
import {
  bytes,
  choice,
  count,
  duration,
  integer,
  listOf,
  onOff,
  optional,
  origin,
  pattern,
  url,
} from './setting-kinds.ts';
import { tenantSettings } from './tenant-settings.ts';
import { tlsSettings } from './tls-settings.ts';
import { traceSettings } from './trace-settings.ts';

const network = groupOf('network');
const storage = groupOf('storage');
const queue = groupOf('queue');
const training = groupOf('training');
const serving = groupOf('serving');
const log = groupOf('log');

const port = integer(0, 65_535);
const address = pattern(/^[\w.:%-]{1,253}$/, 'an IP address or a host name');
const hostName = pattern(/^(?:\*|\.?[\w.-]{1,253})$/, 'a host name, .example.com for all below it, or *');
const reference = pattern(
  /^[a-z0-9][a-z0-9._-]{0,62}([@:][a-z0-9._-]{1,63})?$/,
  'a model reference such as digits, digits@2 or digits:stable',
);
const second = 1000;
const hour = 3600 * second;

export { type Setting, type SettingGroup, settingGroups } from './setting-groups.ts';

export const settings = {
  host: network('HOURGLASS_HOST', address, '127.0.0.1', 'address that REST and gRPC listen on'),
  httpPort: network('HOURGLASS_HTTP_PORT', port, '8080', 'port of the REST API; 0 takes a free one'),
  grpcPort: network('HOURGLASS_GRPC_PORT', port, '50051', 'port of the gRPC API; 0 takes a free one'),
  metricsPort: network('HOURGLASS_METRICS_PORT', port, '9464', 'port of the Prometheus metrics; 0 takes a free one'),
  metricsHost: network(
    'HOURGLASS_METRICS_HOST',
    address,
    '127.0.0.1',
    'address that the metrics listen on; they are for operators, who need no key there',
  ),
  allowedHosts: network(
    'HOURGLASS_ALLOWED_HOSTS',
    optional(listOf(hostName)),
    null,
    'names besides localhost and local ones that requests may be sent to',
  ),
  corsOrigins: network(
    'HOURGLASS_CORS_ORIGINS',
    optional(listOf(origin)),
    null,
    'web pages of these origins may call the REST API',
  ),

  ...tlsSettings,

  ...accessSettings,

  dataDir: storage(
    'HOURGLASS_DATA_DIR',
    pattern(/^[^\0]+$/, 'a path'),
    './data',
    'models, data sets, checkpoints, queue',
  ),
  store: storage(
    'HOURGLASS_STORE',
    optional(pattern(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w.-]+)*\/?$/, 's3://bucket or s3://bucket/prefix')),
    null,
    'a bucket for models, data sets and checkpoints, for several machines; without it they are in the data folder',
  ),
  s3Endpoint: storage(
    'HOURGLASS_S3_ENDPOINT',
    optional(url('http:', 'https:')),
    null,
    'an S3-compatible server; without it AWS, in the region AWS_REGION',
  ),
  s3PathStyle: storage(
    'HOURGLASS_S3_PATH_STYLE',
    onOff,
    'off',
    'on: http://host/bucket/key, off: http://bucket.host/key',
  ),
  cacheDir: storage(
    'HOURGLASS_CACHE_DIR',
    optional(pattern(/^[^\0]+$/, 'a path')),
    null,
    'copies of what is in the bucket, on this machine; without it `cache` in the data folder',
  ),
  cacheBytes: storage('HOURGLASS_CACHE_BYTES', bytes(2 ** 20), '10GiB', 'disk space that the copies may take'),
  storeRefreshMs: storage(
    'HOURGLASS_STORE_REFRESH',
    duration(0, hour),
    '1s',
    'a new version in the bucket is seen after this at the latest, unless it is asked for by its number',
  ),
  collectGraceMs: storage(
    'HOURGLASS_COLLECT_GRACE',
    duration(hour, 365 * 24 * hour),
    '24h',
    '`hourglass collect` deletes what nothing uses and what is older than this',
  ),

  redisUrl: queue(
    'REDIS_URL',
    optional(url('redis:', 'rediss:', 'unix:')),
    null,
    'an existing Redis; without it an embedded redis-server is used',
    true,
  ),
  queuePrefix: queue(
    'HOURGLASS_QUEUE_PREFIX',
    pattern(/^[a-zA-Z0-9_-]{1,40}$/, 'letters, digits, dash and underscore, at most 40'),
    'hourglass',
    'prefix of every key in Redis',
  ),
  redisTimeoutMs: queue('HOURGLASS_REDIS_TIMEOUT', duration(50, 60 * second), '800ms', 'longest wait for one command'),
  jobLockMs: queue('HOURGLASS_JOB_LOCK', duration(second, hour), '6s', 'a worker silent for this long loses its job'),
  jobHistory: queue('HOURGLASS_JOB_HISTORY', integer(1, 1_000_000), '10000', 'finished jobs that are kept'),
  eventHistory: queue(
    'HOURGLASS_EVENT_HISTORY',
    integer(10, 100_000_000),
    '500000',
    'events of finished jobs that are kept, all together; the oldest jobs go first',
  ),
  maxQueuedJobs: queue('HOURGLASS_MAX_QUEUED_JOBS', integer(1, 1_000_000), '5000', 'jobs that may wait'),
  maxQueuedJobsPerClient: queue(
    'HOURGLASS_MAX_QUEUED_JOBS_PER_CLIENT',
    integer(1, 1_000_000),
    '1000',
    'jobs that may wait of one client address; behind a proxy all clients have its address',
  ),

  ...tenantSettings,

  engine: training(
    'HOURGLASS_ENGINE',
    choice('onnx', 'eager', 'tensorflow'),
    'onnx',
    'what trains: recorded graphs in ONNX Runtime, plain tfjs, or tfjs-node',
  ),
  device: training('HOURGLASS_DEVICE', choice('cpu', 'webgpu', 'cuda'), 'cpu', 'where the onnx engine trains'),
  starter: training('HOURGLASS_STARTER', onOff, 'on', 'submit a first job when the registry is empty'),
  trainingThreads: training('HOURGLASS_TRAINING_THREADS', count(1024, 1), 'auto', 'threads of one training job'),
  workerConcurrency: training(
    'HOURGLASS_WORKER_CONCURRENCY',
    integer(1, 64),
    '1',
    'jobs that one worker trains at once',
  ),
  workerQueues: training(
    'HOURGLASS_WORKER_QUEUES',
    pattern(/^(auto|(cpu|gpu|any)(,(cpu|gpu|any)){0,2})$/, 'auto, or some of cpu, gpu, any with commas between them'),
    'auto',
    'queues that a worker takes jobs from; auto: any, and that of its device',
  ),
  workerJobs: training(
    'HOURGLASS_WORKER_JOBS',
    optional(integer(1, 1_000_000)),
    null,
    'a worker ends after so many jobs, however they ended',
  ),
  workerIdleMs: training(
    'HOURGLASS_WORKER_IDLE',
    optional(duration(second, 365 * 24 * hour)),
    null,
    'a worker ends when it found no job for so long',
  ),
  checkpointIntervalMs: training(
    'HOURGLASS_CHECKPOINT_INTERVAL',
    duration(100, 24 * hour),
    '15s',
    'longest time between two checkpoints',
  ),
  stepTimeoutMs: training(
    'HOURGLASS_STEP_TIMEOUT',
    duration(second, 24 * hour),
    '5m',
    'a job without progress for this long is hung and stopped',
  ),
  maxCrashes: training('HOURGLASS_MAX_CRASHES', integer(1, 100), '3', 'crashes without progress until a job is failed'),
  trainingMemoryBytes: training(
    'HOURGLASS_TRAINING_MEMORY',
    optional(bytes(256 * 2 ** 20)),
    null,
    'memory of one training process, above which it is stopped',
  ),
  maxJobMemoryBytes: training(
    'HOURGLASS_MAX_JOB_MEMORY',
    bytes(2 ** 20),
    '1GiB',
    'estimated memory of a job, above which it is refused',
  ),

  defaultModel: serving('HOURGLASS_DEFAULT_MODEL', optional(reference), null, 'model of requests that name none'),
  gateways: serving(
    'HOURGLASS_GATEWAYS',
    count(64, 0.25),
    '1',
    'processes that answer on the same ports; auto: a quarter of the cores, which leaves room for training',
  ),
  servingWorkers: serving('HOURGLASS_SERVING_WORKERS', count(256, 0.5), 'auto', 'threads that run models'),
  servingThreads: serving('HOURGLASS_SERVING_THREADS', count(256, 0), 'auto', 'threads within one model run'),
  inlineModels: serving(
    'HOURGLASS_INLINE_MODELS',
    onOff,
    'on',
    'run small models on the event loop instead of a thread',
  ),
  runTimeoutMs: serving(
    'HOURGLASS_RUN_TIMEOUT',
    duration(100, hour),
    '60s',
    'a model run that takes longer is hung: its thread is given up, the version set aside',
  ),
  batchWindowMs: serving(
    'HOURGLASS_BATCH_WINDOW',
    duration(0, second),
    '0s',
    'wait for further requests to join a batch',
  ),
  batchRows: serving('HOURGLASS_BATCH_ROWS', integer(1, 65_536), '256', 'rows of several requests run together'),
  loadedModels: serving('HOURGLASS_LOADED_MODELS', integer(1, 10_000), '16', 'model versions kept in memory'),
  loadedBytes: serving('HOURGLASS_LOADED_BYTES', bytes(2 ** 20), '1GiB', 'memory of the model versions kept there'),
  deadlineMs: serving('HOURGLASS_DEADLINE', duration(10, hour), '30s', 'longest time for the answer of one prediction'),
  console: serving('HOURGLASS_CONSOLE', onOff, 'on', 'the pages at /, to watch and steer jobs, data and models'),
  demo: serving('HOURGLASS_DEMO', onOff, 'on', 'the page /demo, which encodes in the browser'),

  ...limitSettings,

  logLevel: log(
    'HOURGLASS_LOG_LEVEL',
    choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'least level written; warn under `hourglass up`',
  ),
  requestLogLevel: log(
    'HOURGLASS_REQUEST_LOG_LEVEL',
    choice('trace', 'debug', 'info', 'off'),
    'info',
    'level of the line that each request leaves in the log; failures of the server are always warnings',
  ),
  requestLogSample: log(
    'HOURGLASS_REQUEST_LOG_SAMPLE',
    integer(1, 1_000_000),
    '1',
    'of the requests that succeed every how many leaves a line',
  ),
  requestLogFailures: log(
    'HOURGLASS_REQUEST_LOG_FAILURES',
    integer(1, 1_000_000),
    '10',
    'of the requests that fail so many a second and error code leave a line; the rest is counted in one',
  ),
  logFormat: log(
    'HOURGLASS_LOG_FORMAT',
    choice('auto', 'json', 'text'),
    'auto',
    'one JSON object a line, or a line for people; auto: text on a terminal and under `hourglass up`, else json',
  ),

  ...traceSettings,
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;

/** Every setting by name. Durations are milliseconds (`…Ms`), sizes bytes (`…Bytes`); null where none is set. */
export type Config = {
  readonly [K in SettingName]: (typeof settings)[K] extends Setting<infer T> ? T : never;
};
