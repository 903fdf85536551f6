// Unit costs: what one job, watcher, gateway, worker, publication and checkpoint asks of Redis and of the bucket.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Readiness } from '../../src/gateway/readiness.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { Outcome } from '../../src/queue/job-consumer.ts';
import { JobConsumer } from '../../src/queue/job-consumer.ts';
import { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openStores, type StoreSettings } from '../../src/store/open.ts';
import type { BucketStores } from '../../src/store/s3/open.ts';
import { publicationOf } from '../../test/registry/publications.ts';
import { waveSpec } from '../faults/jobs.ts';
import { quiet } from './quiet.ts';

export interface Counted {
  readonly commands: number;
  readonly bytes: number;
}

/** What a server did between two looks, the looks themselves left out. */
export class RedisMeter {
  readonly #client: Redis;

  constructor(url: string) {
    this.#client = new Redis(url);
  }

  async count(work: () => Promise<unknown>): Promise<Counted> {
    const before = await this.#look();
    await work();
    const after = await this.#look();
    const own = await this.#look();
    return {
      commands: after.commands - before.commands - (own.commands - after.commands),
      bytes: Math.max(0, after.bytes - before.bytes - (own.bytes - after.bytes)),
    };
  }

  close(): void {
    this.#client.disconnect();
  }

  async #look(): Promise<Counted> {
    const text = await this.#client.info('stats');
    const value = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
    return {
      commands: value('total_commands_processed'),
      bytes: value('total_net_input_bytes') + value('total_net_output_bytes'),
    };
  }
}

const queueSettings = (url: string) => ({
  url,
  prefix: 'scale',
  timeoutMs: 5000,
  keepJobs: 10_000,
  keepEvents: 10_000_000,
  maxWaiting: 100_000,
  maxWaitingPerClient: 100_000,
});
const consumerSettings = (url: string) => ({
  ...{
    url,
    prefix: 'scale',
    timeoutMs: 5000,
    lockMs: 6000,
    concurrency: 1,
    maxCrashes: 3,
    queues: ['cpu', 'any'] as const,
    jobs: null,
    idleMs: null,
    engine: 'onnx/cpu',
    release: '0',
  },
});

export const openQueue = (url: string): Promise<RedisJobQueue> => RedisJobQueue.open(queueSettings(url), quiet);
export const openConsumer = (url: string, train: () => Promise<Outcome>): Promise<JobConsumer> =>
  JobConsumer.open(consumerSettings(url), train, quiet);

/** A job that tells ten epochs and a hundred progress reports, which its attempt throttles as the real one does. */
export async function jobCosts(url: string, meter: RedisMeter): Promise<{ job: Counted; watched: Counted }> {
  const queue = await openQueue(url);
  const consumer = await JobConsumer.open(
    consumerSettings(url),
    async (lease) => {
      for (let epoch = 1; epoch <= 10; epoch++) {
        for (let step = 0; step < 10; step++) {
          lease.progress({ phase: 'train', epoch, epochs: 10, step, steps: 100, percent: epoch * 10 });
          await delay(100);
        }
        lease.epoch({ phase: 'train', epoch, metrics: { loss: 1 / epoch } });
        lease.checkpointed(`1/${epoch}`);
      }
      return { kind: 'succeeded', published: { model: 'waves', version: 1 }, metrics: { loss: 1 } };
    },
    quiet,
  );
  const run = (watchers: number): Promise<Counted> =>
    meter.count(async () => {
      const { id } = await queue.submit(waveSpec('waves'));
      const follow = async (): Promise<void> => {
        for await (const event of queue.events(id)) if (event.type === 'end') return;
      };
      await Promise.all(Array.from({ length: Math.max(1, watchers) }, follow));
    });
  const one = await run(1);
  const eleven = await run(11);
  await consumer.drain();
  await queue.close();
  const watched = { commands: (eleven.commands - one.commands) / 10, bytes: (eleven.bytes - one.bytes) / 10 };
  return { job: { commands: one.commands - watched.commands, bytes: one.bytes - watched.bytes }, watched };
}

