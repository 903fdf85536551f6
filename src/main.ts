#!/usr/bin/env node
/**
 * `hourglass up | gateway | worker | collect | health`: reads the configuration, builds the parts and hands them down. The only composition
 * root and the only reader of the environment. A role loads only what it needs: the gateway no tfjs, the worker no server.
 */

import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { exposureProblem } from './access/exposure.ts';
import { usage } from './cli/usage.ts';
import { type Config, loadConfig, settingsHelp, variablesOf } from './platform/config.ts';
import { openDataFolder } from './platform/data-folder.ts';
import { entry } from './platform/entry.ts';
import { createLog, type Logger } from './platform/log.ts';
import { Metrics } from './platform/metrics.ts';
import { redactor, secretsOf } from './platform/secrets.ts';
import { Shutdown } from './platform/shutdown.ts';
import { metricsTlsOf, openTls, tlsProblem } from './platform/tls-files.ts';
import { auditSettings, queueSettings, redisSettings } from './queue/settings.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { hopelessCode } from './up/exit-code.ts';
import { gatherMetrics, tellRegularly } from './up/gathered.ts';
import type { GatewayState, Recorded } from './up/messages.ts';
import type { TrainingWorker } from './worker/worker.ts';

const release = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

// Official builds of ONNX Runtime report their use to their maker unless told not to before they start. Whoever wants that
// sets it to 0; processes that this one starts inherit it.
process.env.ORT_DISABLE_TELEMETRY ??= '1';
// The AWS SDK tells each process on Node 20 that its releases from 2027 on want Node 22.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

// Models, data sets and the queue are this user's alone: folders 0700, files 0600, those of child processes too.
const usualMask = process.umask(0o077);

/** A worker under `hourglass up` has no metrics port: it tells its parent. */
const metricsEveryMs = 2000;

/** What is wrong with how it was started, for the terminal. */
class StartError extends Error {
  override readonly name = 'StartError';
}

function redisUrlOf({ redisUrl }: Config): string {
  if (redisUrl !== null) return redisUrl;
  throw new StartError('REDIS_URL is not set. `hourglass up` brings a redis-server of its own.');
}

/** Undefined, and nothing loaded, where nobody wants spans. */
async function openTracing(role: string, config: Config, log: Logger): Promise<Tracing | undefined> {
  if ((config.otlpEndpoint ?? config.otlpTracesEndpoint) === null) return undefined;
  const { Tracing } = await import('./telemetry/tracing.ts');
  return Tracing.open({
    service: config.serviceName ?? `hourglass-${role}`,
    version: release,
    sampler: config.traceSampler,
    ratio: config.traceRatio,
    warn: (reason) => log.warn({ reason }, 'spans cannot be sent'),
  });
}
/** A gateway reads a few rows of a data set for people to look at: it keeps none of it in memory. */
const lookedAtBytes = 0;

interface Process {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly shutdown: Shutdown;
}

/** What every role has: log, metrics, an orderly end, also when the process that started it is gone. */
function begin(role: string, config: Config): Process {
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    process: role,
    secrets: secretsOf(config, process.env),
    buffered: role.startsWith('gateway'),
  });
  const metrics = new Metrics(role);
  metrics.set('buildInfo', 1, { version: release, node: process.versions.node });
  const shutdown = new Shutdown(log);
  shutdown.listen();
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  return { config, log, metrics, shutdown };
}

