/**
 * `hourglass up`: everything on one machine.
 *
 *   up ─┬─ redis-server   embedded, or none with REDIS_URL
 *       ├─ gateway        REST, gRPC, metrics
 *       └─ worker         ─ a process per job
 *
 * The parts end with `up`, however it ends: gateway and worker notice that their channel to it closed.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { DatasetStore } from '../data/dataset.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { embeddedRedis } from '../queue/embedded-redis.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import { lockDataFolder } from './data-lock.ts';
import { writeExamples } from './examples.ts';
import { hopelessCode } from './exit-code.ts';
import type { Gathered, Listening, Recorded } from './messages.ts';
import { denoiserName, trainFirstModels } from './starter.ts';
import { Supervisor } from './supervisor.ts';
import type { Terminal } from './terminal.ts';

export interface UpParts {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly terminal: Terminal;
  readonly release: string;
  /** compiled entry point that knows the roles `gateway` and `worker` */
  readonly program: URL;
  /** of the children, without REDIS_URL */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly openQueue: (redisUrl: string) => Promise<JobQueue>;
  readonly registry: Registry;
  readonly datasets: DatasetStore;
  readonly currentFolder: string;
  /** a part cannot run here; everything should stop */
  readonly onHopeless: (part: string) => void;
}

const redisStopMs = 10_000;
const workerStopMs = 25_000;

export class Up {
  readonly #parts: UpParts;
  readonly #supervisor: Supervisor;
  readonly #ended = new AbortController();
  #queue: JobQueue | undefined;
  #unlock: () => void = () => undefined;

  constructor(parts: UpParts) {
    this.#parts = parts;
    const { log, metrics, onHopeless } = parts;
    this.#supervisor = new Supervisor({
      log,
      onHopeless,
      onRestart: (part) => metrics.count('restarts', 1, { part }),
    });
  }

  /** Starts all parts. Throws DataLockError, EmbeddedRedisError, EvictionPolicyError. */
  async start(): Promise<void> {
    const { config, log, metrics, environment, program, terminal } = this.#parts;
    mkdirSync(config.dataDir, { recursive: true });
    this.#unlock = lockDataFolder(config.dataDir);
    const redisUrl = config.redisUrl ?? (await this.#startRedis());
    this.#queue = await this.#parts.openQueue(redisUrl);
    const env = { ...environment, REDIS_URL: redisUrl };
    const part = (role: string, stopMs: number, onStart?: (child: ChildProcess) => void) => ({
      name: role,
      stopMs,
      hopelessCode,
      launch: async () => {
        const child = fork(program, [role], { env, execArgv: [] });
        onStart?.(child);
        return child;
      },
    });
    let gateway: ChildProcess | undefined;
    const listening = new Promise<Listening>((resolve) => {
      const graceMs = config.drainMs + config.graceMs + 5000;
      const onStart = (child: ChildProcess): void => {
        gateway = child;
        child.on('message', (message: Listening) => message.type === 'listening' && resolve(message));
      };
      void this.#supervisor.start(part('gateway', graceMs, onStart));
    });
    const passOn = async (recorded: Recorded): Promise<void> => {
      if (!gateway?.connected) return;
      const snapshots = { worker: recorded.snapshot, up: await metrics.snapshot() };
      gateway.send({ type: 'metrics', snapshots } satisfies Gathered, () => undefined);
    };
    await this.#supervisor.start(
      part('worker', workerStopMs, (child) => child.on('message', (message: Recorded) => void passOn(message))),
    );
    this.#greet(await this.#untilEnded(listening))
      .catch((err: unknown) => log.error({ err }, 'the first model could not be trained'))
      .finally(() => this.#ended.signal.aborted || terminal.line('Stop with Ctrl-C.'));
  }

  /** Stops all parts, the queue's server last. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#queue?.close();
    await this.#supervisor.stop();
    this.#unlock();
  }

  async #startRedis(): Promise<string> {
    const { config, log, metrics } = this.#parts;
    metrics.count('queueTruncated', 0);
    const redis = await embeddedRedis(config.dataDir, log, { onTruncated: () => metrics.count('queueTruncated', 1) });
    await this.#supervisor.start({ name: 'redis', stopMs: redisStopMs, isFoundation: true, launch: redis.launch });
    return redis.url;
  }

  /** Says where everything is, trains a first model if there is none, and shows how to use one. */
  async #greet({ host: listensOn, httpPort, grpcPort, metricsPort }: Listening): Promise<void> {
    const { config, terminal, release, registry, datasets, currentFolder } = this.#parts;
    const host = reachable(listensOn);
    const scheme = config.tlsCert === null ? 'http' : 'https';
    const address = `${scheme}://${host}:${httpPort}`;
    terminal.line(`Hourglass ${release} is up.`);
    const hasDocs = config.docs === 'on' || (config.docs === 'auto' && (config.auth ?? 'off') === 'off');
    terminal.line(`  REST     ${address}${hasDocs ? `  (its contract: ${address}/docs)` : ''}`);
    if (config.console) terminal.line(`  console  ${address}/`);
    if (config.demo) terminal.line(`  demo     ${address}/demo  (once there is a model)`);
    terminal.line(`  gRPC     ${host}:${grpcPort}`);
    terminal.line(`  metrics  ${config.metricsTls ? scheme : 'http'}://${host}:${metricsPort}/metrics`);
    terminal.line(`  data     ${config.dataDir}`);
    terminal.line();
    const queue = this.#queue;
    const folder = path.join(config.dataDir, 'examples');
    const onModel = async (name: string): Promise<void> => {
      const manifest = await registry.resolve(name);
      const lines = await writeExamples({ manifest, datasets, address, folder, currentFolder });
      terminal.line(`${manifest.name}@${manifest.version} answers. Paste into another shell in this folder:`);
      terminal.line();
      for (const line of lines) terminal.line(line);
      terminal.line();
    };
    const { signal } = this.#ended;
    if (config.starter && queue && (await trainFirstModels({ queue, registry, datasets, terminal, signal, onModel }))) {
      return;
    }
    if (signal.aborted) return;
    for (const name of await this.#modelsToShow()) await onModel(name);
  }

  /** The default model and, if it removes no noise, one that does. */
  async #modelsToShow(): Promise<string[]> {
    const { config, registry } = this.#parts;
    const models = await registry.listModels();
    const name = config.defaultModel ?? (models.includes('digits') ? 'digits' : models[0]);
    if (name === undefined) return [];
    const denoises = async (model: string): Promise<boolean> =>
      (await registry.resolve(model)).operations.includes('denoise');
    if ((await denoises(name)) || !models.includes(denoiserName) || !(await denoises(denoiserName))) return [name];
    return [name, denoiserName];
  }

  #untilEnded<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#ended.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
      promise.then(resolve, reject);
    });
  }
}

/** An address to type: "every address" is none, and those with colons stand in brackets. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