export interface IdleCosts {
  /** of Redis, per second */
  readonly gateway: Counted;
  readonly worker: Counted;
  /** requests to the bucket per second, probed every 5 s, without and with predictions */
  readonly bucketIdle: number;
  readonly bucketServing: number;
}

const probeMs = 5000;

export async function idleCosts(url: string, meter: RedisMeter, settings: StoreSettings): Promise<IdleCosts> {
  const seconds = 15;
  const perSecond = ({ commands, bytes }: Counted) => ({ commands: commands / seconds, bytes: bytes / seconds });
  const queue = await openQueue(url);
  const stores = (await openStores(settings)) as BucketStores;
  const registry = await Registry.open(stores.versions, { orphanAgeMs: 'never' });
  await registry.publish('idle', publicationOf('idle'));
  const metrics = new Metrics('scale');
  const predictor = { threads: () => ({ count: 1, stuck: 0 }) };
  const readiness = new Readiness({ queue, storage: stores, registry, predictor, metrics, defaultModel: null });
  const probing = setInterval(() => void readiness.report(), probeMs);
  const beforeIdle = sum(stores);
  const gateway = perSecond(await meter.count(() => delay(1000 * seconds)));
  const bucketIdle = (sum(stores) - beforeIdle) / seconds;
  const asking = setInterval(() => void registry.resolve('idle'), 10);
  const beforeServing = sum(stores);
  await delay(1000 * seconds);
  const bucketServing = (sum(stores) - beforeServing) / seconds;
  clearInterval(asking);
  clearInterval(probing);
  await queue.close();
  const consumer = await openConsumer(url, () => Promise.reject(new Error('there is no job')));
  await delay(2000);
  const worker = perSecond(await meter.count(() => delay(1000 * seconds)));
  await consumer.drain();
  await stores.close();
  return { gateway, worker, bucketIdle, bucketServing };
}

const sum = ({ bucket: { requests } }: BucketStores): number => Object.values(requests).reduce((a, b) => a + b, 0);

export interface BucketCosts {
  readonly publication: number;
  /** of a version with 8 files beyond 16 KiB, by a machine that has seen the model before */
  readonly newVersion: number;
  /** the same version by another process of that machine */
  readonly cachedVersion: number;
  readonly checkpoint: number;
  readonly coldLoadMs: number;
}

/** `disk`: gives an empty folder at each call. */
export async function bucketCosts(
  settingsOf: (dataDir: string) => StoreSettings,
  disk: () => string,
): Promise<BucketCosts> {
  const open = async (dataDir: string) => {
    const stores = (await openStores(settingsOf(dataDir))) as BucketStores;
    return { stores, registry: await Registry.open(stores.versions, { orphanAgeMs: 'never' }) };
  };
  const files = () =>
    Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`file-${i}.bin`, new Uint8Array(randomBytes(125_000))]));
  const writer = await open(disk());
  await writer.registry.publish('model', { ...publicationOf('first'), files: files() });
  const beforePublication = sum(writer.stores);
  await writer.registry.publish('model', { ...publicationOf('second'), files: files() });
  const publication = sum(writer.stores) - beforePublication;

  const readerDisk = disk();
  const read = async ({ stores, registry }: typeof writer, version: number): Promise<number> => {
    const before = sum(stores);
    const manifest = await registry.resolve(`model@${version}`);
    for (const { path } of manifest.files) await registry.readFile(manifest, path);
    return sum(stores) - before;
  };
  const reader = await open(readerDisk);
  const began = performance.now();
  await read(reader, 1);
  const coldLoadMs = performance.now() - began;
  const newVersion = await read(reader, 2);
  const cachedVersion = await read(await open(readerDisk), 2);

  const fence = await writer.stores.jobs.begin('job', 1);
  const checkpoints = writer.stores.jobs.checkpoints('job', 1, fence);
  for (let i = 0; i < 3; i++) await checkpoints.save(randomBytes(1_000_000), () => Buffer.from('{}'));
  const beforeCheckpoint = sum(writer.stores);
  await checkpoints.save(randomBytes(1_000_000), () => Buffer.from('{}'));
  const checkpoint = sum(writer.stores) - beforeCheckpoint;
  return { publication, newVersion, cachedVersion, checkpoint, coldLoadMs };
}
