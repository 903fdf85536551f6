// Two gateways and three workers that share nothing but Redis and a bucket: each has a disk of its own, empty at the start. A real
// S3 server, real processes of the build.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fleet } from '../../bench/faults/fleet.ts';
import { addWaves, ended, waveSpec } from '../../bench/faults/jobs.ts';
import { resolveJobSpec } from '../../src/jobspec/resolve.ts';
import type { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import type { Manifest } from '../../src/registry/manifest.ts';
import { Registry } from '../../src/registry/registry.ts';
import type { Stores } from '../../src/store/contract.ts';
import { openStores } from '../../src/store/open.ts';
import { freePort } from '../helpers/ports.ts';
import { startRedis, type TestRedis } from '../helpers/redis.ts';
import { s3Server, startBucket, type TestBucket } from '../helpers/s3.ts';
import { openQueue, until } from '../queue/fixtures.ts';

let redis: TestRedis;
let bucket: TestBucket;
let queue: RedisJobQueue;
let fleets: Fleet[];
let disks: string[];

function emptyDisk(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hourglass-machine-'));
  disks.push(folder);
  return folder;
}

const rows = { inputs: [Array.from({ length: 16 }, (_, i) => 0.5 + 0.5 * Math.sin(i / 2))] };

/** A machine with an empty disk. */
function machine(role: 'worker' | 'gateway', environment: Readonly<Record<string, string>> = {}): Fleet {
  const fleet = new Fleet(role, {
    REDIS_URL: redis.url,
    HOURGLASS_QUEUE_PREFIX: 'test',
    HOURGLASS_DATA_DIR: emptyDisk(),
    HOURGLASS_JOB_LOCK: '1s',
    HOURGLASS_CHECKPOINT_INTERVAL: '100ms',
    HOURGLASS_TRAINING_THREADS: '1',
    HOURGLASS_SERVING_WORKERS: '1',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_DRAIN: '0s',
    HOURGLASS_STORE_REFRESH: '200ms',
    ...bucket.environment,
    ...environment,
  });
  fleets.push(fleet);
  return fleet;
}

interface Gateway {
  readonly fleet: Fleet;
  ask(method: string, target: string, body?: unknown): Promise<{ status: number; headers: Headers; json: unknown }>;
}

async function startGateway(): Promise<Gateway> {
  const port = await freePort();
  const fleet = machine('gateway', { HOURGLASS_HTTP_PORT: String(port) });
  fleet.start();
  const ask: Gateway['ask'] = async (method, target, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === '' ? undefined : JSON.parse(text) };
  };
  await until(() =>
    ask('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  return { fleet, ask };
}

const weightsOf = ({ files }: Manifest) => files.find((file) => file.path === 'weights.safetensors')?.sha256;
const stores = (): Promise<Stores> => openStores(bucket.settings(emptyDisk()));

describe.skipIf(!s3Server())('machines with nothing in common but Redis and a bucket', () => {
  beforeEach(async () => {
    fleets = [];
    disks = [];
    [redis, bucket] = await Promise.all([startRedis(), startBucket()]);
    queue = await openQueue(redis.url);
    await addWaves(bucket.settings(emptyDisk()));
  });
  afterEach(async () => {
    for (const fleet of fleets) await fleet.stop();
    await queue?.close();
    await bucket?.stop();
    await redis?.stop();
    for (const disk of disks) rmSync(disk, { recursive: true, force: true });
  });

  it('trains, publishes, predicts, loses workers and their disks, and goes on to the same weights', async () => {
    const gateways = [await startGateway(), await startGateway()];
    const workers = [machine('worker'), machine('worker'), machine('worker')];
    for (const worker of workers) worker.start();
    const epochs = 60;
    const control = await queue.submit(waveSpec('control', epochs));
    expect(await ended(queue, control.id, 60_000)).toMatchObject({ state: 'succeeded' });

    const submitted = await gateways[0]!.ask('POST', '/v1/jobs', waveSpec('waves', epochs));
    expect(submitted.status).toBe(202);
    const { id } = submitted.json as { id: string };
    let kills = 0;
    for (; kills < 2; kills++) {
      await until(async () => {
        const job = await queue.get(id);
        return job.finishedAt !== undefined || (job.attempts === kills + 1 && (job.progress?.epoch ?? 0) > 3);
      });
      const running = await queue.get(id);
      if (running.finishedAt !== undefined) break;
      // Whichever has it: its disk is gone with it, and an empty machine takes its place.
      for (const worker of workers.splice(0)) await worker.stop();
      workers.push(machine('worker'));
      workers[0]!.start();
    }
    expect(kills).toBe(2);
    expect(await ended(queue, id, 60_000)).toMatchObject({ state: 'succeeded', model: 'waves', version: 1 });

    const registry = await Registry.open((await stores()).versions, { orphanAgeMs: 'never' });
    const [manifest, undisturbed] = [await registry.resolve('waves@1'), await registry.resolve('control@1')];
    expect(weightsOf(manifest)).toBe(weightsOf(undisturbed));
    expect((await registry.getModel('waves')).versions.map(({ lineage }) => lineage.jobId)).toEqual([id]);

    const answers = await Promise.all(gateways.map(({ ask }) => ask('POST', '/v1/models/waves/encode', rows)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]!.json).toEqual(answers[1]!.json);
    const report = await gateways[1]!.ask('GET', '/v1/models/waves/versions/1/files/report.json');
    expect(report).toMatchObject({ status: 200, json: { model: { name: 'waves' } } });

    // an alias that one gateway sets is there for the other
    expect((await gateways[0]!.ask('PUT', '/v1/models/waves/aliases/stable', { version: 1 })).status).toBe(200);
    expect((await gateways[1]!.ask('POST', '/v1/models/waves:stable/encode', rows)).status).toBe(200);
  }, 180_000);

  it('goes on predicting while the bucket is away, says what is missing, and takes up again', async () => {
    const worker = machine('worker');
    worker.start();
    const { id } = await queue.submit(waveSpec('waves', 3));
    expect(await ended(queue, id, 60_000)).toMatchObject({ state: 'succeeded' });
    const gateway = await startGateway();
    const before = await gateway.ask('POST', '/v1/models/waves/encode', rows);
    expect(before.status).toBe(200);

    await bucket.kill();
    await until(async () => {
      const { json } = await gateway.ask('GET', '/readyz');
      return (json as { parts: { storage: { ready: boolean } } }).parts.storage.ready === false;
    });
    for (let i = 0; i < 20; i++) {
      expect((await gateway.ask('POST', '/v1/models/waves/encode', rows)).json).toEqual(before.json);
      await delay(50);
    }
    const upload = await gateway.ask('GET', '/v1/datasets/waves');
    expect(upload).toMatchObject({ status: 503, json: { code: 'storage-unavailable' } });
    expect(Number(upload.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    // A gateway that starts again meanwhile serves from the cache on its disk.
    await gateway.fleet.end(gateway.fleet.members[0]!, 'SIGKILL');
    gateway.fleet.start();
    await until(() =>
      gateway.ask('GET', '/readyz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    expect((await gateway.ask('POST', '/v1/models/waves/encode', rows)).json).toEqual(before.json);
    const held = await queue.submit(waveSpec('held', 3));
    await until(async () => (await queue.get(held.id)).waitingFor === 'storage-unavailable');

    await bucket.start();
    expect(await ended(queue, held.id, 120_000)).toMatchObject({ state: 'succeeded', model: 'held', version: 1 });
    expect((await gateway.ask('POST', '/v1/models/held/encode', rows)).status).toBe(200);
  }, 240_000);

  it('waits with the publication of a job that trained while the bucket went away', async () => {
    const worker = machine('worker');
    worker.start();
    const { id } = await queue.submit(waveSpec('late', 400));
    await until(async () => ((await queue.get(id)).progress?.epoch ?? 0) > 3);
    await bucket.kill();
    const seen = (await queue.get(id)).progress?.epoch ?? 0;
    // training does not need the bucket
    await until(async () => ((await queue.get(id)).progress?.epoch ?? 0) > seen + 5);
    await until(async () => (await queue.get(id)).progress?.epoch === 400);
    await delay(1000);
    expect(await queue.get(id)).toMatchObject({ state: 'running', attempts: 1 });
    await bucket.start();
    expect(await ended(queue, id, 120_000)).toMatchObject({ state: 'succeeded', attempts: 1, version: 1 });
  }, 240_000);

  it('collects nothing that is used, and notices what is missing on a machine without a copy', async () => {
    const worker = machine('worker');
    worker.start();
    // Small files are kept inside the version's record: this model is larger.
    const model = { type: 'dense', hidden: [1024], code: 3 };
    const { id } = await queue.submit(
      resolveJobSpec({ name: 'waves', dataset: 'waves', model, training: { epochs: 1 } }).spec,
    );
    expect(await ended(queue, id, 60_000)).toMatchObject({ state: 'succeeded' });
    const one = await stores();
    expect(await one.collect(0)).toEqual({ deleted: 0, bytes: 0 });
    const registry = await Registry.open(one.versions, { orphanAgeMs: 'never' });
    const manifest = await registry.resolve('waves@1');
    const large = manifest.files.reduce((a, b) => (a.bytes > b.bytes ? a : b));
    expect((await registry.readFile(manifest, large.path)).length).toBe(large.bytes);
    expect(existsSync(path.join(bucket.folder, 'jobs'))).toBe(false);
    rmSync(path.join(bucket.folder, 'objects'), { recursive: true });
    // The cache of this machine still has it; an empty machine does not, and says so.
    expect((await registry.readFile(manifest, large.path)).length).toBe(large.bytes);
    const other = await Registry.open((await stores()).versions, { orphanAgeMs: 'never' });
    await expect(other.readFile(manifest, large.path)).rejects.toMatchObject({ code: 'model-corrupt' });
  }, 90_000);
});