async function worker(config: Config): Promise<void> {
  const queue = redisSettings(config, redisUrlOf(config));
  const { log, metrics, shutdown } = begin('worker', config);
  const stopped = new AbortController();
  let started: TrainingWorker | undefined;
  const tracing = await openTracing('worker', config, log);
  const { storeSettings } = await import('./store/open.ts');
  const { TrainingWorker } = await import('./worker/worker.ts');
  const { workerQueues } = await import('./worker/queues.ts');
  shutdown.add({
    name: 'training',
    limitMs: 20_000,
    run: async () => {
      stopped.abort();
      await started?.drain();
    },
  });
  if (tracing) shutdown.add({ name: 'traces', limitMs: 3000, run: () => tracing.close() });
  const starting = TrainingWorker.start(
    {
      queue: {
        ...queue,
        lockMs: config.jobLockMs,
        concurrency: config.workerConcurrency,
        maxCrashes: config.maxCrashes,
        queues: workerQueues(config.workerQueues, config.device),
        jobs: config.workerJobs,
        idleMs: config.workerIdleMs,
        engine: `${config.engine}/${config.device}`,
        release,
      },
      stores: storeSettings(config),
      checkpointSeconds: config.checkpointIntervalMs / 1000,
      tenantModelBytes: config.tenantModelBytes,
      engine: { engine: config.engine, device: config.device, threads: config.trainingThreads },
      release,
      environment: withoutCollector(withoutRedis(process.env)),
      stepTimeoutMs: config.stepTimeoutMs,
      stopTimeoutMs: 12_000,
      memoryBytes: config.trainingMemoryBytes,
      storageRetryMs: 2.5 * config.jobLockMs,
      tracing,
    },
    log,
    metrics,
    stopped.signal,
  );
  started = await starting.catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
    return undefined;
  });
  if (!started) return; // told to stop while it waited for Redis
  log.info({ engine: config.engine, device: config.device }, 'worker is ready');
  if (config.workerJobs !== null || config.workerIdleMs !== null) {
    void started.ended.then(() => {
      log.info({}, 'the worker has had its jobs, or found none for too long, and ends');
      process.kill(process.pid, 'SIGTERM');
    });
  }
  if (process.send) {
    const recorded = async (): Promise<Recorded> => ({ type: 'metrics', snapshot: await metrics.snapshot() });
    void tellRegularly(metricsEveryMs, recorded);
  } else {
    const { createMetricsServer } = await import('./gateway/metrics-server.ts');
    const read = async () => [await metrics.snapshot()];
    const server = createMetricsServer({ read, log, config, tls: metricsTlsOf(config) });
    const metricsPort = await server.listen(config.metricsHost, config.metricsPort);
    shutdown.add({ name: 'metrics', limitMs: 2000, run: () => server.close() });
    log.info({ metricsPort }, 'metrics are served');
  }
}

async function gatewayGroup(config: Config): Promise<void> {
  const { log, metrics, shutdown } = begin('gateway', config);
  const { GatewayGroup } = await import('./up/gateway-group.ts');
  const { createMetricsServer } = await import('./gateway/metrics-server.ts');
  const group = new GatewayGroup({
    ...{ count: config.gateways, log, stopMs: config.drainMs + config.graceMs + 5000 },
    onRestart: () => metrics.count('restarts', 1, { part: 'gateway' }),
    onHopeless: () => void group.stop().then(() => process.exit(hopelessCode)),
  });
  const others = gatherMetrics();
  const read = async () => [await metrics.snapshot(), ...group.snapshots(), ...others()];
  const readiness = { report: () => group.report() };
  const server = createMetricsServer({ read, log, config, readiness, tls: metricsTlsOf(config) });
  const metricsPort = await server.listen(config.metricsHost, config.metricsPort);
  shutdown
    .add({ name: 'gateways', limitMs: config.drainMs + config.graceMs + 6000, run: () => group.stop() })
    .add({ name: 'metrics', limitMs: 2000, run: () => server.close() });
  const ports = await group.start(entry(import.meta.url, './main.ts'));
  log.info({ ...ports, metricsPort, gateways: config.gateways }, 'gateways are ready');
  process.send?.({ ...ports, metricsPort });
}

