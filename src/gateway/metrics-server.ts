/**
 * Prometheus metrics and the probes on a port of their own, which is not for the public and which no load can fill. A thread
 * answers there (metrics-thread.ts); this side gives it a heartbeat and what it asks for. The port answers to the same host names
 * as the REST API, so that no web page can read it through a name that points here (DNS rebinding).
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Config } from '../platform/config.ts';
import { entry } from '../platform/entry.ts';
import type { Logger } from '../platform/log.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import type { TlsPaths } from '../platform/tls-files.ts';
import type { CrossOriginConfig } from './http/cross-origin.ts';
import type { FromThread, MetricsThreadOptions, Topic, ToThread } from './metrics-thread.ts';
import type { ReadinessReport } from './readiness.ts';

export interface MetricsServer {
  /** Resolves to the port; 0 takes a free one. Rejects when it is taken. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  /** what this process and those it speaks for have recorded */
  read(): Promise<readonly MetricsSnapshot[]>;
  readonly log: Logger;
  readonly config: CrossOriginConfig & Pick<Config, 'hangTimeoutMs'>;
  /** absent: connections are not encrypted */
  readonly tls?: TlsPaths | undefined;
  /** absent: `/readyz` is not there */
  readonly readiness?: { report(): Promise<ReadinessReport> | ReadinessReport };
}

const heartbeatMs = 500;
const longestCloseMs = 1000;
const restartMs = 1000;
/** of the thread's heap: metrics as text are some 100 kB */
const heapMegabytes = 64;

export function createMetricsServer(options: MetricsServerOptions): MetricsServer {
  const { log, config, readiness } = options;
  const heartbeat = new BigInt64Array(new SharedArrayBuffer(8));
  const beat = (): void => void Atomics.store(heartbeat, 0, process.hrtime.bigint() / 1_000_000n);
  let beating: NodeJS.Timeout | undefined;
  let thread: Worker | undefined;
  let closing = false;

  const answers: Record<Topic, () => Promise<unknown>> = {
    metrics: () => options.read(),
    readiness: async () => readiness?.report(),
  };

  async function answer(asker: Worker, id: number, topic: Topic): Promise<void> {
    let found: unknown;
    try {
      found = await answers[topic]();
    } catch (err) {
      log.error({ err }, `${topic} could not be read`);
    }
    asker.postMessage({ type: 'answer', id, answer: found } satisfies ToThread);
  }

  /** Resolves to the port once the thread listens. */
  function start(host: string, port: number): Promise<number> {
    const workerData: MetricsThreadOptions = {
      ...{ host, port, heartbeat, hangMs: config.hangTimeoutMs, hasReadiness: readiness !== undefined },
      config: { host: config.host, allowedHosts: config.allowedHosts, corsOrigins: config.corsOrigins },
      tls: options.tls,
    };
    const started = new Worker(entry(import.meta.url, './metrics-thread.ts'), {
      workerData,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
    thread = started;
    return new Promise((resolve, reject) => {
      let listensOn: number | undefined;
      started.on('message', (message: FromThread) => {
        if (message.type === 'question') return void answer(started, message.id, message.topic);
        if (message.type === 'warning') return void log.warn(message.facts, message.message);
        if (message.type === 'refused') return reject(Object.assign(new Error(message.message), message.facts));
        listensOn = message.port;
        resolve(message.port);
      });
      started.on('error', (err) => {
        log.error({ err }, 'the thread of the metrics port failed');
        reject(err);
      });
      started.on('exit', () => {
        if (closing || listensOn === undefined) return;
        const again = listensOn;
        setTimeout(() => {
          if (!closing)
            start(host, again).catch((err) => log.error({ err }, 'the metrics port could not be opened again'));
        }, restartMs).unref();
      });
    });
  }

  return {
    listen(host, port) {
      beat();
      beating = setInterval(beat, heartbeatMs).unref();
      return start(host, port);
    },

    async close() {
      closing = true;
      clearInterval(beating);
      if (!thread || thread.threadId === -1) return;
      const exited = once(thread, 'exit');
      thread.postMessage({ type: 'close' } satisfies ToThread);
      const timer = setTimeout(() => void thread?.terminate(), longestCloseMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
