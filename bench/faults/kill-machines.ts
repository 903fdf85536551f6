// Kills on several machines that share nothing but Redis and a bucket. A killed worker or gateway loses its disk: what takes its
// place begins with an empty one. The S3 server is killed as well, and stays away for a moment.
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { RedisJobQueue } from '../../src/queue/redis-job-queue.ts';
import { freePort } from '../../test/helpers/ports.ts';
import { startRedis } from '../../test/helpers/redis.ts';
import { startBucket } from '../../test/helpers/s3.ts';
import { busyMembers, Fleet } from './fleet.ts';
import { type Account, addWaves, settle, trainControls, waveSpec } from './jobs.ts';

export interface KilledMachines extends Account {
  readonly kills: { readonly workers: number; readonly gateways: number; readonly bucket: number };
  readonly predictions: number;
  /** answers to predictions other than 200 from a gateway that runs */
  readonly predictionsFailed: readonly string[];
}

export interface KillMachines {
  readonly kills: number;
  readonly epochs: number;
  readonly limitMs: number;
}

const seeds = [1, 2, 3, 4];
const workers = 3;
const bucketAwayMs = 2000;
/** A worker has a job for up to this long before it is killed. */
const longestAttemptMs = 8000;
const rows = { inputs: [Array.from({ length: 16 }, (_, i) => 0.5 + 0.5 * Math.sin(i / 2))] };

export async function killMachines({ kills, epochs, limitMs }: KillMachines): Promise<KilledMachines> {
  const limit = Date.now() + limitMs;
  const root = mkdtempSync(path.join(os.tmpdir(), 'hourglass-machines-'));
  const emptyDisk = (): string => path.join(root, randomUUID());
  const [redis, bucket] = await Promise.all([startRedis(), startBucket()]);
  const settings = {
    url: redis.url,
    prefix: 'hourglass',
    timeoutMs: 900,
    keepJobs: 100_000,
    keepEvents: 10_000_000,
    maxWaiting: 100_000,
    maxWaitingPerClient: 100_000,
  };
  const queue = await RedisJobQueue.open(settings, pino({ level: 'silent' }));
  const place = bucket.settings(emptyDisk());
  const common = {
    REDIS_URL: redis.url,
    HOURGLASS_JOB_LOCK: '2s',
    HOURGLASS_CHECKPOINT_INTERVAL: '250ms',
    HOURGLASS_TRAINING_THREADS: '1',
    HOURGLASS_SERVING_WORKERS: '1',
    HOURGLASS_METRICS_PORT: '0',
    HOURGLASS_GRPC_PORT: '0',
    HOURGLASS_LOG_LEVEL: 'error',
    ...bucket.environment,
  };
  const fleet = new Fleet('worker', common);
  const startWorker = () => fleet.start({ HOURGLASS_DATA_DIR: emptyDisk() });
  const gateways = await Promise.all(
    [1, 2].map(async () => ({ port: await freePort(), fleet: new Fleet('gateway', common) })),
  );
  type Gateway = (typeof gateways)[number];
  const startGateway = ({ port, fleet: own }: Gateway) =>
    own.start({ HOURGLASS_HTTP_PORT: String(port), HOURGLASS_DATA_DIR: emptyDisk() });
  const stopped = new AbortController();
  try {
    await addWaves(place);
    for (let i = 0; i < workers; i++) startWorker();
    for (const gateway of gateways) startGateway(gateway);
    const controls = await trainControls(queue, place, seeds, epochs);
    const predictions = { count: 0, failed: [] as string[] };
    const predicting = gateways.map((gateway) => predict(gateway.port, stopped.signal, predictions));

    const ids: string[] = [];
    const submit = async (): Promise<void> => {
      const i = ids.length;
      ids.push(await submitJob(gateways, `job-${i}`, waveSpec(`job-${i}`, epochs, seeds[i % seeds.length])));
    };
    const killed = { workers: 0, gateways: 0, bucket: 0 };
    const total = (): number => killed.workers + killed.gateways + killed.bucket;
    while (total() < kills && Date.now() < limit) {
      const { running, queued } = await queue.counts();
      for (let open = running + queued; open < workers; open++) await submit();
      await delay(1000 * Math.random());
      const dice = Math.random();
      if (dice < 0.15) {
        await bucket.kill();
        killed.bucket++;
        await delay(bucketAwayMs * Math.random());
        await bucket.start();
      } else if (dice < 0.3) {
        const gateway = gateways[total() % gateways.length] as Gateway;
        await gateway.fleet.stop('SIGKILL');
        killed.gateways++;
        startGateway(gateway);
      } else {
        const victim = await busyWorker(fleet);
        // Some attempts get to a checkpoint, most do not.
        await delay(longestAttemptMs * Math.random());
        await fleet.end(victim, 'SIGKILL');
        killed.workers++;
        startWorker();
      }
    }
    const account = await settle(queue, place, ids, controls, limit - Date.now());
    stopped.abort();
    await Promise.all(predicting);
    return { kills: killed, ...account, predictions: predictions.count, predictionsFailed: predictions.failed };
  } finally {
    stopped.abort();
    await fleet.stop();
    for (const gateway of gateways) await gateway.fleet.stop();
    await queue.close();
    await bucket.stop();
    await redis.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

/** One of the workers that train; waits until there is one. */
async function busyWorker(fleet: Fleet): Promise<ChildProcess> {
  for (;;) {
    const busy = await busyMembers(fleet);
    const victim = busy[Math.floor(Math.random() * busy.length)];
    if (victim) return victim;
    await delay(50);
  }
}

/** Over REST under an idempotency key, to one gateway and then the other, until it is acknowledged. */
async function submitJob(gateways: readonly { port: number }[], key: string, spec: unknown): Promise<string> {
  for (let tried = 0; ; tried++) {
    const { port } = gateways[tried % gateways.length] as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(spec),
    }).catch(() => undefined);
    if (answer?.status === 202) return ((await answer.json()) as { id: string }).id;
    await answer?.arrayBuffer().catch(() => undefined);
    await delay(200);
  }
}

/** Asks one gateway again and again. A gateway that does not run answers nothing; one that was just started may know no model. */
async function predict(port: number, signal: AbortSignal, seen: { count: number; failed: string[] }): Promise<void> {
  let hasAnswered = false;
  while (!signal.aborted) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/models/control-1/encode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rows),
    }).catch(() => undefined);
    if (!answer) hasAnswered = false;
    else if (answer.status === 200) {
      hasAnswered = true;
      seen.count++;
    } else if (hasAnswered) seen.failed.push(`${answer.status} ${await answer.text()}`.slice(0, 200));
    await answer?.arrayBuffer().catch(() => undefined);
    await delay(100);
  }
}