async function gateway(config: Config): Promise<void> {
  refuseExposure(config);
  if (config.gateways > 1 && cluster.isPrimary) return gatewayGroup(config);
  const redisUrl = redisUrlOf(config);
  const settings = queueSettings(config, redisUrl);
  const number = cluster.worker?.id;
  const { log, metrics, shutdown } = begin(number === undefined ? 'gateway' : `gateway-${number}`, config);
  if (config.auth === 'off') log.warn('HOURGLASS_AUTH=off: everybody who reaches this gateway may do everything');
  const { createGateway } = await import('./gateway/gateway.ts');
  const { firstKeyText, openAccessControl } = await import('./access/open.ts');
  const { AuditLog } = await import('./access/audit-log.ts');
  const { RedisAudit } = await import('./queue/redis-audit.ts');
  const { RedisKeys } = await import('./queue/redis-keys.ts');
  const { RedisJobQueue } = await import('./queue/redis-job-queue.ts');
  const { ModelPool } = await import('./runtime/pool.ts');
  const { ModelPredictor } = await import('./serve/model-predictor.ts');
  const queue = await RedisJobQueue.open(settings, log);
  const keyStorage = await RedisKeys.open(settings, log);
  const auditStorage = await RedisAudit.open(auditSettings(config, redisUrl), log);
  const audit = new AuditLog(auditStorage, log);
  const { access, keys, firstKey, ...accessControl } = await openAccessControl(config, keyStorage, log);
  const { openStored } = await import('./gateway/stored.ts');
  const limits = { uploadBytes: config.maxUploadBytes, imagePixels: config.maxImagePixels };
  const { stores, registry, datasets, ofTenant } = await openStored(config, {
    ...{ metrics, limits, cacheBytes: lookedAtBytes },
  });
  const pool = new ModelPool({
    threads: number === undefined ? config.servingWorkers : Math.ceil(config.servingWorkers / config.gateways),
    session: { threads: config.servingThreads },
    maxModels: config.loadedModels,
    taskTimeoutMs: config.runTimeoutMs,
    maxBytes: config.loadedBytes,
    onEvict: () => metrics.count('modelEvictions', 1),
  });
  const tracing = await openTracing('gateway', config, log);
  const predictor = new ModelPredictor({
    ...{ registry, pool, config, metrics, tracing },
    warn: (message, facts) => log.warn(facts, message),
  });
  const openTenant = async (name: string) => {
    const own = await ofTenant(name);
    return { ...own, queue: queue.forTenant(name), predictor: predictor.forTenant(own.registry) };
  };
  const parts = {
    queue,
    predictor,
    openTenant,
    registry,
    datasets,
    storage: stores,
    access,
    keys,
    audit,
    tls: openTls(config, log),
    config,
    log,
    metrics,
    tracing,
  };
  const served = createGateway({
    ...parts,
    version: release,
    otherMetrics: gatherMetrics(),
    hasMetricsPort: number === undefined,
  });
  shutdown
    .add({
      name: 'ports',
      limitMs: config.drainMs + config.graceMs + 5000,
      run: ({ hurry }) => served.close(hurry),
    })
    .add({ name: 'models', limitMs: 5000, run: () => predictor.close().then(() => pool.close()) })
    .add({ name: 'access', limitMs: 2000, run: () => accessControl.close().then(() => keyStorage.close()) })
    .add({ name: 'audit', limitMs: 2000, run: () => audit.close().then(() => auditStorage.close()) })
    .add({ name: 'queue', limitMs: 2000, run: () => queue.close() });
  if (tracing) shutdown.add({ name: 'traces', limitMs: 3000, run: () => tracing.close() });
  const ports = await served.listen();
  queue.announceGateway(release);
  log.info(ports, 'gateway is ready');
  // Past the log, which may be kept and shipped elsewhere.
  if (firstKey !== undefined) process.stdout.write(firstKeyText(firstKey));
  process.send?.({ type: 'listening', host: config.host, ...ports });
  if (number === undefined) return;
  const state = async (): Promise<GatewayState> => ({
    ...{ type: 'gateway', snapshot: await metrics.snapshot(), readiness: await served.readiness.report() },
  });
  await tellRegularly(metricsEveryMs, state);
}

async function up(config: Config): Promise<void> {
  refuseExposure(config);
  const { log, metrics, shutdown } = begin('up', config);
  const { RedisJobQueue } = await import('./queue/redis-job-queue.ts');
  const { createTerminal } = await import('./up/terminal.ts');
  const { Up } = await import('./up/up.ts');
  const { openStored } = await import('./gateway/stored.ts');
  const stored = await openStored(config, { metrics });
  const parts = new Up({
    ...{ config, log, metrics, release },
    terminal: createTerminal(process.stdout),
    program: entry(import.meta.url, './main.ts'),
    environment: withoutRedis(forTerminal()),
    openQueue: (url) => RedisJobQueue.open(queueSettings(config, url), log),
    registry: stored.registry,
    datasets: stored.datasets,
    currentFolder: process.cwd(),
    onHopeless: (part) => {
      log.error({ part }, 'cannot run here, stopping');
      void parts.stop().then(() => process.exit(1));
    },
  });
  shutdown.add({ name: 'parts', limitMs: config.drainMs + config.graceMs + 60_000, run: () => parts.stop() });
  try {
    await parts.start();
  } catch (error) {
    if (shutdown.stopping) return;
    await parts.stop();
    throw error;
  }
}

