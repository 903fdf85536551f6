// Many idle gateways and workers in one process against one real Redis and bucket: what they ask for together, beside the sum of
// what one asks for; and a version that all gateways take up at the same time.
import { setTimeout as delay } from 'node:timers/promises';
import { Readiness } from '../../src/gateway/readiness.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { JobConsumer } from '../../src/queue/job-consumer.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openStores, type StoreSettings } from '../../src/store/open.ts';
import type { BucketStores } from '../../src/store/s3/open.ts';
import { publicationOf } from '../../test/registry/publications.ts';
import { openConsumer, openQueue, type RedisMeter } from './units.ts';

export interface FleetCosts {
  readonly gateways: number;
  readonly workers: number;
  /** measured, per second */
  readonly redisCommands: number;
  readonly redisBytes: number;
  readonly bucketRequests: number;
  /** until the last gateway had the new version, in milliseconds */
  readonly takenUpMs: number;
  /** requests to the bucket of all gateways together for it */
  readonly takenUpRequests: number;
}

interface SimulatedGateway {
  readonly stores: BucketStores;
  readonly registry: Registry;
  readonly queue: RedisJobQueue;
  readonly timer: NodeJS.Timeout;
}

const probeMs = 5000;
const seconds = 20;

/** `machines`: disks that the gateways share; on a real machine there are a few gateways at most. */
export async function simulateFleet(options: {
  readonly url: string;
  readonly meter: RedisMeter;
  readonly settingsOf: (dataDir: string) => StoreSettings;
  readonly disk: () => string;
  readonly gateways: number;
  readonly workers: number;
}): Promise<FleetCosts> {
  const { url, meter, settingsOf, disk, gateways: count, workers } = options;
  const publisher = await Registry.open((await openStores(settingsOf(disk()))).versions, { orphanAgeMs: 'never' });
  await publisher.publish('shared', publicationOf('shared-1'));
  const gateways: SimulatedGateway[] = [];
  const consumers: JobConsumer[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const stores = (await openStores(settingsOf(disk()))) as BucketStores;
      const registry = await Registry.open(stores.versions, { orphanAgeMs: 'never' });
      const queue = await openQueue(url);
      const readiness = new Readiness({
        queue,
        storage: stores,
        registry,
        predictor: { threads: () => ({ count: 1, stuck: 0 }) },
        metrics: new Metrics('scale'),
        defaultModel: null,
      });
      await registry.resolve('shared');
      gateways.push({ stores, registry, queue, timer: setInterval(() => void readiness.report(), probeMs) });
    }
    for (let i = 0; i < workers; i++)
      consumers.push(await openConsumer(url, () => Promise.reject(new Error('no job'))));
    await delay(probeMs);
    const before = requestsOf(gateways);
    const idle = await meter.count(() => delay(1000 * seconds));
    const bucketRequests = (requestsOf(gateways) - before) / seconds;

    const beforeVersion = requestsOf(gateways);
    await publisher.publish('shared', publicationOf('shared-2'));
    const began = performance.now();
    await Promise.all(
      gateways.map(async ({ registry }) => {
        while ((await registry.resolve('shared')).version < 2) await delay(50);
        const manifest = await registry.resolve('shared');
        for (const { path } of manifest.files) await registry.readFile(manifest, path);
      }),
    );
    const takenUpMs = performance.now() - began;
    const takenUpRequests = requestsOf(gateways) - beforeVersion;
    return {
      ...{ gateways: count, workers, bucketRequests, takenUpMs, takenUpRequests },
      redisCommands: idle.commands / seconds,
      redisBytes: idle.bytes / seconds,
    };
  } finally {
    for (const { timer, queue, stores } of gateways) {
      clearInterval(timer);
      await queue.close();
      await stores.close();
    }
    await Promise.all(consumers.map((consumer) => consumer.drain()));
  }
}

const requestsOf = (gateways: readonly SimulatedGateway[]): number =>
  gateways.reduce((sum, { stores }) => sum + Object.values(stores.bucket.requests).reduce((a, b) => a + b, 0), 0);
