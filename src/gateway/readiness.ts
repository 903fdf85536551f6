/**
 * Whether the gateway can do its work, part by part: it can queue (queue), the storage answers (storage), it can find models
 * (registry), what it should serve is there (models), and it is not about to stop (server). For /readyz and for gRPC health
 * checking. A storage that is away is named, but does not make the gateway unready: predictions go on from memory and cache,
 * and a load balancer that took all gateways out would end them.
 */

import { HourglassError, normaliseError } from '../base/errors.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { Registry } from '../registry/registry.ts';
import type { Predictor } from '../serve/predictor.ts';
import type { Stores } from '../store/contract.ts';

export const readinessParts = ['queue', 'storage', 'registry', 'models', 'server'] as const;
export type ReadinessPart = (typeof readinessParts)[number];

export interface PartReport {
  readonly ready: boolean;
  /** what is wrong, or what is there */
  readonly detail: string;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly parts: Readonly<Record<ReadinessPart, PartReport>>;
}

export interface ReadinessSources {
  readonly queue: Pick<JobQueue, 'ping'>;
  readonly storage: Pick<Stores, 'ping'>;
  readonly registry: Pick<Registry, 'listModels' | 'resolve'>;
  readonly predictor: Pick<Predictor, 'threads'>;
  readonly metrics: Metrics;
  /** the model that must be there; null when any will do, also none yet */
  readonly defaultModel: string | null;
}

/**
 * The same report for one purpose. For `inference` the queue does not count: models are served from memory and cache while
 * Redis is away.
 */
export function reportFor(report: ReadinessReport, purpose: string | undefined): ReadinessReport {
  if (purpose !== 'inference') return report;
  return { ...report, ready: report.parts.models.ready && report.parts.registry.ready && report.parts.server.ready };
}

/** Probes come from several sides every few seconds; within this time they share one look. */
const freshMs = 500;
const longestCheckMs = 2000;

export class Readiness {
  readonly #sources: ReadinessSources;
  #stopping = false;
  #look: Promise<ReadinessReport> | undefined;
  #lookedAt = 0;

  constructor(sources: ReadinessSources) {
    this.#sources = sources;
  }

  /** From now on not ready, so that nobody sends new work here. */
  stop(): void {
    this.#stopping = true;
    this.#look = undefined;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  async isReady(): Promise<boolean> {
    return (await this.report()).ready;
  }

  /** Never rejects. */
  report(): Promise<ReadinessReport> {
    const now = performance.now();
    if (this.#look === undefined || now - this.#lookedAt > freshMs) {
      this.#lookedAt = now;
      this.#look = this.#check();
    }
    return this.#look;
  }

  async #check(): Promise<ReadinessReport> {
    const { queue, storage, registry, predictor, metrics, defaultModel } = this.#sources;
    const [queuePart, storagePart, registryPart, modelsPart] = await Promise.all([
      part(async () => {
        await queue.ping();
        return 'answers';
      }),
      part(async () => {
        await storage.ping();
        return 'answers';
      }),
      part(async () => `${(await registry.listModels()).length} models`),
      part(async () => {
        const { count, stuck } = predictor.threads();
        if (stuck === count)
          throw new HourglassError('overloaded', `all ${count} model threads are in runs that do not end`);
        if (defaultModel === null) return 'loaded when asked for';
        const { name, version } = await registry.resolve(defaultModel);
        return `the default is ${name}@${version}`;
      }),
    ]);
    const server = { ready: !this.#stopping, detail: this.#stopping ? 'stopping' : 'answers' };
    const parts = { queue: queuePart, storage: storagePart, registry: registryPart, models: modelsPart, server };
    for (const name of readinessParts) metrics.set('ready', parts[name].ready ? 1 : 0, { part: name });
    return { ready: readinessParts.every((name) => name === 'storage' || parts[name].ready), parts };
  }
}

async function part(check: () => Promise<string>): Promise<PartReport> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<string>((_, reject) => {
      timer = setTimeout(reject, longestCheckMs, new Error('late'));
    });
    return { ready: true, detail: await Promise.race([check(), late]) };
  } catch (thrown) {
    const error = normaliseError(thrown);
    return { ready: false, detail: error.code === 'internal' ? 'does not answer' : error.message };
  } finally {
    clearTimeout(timer);
  }
}