/** Run from time to time where the store is a bucket: nothing else deletes there. */
async function collect(config: Config): Promise<void> {
  const { openStored } = await import('./gateway/stored.ts');
  const { stores, registry, ofTenant } = await openStored(config);
  const own = [{ stores, registry }];
  for (const name of await stores.tenants()) own.push(await ofTenant(name));
  const sum = { deleted: 0, bytes: 0 };
  for (const tenant of own) {
    await tenant.registry.collect(config.collectGraceMs);
    const { deleted, bytes } = await tenant.stores.collect(config.collectGraceMs);
    Object.assign(sum, { deleted: sum.deleted + deleted, bytes: sum.bytes + bytes });
  }
  console.log(`deleted ${sum.deleted} objects, ${sum.bytes} bytes`);
  await stores.close();
}

async function health({ metricsPort, metricsTls, tlsCert }: Config): Promise<void> {
  const { isLive } = await import('./platform/liveness.ts');
  if (!(await isLive(metricsPort, metricsTls && tlsCert !== null))) process.exitCode = 1;
}

/** Throws StartError rather than being open to the network without having been told to. */
function refuseExposure(config: Config): void {
  const problem = exposureProblem(config) ?? tlsProblem(config);
  if (problem !== undefined) throw new StartError(problem);
}

/** Talks to a gateway, wherever it runs. */
async function keys(words: readonly string[]): Promise<void> {
  const { keysCommand } = await import('./cli/keys.ts');
  const { HOURGLASS_URL: url = 'http://127.0.0.1:8080', HOURGLASS_API_KEY: apiKey } = process.env;
  await keysCommand(words, { url, apiKey, print: (line) => console.log(line), say: (line) => console.error(line) });
}

/** For children that need no access to Redis, or get their own. */
function withoutRedis({ REDIS_URL: _, ...environment }: Record<string, string | undefined>) {
  return environment;
}

/** For the process that trains: its worker makes the spans, and the headers for the collector are secret. */
function withoutCollector(environment: Record<string, string | undefined>) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('OTEL_')));
}

const roles: Readonly<Record<string, (config: Config) => Promise<void>>> = { up, gateway, worker, collect, health };

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  if (asked[0] === 'keys') return keys(asked.slice(1));
  if (asked[0] !== undefined && !Object.hasOwn(roles, asked[0]) && /^[a-z]/.test(asked[0])) {
    const { callServer, isCliCommand } = await import('./cli/run.ts');
    if (isCliCommand(asked[0])) return callServer(asked, { umask: usualMask, environment: process.env });
  }
  const [name = '--help', ...rest] = asked.some((word) => ['--help', '-h', 'help'].includes(word)) ? [] : asked;
  if (name === '--version') return console.log(release);
  if (name === '--help') return console.log(`${usage(release)}\n${settingsHelp()}`);
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (!role || rest.length > 0) {
    throw new StartError(`There is no command "${[name, ...rest].join(' ')}".\n\n${usage(release)}`);
  }
  const config = loadConfig(name === 'up' ? forTerminal() : process.env);
  openDataFolder(config);
  await role(config);
}

/**
 * `hourglass up` is for a person: lines to read, and only those that matter, and an end at once, as there is no other gateway
 * to which a load balancer could turn. Settings may say otherwise.
 */
function forTerminal(): Record<string, string | undefined> {
  return { ...variablesOf({ logFormat: 'text', logLevel: 'warn', drainMs: '0s' }), ...process.env };
}

/** Errors whose message is all that a person needs. */
const forPeople = [
  'StartError',
  'ConfigError',
  'DataLockError',
  'EmbeddedRedisError',
  'EvictionPolicyError',
  'TlsError',
  'WorkerQueueError',
];

main().catch((error: unknown) => {
  const facts: Partial<NodeJS.ErrnoException> = error instanceof Error ? error : {};
  const isPort = facts.syscall === 'listen';
  const isFolder = facts.path !== undefined && ['EACCES', 'EROFS', 'ENOSPC', 'ENOTDIR'].includes(facts.code ?? '');
  const known = isPort || isFolder || forPeople.includes(facts.name ?? '');
  console.error(redactor([])(known ? String(facts.message) : inspect(error)));
  if (isPort) console.error('Choose other ports: HOURGLASS_HTTP_PORT, HOURGLASS_GRPC_PORT, HOURGLASS_METRICS_PORT.');
  if (isFolder) console.error('Choose another folder for the data: HOURGLASS_DATA_DIR.');
  process.exit(known ? hopelessCode : 1);
});
